package host

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"
)

// parsePressure parses a file of /proc/pressure (Documentation/accounting/psi.rst):
//
//	some avg10=0.06 avg60=0.04 avg300=0.00 total=882421
//	full avg10=0.06 avg60=0.04 avg300=0.00 total=732772
//
// The averages are in percent, the totals in microseconds. The cpu file has no full
// line before Linux 5.13.
func parsePressure(b []byte) (*Pressure, error) {
	var p Pressure
	some := false
	for line := range bytes.Lines(b) {
		words := bytes.Fields(line)
		if len(words) == 0 {
			continue
		}
		var err error
		switch string(words[0]) {
		case "some":
			some = true
			p.Some10, p.Some60, p.SomeTotal, err = parseStall(words[1:])
		case "full":
			p.Full10, p.Full60, p.FullTotal, err = parseStall(words[1:])
		}
		if err != nil {
			return nil, err
		}
	}
	if !some {
		return nil, fmt.Errorf("no some line in %.40q", b)
	}
	return &p, nil
}

// parseStall parses the words after some or full. It ignores unknown words.
func parseStall(words [][]byte) (avg10, avg60 float64, total time.Duration, err error) {
	seen := 0
	for _, word := range words {
		name, value, _ := bytes.Cut(word, []byte("="))
		switch string(name) {
		case "avg10":
			avg10, err = parsePercent(value)
		case "avg60":
			avg60, err = parsePercent(value)
		case "total":
			total, err = parseMicroseconds(value)
		default:
			continue
		}
		if err != nil {
			return 0, 0, 0, err
		}
		seen++
	}
	if seen != 3 {
		return 0, 0, 0, fmt.Errorf("%d of avg10, avg60 and total in %.80q", seen, words)
	}
	return avg10, avg60, total, nil
}

func parsePercent(b []byte) (float64, error) {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f >= 0 && f <= 100) {
		return 0, fmt.Errorf("%.40q is not a percentage", b)
	}
	return f, nil
}

func parseMicroseconds(b []byte) (time.Duration, error) {
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil || n > math.MaxInt64/uint64(time.Microsecond) {
		return 0, fmt.Errorf("%.40q is not a number of microseconds", b)
	}
	return time.Duration(n) * time.Microsecond, nil
}
