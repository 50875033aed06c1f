package kmsg

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const devKmsg = "/dev/kmsg"

// writeKmsg logs one line. It opens the file for each write because the kernel
// accepts ten lines in five seconds per open file. Without its newline the line would
// stay invisible until the next one.
func writeKmsg(t *testing.T, text string) {
	t.Helper()
	f, err := os.OpenFile(devKmsg, os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("cannot write to the kernel log: %v", err)
	}
	defer f.Close()
	if _, err := f.WriteString("<4>" + text + "\n"); err != nil {
		t.Skipf("cannot write to the kernel log: %v", err)
	}
}

// A sighting records how often each of the test's lines was read.
type sighting struct {
	mark          string
	history, news map[int]uint64
	at            time.Time // position of the latest line
}

// watch reads until line n has been seen often enough. Lines of other processes may
// arrive meanwhile, in any number of Batches.
func (s *sighting) watch(t *testing.T, r *Reader, n int, often uint64) {
	t.Helper()
	for range 100 {
		b := next(t, r, time.Second)
		for _, c := range b.Counts {
			for i := range 4 {
				switch {
				case c.Class != CRC || c.Peer != fmt.Sprint("osd", s.mark, i):
				case b.History:
					s.history[i] += c.N
				default:
					s.news[i] += c.N
					s.at = c.First
				}
			}
		}
		if s.history[n]+s.news[n] >= often {
			return
		}
	}
	t.Fatalf("got %+v, want line %d %d times", s, n, often)
}

func openReal(t *testing.T, from Position) *Reader {
	t.Helper()
	r, err := Open(devKmsg, thisBoot, from, Clock{Now: time.Now})
	if err != nil {
		t.Skipf("cannot read the kernel log: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	r.AnyFacility = true
	return r
}

// undisturbed keeps the test from running at the same time as one that floods the log
// and so overwrites every record. That test holds a lock on the device.
func undisturbed(t *testing.T) {
	t.Helper()
	f, err := os.Open(devKmsg)
	if err != nil {
		t.Skipf("cannot read the kernel log: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
}

// TestRealKernelLog: lines written to the real log are read back once, as news with
// their time; a second run continues where the first ended.
func TestRealKernelLog(t *testing.T) {
	undisturbed(t)
	mark := fmt.Sprint(time.Now().UnixNano())[6:] // an OSD number that neither a cluster nor another run of this test uses
	line := func(n int) string {
		return fmt.Sprintf("libceph: osd%s%d (1)192.0.2.5:6801 bad crc/signature", mark, n)
	}
	saw := func() *sighting { return &sighting{mark, make(map[int]uint64), make(map[int]uint64), time.Time{}} }

	writeKmsg(t, line(1))
	r, first := openReal(t, Position{}), saw()
	first.watch(t, r, 1, 1)
	before := time.Now()
	for range 3 {
		writeKmsg(t, "libceph: bad data crc, calculated 1, expected 2")
		writeKmsg(t, line(2))
	}
	first.watch(t, r, 2, 3)
	if first.news[2] != 3 || first.history[1]+first.news[1] != 1 {
		t.Errorf("got %+v, want line 1 once and line 2 as news", first)
	}
	if first.at.Before(before.Add(-time.Second)) || first.at.After(time.Now()) {
		t.Errorf("got it at %v, want a time since %v", first.at, before)
	}

	writeKmsg(t, line(3))
	again := saw()
	again.watch(t, openReal(t, r.Position()), 3, 1)
	if again.news[1]+again.news[2] != 0 || again.news[3] != 1 || again.history[2] != 3 {
		t.Errorf("got %+v, want only line 3 as news", again)
	}
}
