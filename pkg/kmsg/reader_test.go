package kmsg

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	thisBoot = "33b862db-5e43-43fb-927c-e4b2e2132a65"
	lastBoot = "1ed285e0-bd36-4937-929c-037ac0c4c3ea"
	second   = time.Second
)

func (g *ring) open(from Position) *Reader {
	return newReader(g, thisBoot, from, g.clock())
}

func next(t *testing.T, r *Reader, wait time.Duration) Batch {
	t.Helper()
	b, err := r.Next(wait)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// osds returns the peers of b's Counts, in their order.
func osds(b Batch) string {
	var names []string
	for _, c := range b.Counts {
		names = append(names, c.Peer)
	}
	return strings.Join(names, " ")
}

func check(t *testing.T, what string, b Batch, history bool, peers string, lost uint64) {
	t.Helper()
	if b.History != history || osds(b) != peers || b.Lost != lost {
		t.Errorf("%s: got %q (history %v, lost %d), want %q (history %v, lost %d)", what, osds(b), b.History, b.Lost, peers, history, lost)
	}
}

func TestHistoryBeforeStart(t *testing.T) {
	g := newRing().at(10*second, "libceph: osd1 down").at(20*second, "libceph: osd2 down")
	g.mono = 100 * second
	r := g.open(Position{})
	g.at(101*second, "libceph: osd3 down").at(102*second, "libceph: osd4 down")
	b := next(t, r, second)
	check(t, "first", b, true, "osd1 osd2", 0)
	if want := bootTime.Add(20 * second); !b.Counts[1].First.Equal(want) {
		t.Errorf("got %v, want %v", b.Counts[1].First, want)
	}
	check(t, "second", next(t, r, second), false, "osd3 osd4", 0)
	g.later = []event{{at: 103 * second, text: "libceph: osd5 down"}}
	check(t, "third", next(t, r, 10*second), false, "osd5", 0)
}

// TestNoHistoryOnceDrained: a record is news although the log's clock is far behind
// and dates it before the start.
func TestNoHistoryOnceDrained(t *testing.T) {
	g := newRing().at(10*second, "libceph: osd1 down")
	g.mono, g.slow = 100*second, 5*second
	r := g.open(Position{})
	check(t, "first", next(t, r, second), true, "osd1", 0)
	if g.mono != 100*second {
		t.Errorf("waited %v for more history", g.mono-100*second)
	}
	g.at(102*second, "libceph: osd2 down") // its timestamp is 97 s
	check(t, "second", next(t, r, second), false, "osd2", 0)
}

// TestExpiredDeadlineIsNotTheEnd: a reader that was scheduled too late has not seen
// the end of the history.
func TestExpiredDeadlineIsNotTheEnd(t *testing.T) {
	g := newRing().at(10*second, "libceph: osd1 down")
	g.mono = 100 * second
	r := g.open(Position{})
	g.errs = []error{os.ErrDeadlineExceeded, os.ErrDeadlineExceeded}
	check(t, "late", next(t, r, second), false, "", 0)
	check(t, "in time", next(t, r, second), true, "osd1", 0)
}

func TestResume(t *testing.T) {
	g := newRing().at(10*second, "libceph: osd1 down").at(20*second, "libceph: osd2 down")
	g.mono = 30 * second
	r := g.open(Position{})
	next(t, r, second)
	g.at(40*second, "libceph: osd3 down")
	next(t, r, second)
	from := r.Position()
	if want := (Position{thisBoot, 2}); from != want {
		t.Fatalf("got %v, want %v", from, want)
	}
	g.at(50*second, "libceph: osd4 down").at(60*second, "libceph: osd5 down")
	g.mono = 100 * second
	r = g.reopened().open(from)
	check(t, "dealt with", next(t, r, second), true, "osd1 osd2 osd3", 0)
	b := next(t, r, second)
	check(t, "while away", b, false, "osd4 osd5", 0)
	if want := bootTime.Add(50 * second); !b.Counts[0].First.Equal(want) {
		t.Errorf("got %v, want %v", b.Counts[0].First, want)
	}
}

func TestResumeOverwritten(t *testing.T) {
	g := newRing()
	g.capacity = 3
	for i := range 10 {
		g.at(time.Duration(i)*second, "libceph: osd1 down")
	}
	g.mono = 100 * second
	b := next(t, g.reopened().open(Position{thisBoot, 4}), second)
	check(t, "after a gap", b, false, "osd1 osd1 osd1", 2) // 5 and 6
	b = next(t, g.reopened().open(Position{}), second)
	check(t, "without a position", b, true, "osd1 osd1 osd1", 0)
}

func TestResumeOnAnotherBoot(t *testing.T) {
	g := newRing().at(10*second, "libceph: osd1 down")
	g.mono = 100 * second
	r := g.open(Position{lastBoot, 0})
	check(t, "another boot", next(t, r, second), true, "osd1", 0)
	g.at(101*second, "libceph: osd2 down")
	g.mono = 200 * second
	r = newReader(g.reopened(), "", Position{"", 0}, g.clock())
	check(t, "no boot id", next(t, r, second), true, "osd1 osd2", 0)
}

// TestResumeFromTheFuture: an impossible position does not hide the log.
func TestResumeFromTheFuture(t *testing.T) {
	g := newRing().at(10*second, "libceph: osd1 down")
	g.mono = 100 * second
	r := g.open(Position{thisBoot, 1 << 40})
	check(t, "first", next(t, r, second), true, "osd1", 0)
	g.at(102*second, "libceph: osd2 down")
	check(t, "second", next(t, r, second), false, "osd2", 0)
}

// TestRestartInMidStorm: the runs before and after a restart together report the same
// as a single run.
func TestRestartInMidStorm(t *testing.T) {
	for cut := 0; cut <= 300; cut += 25 {
		g := newRing()
		g.mono = 100 * second
		r := g.open(Position{})
		next(t, r, 0)
		var crc uint64
		read := func() {
			for _, c := range next(t, r, 0).news() {
				crc += c.N
			}
		}
		for i := range 300 {
			if i == cut {
				read()
				from := r.Position()
				g.mono += 3 * second
				r = g.reopened().open(from)
			}
			g.at(g.mono+7*time.Millisecond, []string{
				"libceph: bad data crc, calculated 1, expected 2",
				"libceph: osd1 (2)192.0.2.5:6801 integrity error, bad crc",
			}[i%2])
		}
		read()
		read()
		if crc != 150 {
			t.Errorf("restart after %d records: got %d faults, want 150", cut, crc)
		}
	}
}

// news returns the Counts of a live Batch.
func (b Batch) news() []Count {
	if b.History {
		return nil
	}
	return b.Counts
}

func TestWait(t *testing.T) {
	g := newRing()
	g.mono = 100 * second
	r := g.open(Position{})
	if got := r.Position(); got != (Position{}) {
		t.Errorf("got %v, want no position", got)
	}
	if b := next(t, r, 10*second); !b.empty() || g.mono != 110*second {
		t.Errorf("got %+v after %v, want nothing after 10 s", b, g.mono-100*second)
	}
	g.later = []event{{at: 112 * second, text: "libceph: osd1 down"}, {at: 113 * second, text: "libceph: osd2 down"}}
	check(t, "one", next(t, r, 10*second), false, "osd1", 0)
	if g.mono != 112*second+gather {
		t.Errorf("came back after %v, want 2.25 s", g.mono-110*second)
	}
	check(t, "another", next(t, r, 10*second), false, "osd2", 0)
}

// TestGather: lines that arrive one by one make one Batch, which waits only for a
// moment.
func TestGather(t *testing.T) {
	g := newRing()
	g.mono = 100 * second
	r := g.open(Position{})
	for i := range 125 {
		g.later = append(g.later, event{at: 110*second + time.Duration(i)*10*time.Millisecond, text: "libceph: osd1 down"})
	}
	for i, want := range []uint64{26, 26, 26, 26, 21, 0} { // the last one is included
		if b := next(t, r, 10*second); b.Records != want {
			t.Errorf("Batch %d: got %d records, want %d", i, b.Records, want)
		}
	}
}

func TestTooLong(t *testing.T) {
	g := newRing()
	g.put([]byte("6,0,0,-;" + strings.Repeat("x", bufferSize) + "\n"))
	g.at(second, "libceph: osd1 down")
	g.put([]byte("6,2,0,-;" + strings.Repeat("x", bufferSize) + "\n"))
	g.at(second, "libceph: osd2 down")
	g.mono = 100 * second
	check(t, "too long", next(t, g.open(Position{}), second), true, "osd1 osd2", 2)
}

func TestMalformed(t *testing.T) {
	g := newRing()
	g.mono = 100 * second
	r := g.open(Position{})
	g.log("libceph: osd1 down")
	g.put([]byte("what is this\n"))
	g.at(101*second, "libceph: osd2 down")
	b := next(t, r, second)
	check(t, "malformed", b, false, "osd1 osd2", 0)
	if b.Malformed != 1 || b.Records != 2 {
		t.Errorf("got %+v, want one malformed and two records", b)
	}
}

func TestBounds(t *testing.T) {
	g := newRing()
	g.mono = 100 * second
	r := g.open(Position{})
	for range maxReads + 10 {
		g.log("anything")
	}
	if b := next(t, r, second); b.Records != maxReads {
		t.Errorf("got %d records, want %d", b.Records, maxReads)
	}
	if b := next(t, r, second); b.Records != 10 {
		t.Errorf("got %d records, want the 10 that were left", b.Records)
	}
	g.onRead = func(g *ring) { // a read takes a millisecond, and there is always another record
		g.mono += time.Millisecond
		g.log("anything")
	}
	before := g.mono
	if b := next(t, r, second); b.Records == 0 || g.mono-before > budget+budgetAt*time.Millisecond {
		t.Errorf("got %d records after %v, want an end within the budget", b.Records, g.mono-before)
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	g := newRing()
	g.mono = 100 * second
	r := g.open(Position{})
	g.log("libceph: osd1 down")
	g.onRead = func(g *ring) {
		if len(g.handed) == 1 {
			g.errs = []error{broken}
		}
	}
	check(t, "before it broke", next(t, r, second), false, "osd1", 0)
	for range 2 {
		if _, err := r.Next(second); !errors.Is(err, broken) {
			t.Errorf("got %v, want what broke", err)
		}
	}
	g = newRing()
	g.errs = []error{nil}
	if _, err := g.open(Position{}).Next(second); !errors.Is(err, io.EOF) {
		t.Errorf("got %v from a file that ends, want EOF", err)
	}
	r = newRing().open(Position{})
	r.Close()
	if _, err := r.Next(second); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want closed", err)
	}
}

func TestInterrupted(t *testing.T) {
	g := newRing()
	g.mono = 100 * second
	r := g.open(Position{})
	next(t, r, 0)
	g.log("libceph: osd1 down")
	g.errs = []error{unix.EPIPE, unix.EINVAL, unix.EPIPE}
	check(t, "after troubles", next(t, r, second), false, "osd1", 1) // the EINVAL was for the very first record
}

// TestReasonAcrossBatches: the line with the reason is the last of one Batch, the
// fault is the first of the next.
func TestReasonAcrossBatches(t *testing.T) {
	g := newRing()
	g.mono = 100 * second
	r := g.open(Position{})
	next(t, r, 0)
	g.log("libceph: bad front crc, calculated 1, expected 2")
	if b := next(t, r, 0); len(b.Counts) != 0 || b.Records != 1 {
		t.Errorf("got %+v, want a record and no event", b)
	}
	g.log("libceph: osd1 (2)192.0.2.5:6801 integrity error, bad crc")
	b := next(t, r, 0)
	if len(b.Counts) != 1 || b.Counts[0].Detail != "front" || b.Counts[0].Text != "libceph: bad front crc, calculated 1, expected 2" {
		t.Errorf("got %+v, want the front CRC of osd1", b.Counts)
	}
}

func TestReaderFacility(t *testing.T) {
	g := newRing()
	g.mono = 100 * second
	r := g.open(Position{})
	forged := func() {
		g.put(encode(record{Facility: 1, Level: 3, Seq: g.end(), Stamp: g.mono, Text: "libceph: osd1 down"}))
	}
	forged()
	if b := next(t, r, 0); len(b.Counts) != 0 || b.Foreign != 1 || b.Records != 0 {
		t.Errorf("got %+v, want one foreign record", b)
	}
	r.AnyFacility = true
	forged()
	if b := next(t, r, 0); len(b.Counts) != 1 || b.Foreign != 0 || b.Records != 1 {
		t.Errorf("got %+v, want it believed", b)
	}
}
