package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A floodLog is this machine's kernel log, read in parallel with the daemon.
type floodLog struct {
	fd      int
	last    uint64 // sequence number of the latest record
	runtime string // the daemon's runtime directory
}

// openFloodLog opens the log exclusively for this test, or skips the test.
func openFloodLog(t testing.TB) *floodLog {
	t.Helper()
	lines, err := newKernelLines()
	if err != nil {
		t.Skipf("skipped: /dev/kmsg cannot be written to, as by root outside a container: %v", err)
	}
	lines.close()
	l := &floodLog{runtime: t.TempDir()}
	if l.fd, err = unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != nil {
		t.Skipf("skipped: /dev/kmsg cannot be read: %v", err)
	}
	t.Cleanup(func() { unix.Close(l.fd) })
	if err := unix.Flock(l.fd, unix.LOCK_EX); err != nil { // excludes pkg/kmsg's tests, which search for lines that they wrote
		t.Fatal(err)
	}
	return l
}

// news reads all new records, and reports whether there were any.
func (l *floodLog) news(t testing.TB) (any bool) {
	t.Helper()
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Read(l.fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return any
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			t.Fatal(err)
		}
		fields := strings.SplitN(string(buf[:n]), ",", 3) // the priority, the sequence number, the rest
		if l.last, err = strconv.ParseUint(fields[min(1, len(fields)-1)], 10, 64); err != nil {
			t.Fatal(err)
		}
		any = true
	}
}

// wait waits until that many more records have been logged.
func (l *floodLog) wait(t testing.TB, more uint64) {
	t.Helper()
	for end := l.last + more; l.last < end; l.news(t) {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}, -1)
	}
}

// A logState contains the daemon's counters once it has read everything up to seq.
type logState struct{ seq, records, lost, faults uint64 }

// quietWithin is the time within which no other process must log for two seconds.
const quietWithin = 20 * time.Second

// settled waits until the daemon has read the log to its end, according to its saved
// position, and has judged afterwards.
func (l *floodLog) settled(t testing.TB, d *child) logState {
	t.Helper()
	for tick, end := time.Tick(50*time.Millisecond), time.After(quietWithin); ; {
		select {
		case <-tick:
		case <-end:
			t.Skip("skipped: others log all the time, so that no two counts can be compared")
		}
		l.news(t)
		if p, err := loadPosition(l.runtime); err != nil || p.Seq != l.last {
			continue
		}
		d.waitForVerdict(t)
		if text := string(d.get(t, "/metrics")); !l.news(t) {
			return logState{l.last, counterOf(t, text, "nodewatch_kmsg_records_total"),
				counterOf(t, text, "nodewatch_kmsg_lost_records_total"),
				counterOf(t, text, `nodewatch_kmsg_events_total{class="crc-fault"}`)}
		}
	}
}

var verdictAt = regexp.MustCompile(`"at":\s*"([^"]+)"`)

// waitForVerdict waits for the second verdict from now on, which includes everything
// read before.
func (d *child) waitForVerdict(t testing.TB) {
	t.Helper()
	seen := map[string]bool{}
	for range time.Tick(50 * time.Millisecond) {
		at := verdictAt.FindSubmatch(d.get(t, "/api/v1/report"))
		if at == nil {
			t.Fatal("the report has no time")
		}
		if seen[string(at[1])] = true; len(seen) > 2 {
			return
		}
	}
}

// counterOf returns the value of a counter in the text of /metrics.
func counterOf(t testing.TB, text, name string) uint64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s", name)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(v)
}
