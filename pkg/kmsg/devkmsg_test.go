package kmsg

import (
	"fmt"
	"os"
	"testing"
	"time"
)

const devKmsg = "/dev/kmsg"

// writeKmsg logs one line. Each write has a file of its own, for the kernel
// takes ten in five seconds from one; without its newline the line would stay
// unseen until the next.
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

// TestRealKernelLog: lines written to the real log come back, once, as news of
// their time; what was there before is history; a second run goes on where the
// first ended.
func TestRealKernelLog(t *testing.T) {
	open := func(from Position) *Reader {
		t.Helper()
		r, err := Open(devKmsg, thisBoot, from, Clock{Now: time.Now})
		if err != nil {
			t.Skipf("cannot read the kernel log: %v", err)
		}
		t.Cleanup(func() { r.Close() })
		r.AnyFacility = true
		return r
	}
	// Peers that no cluster has, and no other run of this test.
	mark := fmt.Sprint(time.Now().UnixNano())
	line := func(n int) string {
		return fmt.Sprintf("libceph: osd%s%d (1)192.0.2.5:6801 bad crc/signature", mark[6:], n)
	}
	of := func(b Batch, n int) (uint64, time.Time) {
		for _, c := range b.Counts {
			if c.Peer == fmt.Sprintf("osd%s%d", mark[6:], n) && c.Class == CRC {
				return c.N, c.First
			}
		}
		return 0, time.Time{}
	}

	writeKmsg(t, line(1))
	r := open(Position{})
	b := next(t, r, time.Minute)
	if n, _ := of(b, 1); n != 1 || !b.History {
		t.Fatalf("got %d (history %v), want the line as history", n, b.History)
	}

	before := time.Now()
	for range 3 {
		writeKmsg(t, "libceph: bad data crc, calculated 1, expected 2")
		writeKmsg(t, line(2))
	}
	var news uint64
	for range 100 { // what others log may come between
		b = next(t, r, time.Second)
		n, at := of(b, 2)
		if n > 0 && (b.History || at.Before(before.Add(-time.Second)) || at.After(time.Now())) {
			t.Errorf("got it at %v (history %v), want a time since %v", at, b.History, before)
		}
		if news += n; news == 3 {
			break
		}
	}
	if news != 3 {
		t.Fatalf("got %d of three lines", news)
	}

	writeKmsg(t, line(3))
	second := open(r.Position())
	b = next(t, second, time.Minute)
	if one, _ := of(b, 1); !b.History || one != 1 {
		t.Errorf("got %d (history %v), want what the first run saw as history", one, b.History)
	}
	b = next(t, second, time.Minute)
	one, _ := of(b, 1)
	three, _ := of(b, 3)
	if b.History || one != 0 || three != 1 {
		t.Errorf("got %d and %d (history %v), want only what came after the first run", one, three, b.History)
	}
}
