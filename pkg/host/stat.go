package host

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// parseStat parses from /proc/stat the boot time (btime, seconds since 1970) and the
// number of online CPUs, which have one line each.
func parseStat(b []byte) (boot time.Time, cpus int, err error) {
	for line := range bytes.Lines(b) {
		switch {
		case len(line) > 3 && string(line[:3]) == "cpu" && line[3] >= '0' && line[3] <= '9':
			cpus++
		case bytes.HasPrefix(line, []byte("btime ")):
			n, err := strconv.ParseInt(string(bytes.TrimSpace(line[len("btime "):])), 10, 64)
			if err != nil || n < 0 || n > maxSeconds {
				return time.Time{}, 0, fmt.Errorf("bad time of boot in %.40q", line)
			}
			boot = time.Unix(n, 0).UTC()
		}
	}
	if boot.IsZero() || cpus == 0 {
		return time.Time{}, 0, errors.New("no cpu or no btime line")
	}
	return boot, cpus, nil
}

// maxSeconds is the last second that JSON can represent, the end of the year 9999.
const maxSeconds = 253402300799

// parseLoad parses /proc/loadavg, "0.17 0.06 0.01 1/90 5593": the averages, and the
// total number of threads.
func parseLoad(b []byte) (load [3]float64, threads int, err error) {
	words := bytes.Fields(b)
	if len(words) < 4 {
		return load, 0, fmt.Errorf("%.60q is not a load average", b)
	}
	for i := range load {
		load[i], err = strconv.ParseFloat(string(words[i]), 64)
		if err != nil || !(load[i] >= 0 && load[i] < 1e9) {
			return [3]float64{}, 0, fmt.Errorf("%.60q is not a load average", b)
		}
	}
	_, all, _ := bytes.Cut(words[3], []byte("/"))
	threads, err = strconv.Atoi(string(all))
	if err != nil || threads < 0 {
		return [3]float64{}, 0, fmt.Errorf("no count of threads in %.60q", b)
	}
	return load, threads, nil
}

// parseCount parses a file that contains one decimal number.
func parseCount(b []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a count", b)
	}
	return n, nil
}
