package kmsg

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTimeOfRecords: although the log's clock drifts, the time in the Batch is the
// wall time, and is never in the future.
func TestTimeOfRecords(t *testing.T) {
	for _, slow := range []time.Duration{-7 * second, -time.Millisecond, 0, time.Millisecond, 7 * second} {
		g := newRing()
		g.mono, g.slow = 1_000_000*second, slow
		r := g.open(Position{})
		next(t, r, 0)
		g.later = []event{{at: g.mono + second, text: "libceph: osd1 down"}, {at: g.mono + 5*second, text: "libceph: osd2 down"}}
		for i, want := range []time.Duration{g.later[0].at, g.later[1].at} {
			b := next(t, r, 10*second)
			if got := b.Counts[0].First; !got.Equal(g.wall.Add(want)) {
				t.Errorf("slow by %v: record %d: got %v, want %v", slow, i, got, g.wall.Add(want))
			}
		}
	}
}

// TestTimeAfterPause: a record that waited because it was not read keeps its time.
func TestTimeAfterPause(t *testing.T) {
	g := newRing()
	g.mono, g.slow = 1_000_000*second, 3*second
	r := g.open(Position{})
	next(t, r, 0)
	g.later = []event{{at: g.mono + second, text: "libceph: osd1 down"}}
	next(t, r, 10*second)
	g.mono += 10 * second
	logged := g.wall.Add(g.mono)
	g.log("libceph: osd2 down")
	g.mono += 40 * second
	if b := next(t, r, 0); !b.Counts[0].First.Equal(logged) {
		t.Errorf("got %v, want %v", b.Counts[0].First, logged)
	}
}

// TestTimeAfterOverrun: a record that already existed when the reader read again
// after an overrun does not update the skew.
func TestTimeAfterOverrun(t *testing.T) {
	g := newRing()
	g.mono = 1000 * second
	r := g.open(Position{})
	next(t, r, 0)
	logged := g.wall.Add(g.mono)
	g.log("libceph: osd1 down")
	g.mono += 40 * second
	g.errs = []error{unix.EAGAIN, unix.EPIPE}
	if b := next(t, r, second); !b.Counts[0].First.Equal(logged) {
		t.Errorf("got %v, want %v", b.Counts[0].First, logged)
	}
}

// TestTimeNotOfTheFuture: if the log's clock is ahead, not even history has times in
// the future.
func TestTimeNotOfTheFuture(t *testing.T) {
	g := newRing()
	g.mono, g.slow = 1000*second, -7*second
	g.log("libceph: osd1 down")
	g.mono += second
	b := next(t, g.open(Position{}), 0)
	if now := g.wall.Add(g.mono); b.Counts[0].First.After(now) {
		t.Errorf("got %v at %v", b.Counts[0].First, now)
	}
}

// TestTimeIsUTC: recorded times must not depend on the node's time zone.
func TestTimeIsUTC(t *testing.T) {
	g := newRing().at(second, "libceph: osd1 down")
	g.wall = g.wall.In(time.FixedZone("elsewhere", 3600))
	if at := next(t, g.open(Position{}), 0).Counts[0].First; at.Location() != time.UTC {
		t.Errorf("got %v", at)
	}
}

// TestWallClockSet: after the wall clock is set, the next Batch uses the new time.
func TestWallClockSet(t *testing.T) {
	g := newRing()
	g.mono = 1000 * second
	r := g.open(Position{})
	next(t, r, 0)
	g.wall = g.wall.Add(time.Hour)
	g.later = []event{{at: g.mono + second, text: "libceph: osd1 down"}}
	want := g.wall.Add(g.later[0].at)
	if b := next(t, r, 10*second); !b.Counts[0].First.Equal(want) {
		t.Errorf("got %v, want %v", b.Counts[0].First, want)
	}
}

func TestSkew(t *testing.T) {
	var s skew
	if got := s.least(); got != 0 {
		t.Errorf("got %v before anything was seen", got)
	}
	for _, step := range []struct{ received, late, want time.Duration }{
		{100 * second, 5 * second, 5 * second},
		{101 * second, 3 * second, 3 * second},
		{102 * second, 9 * second, 3 * second},           // was not received at once
		{102*second + skewAge, 4 * second, 3 * second},   // the previous period still counts
		{104*second + 2*skewAge, 4 * second, 4 * second}, // and no longer counts
		{105*second + 2*skewAge, -2 * second, -2 * second},
	} {
		s.observe(step.received, step.received-step.late)
		if got := s.least(); got != step.want {
			t.Errorf("after %v late at %v: got %v, want %v", step.late, step.received, got, step.want)
		}
	}
}

func TestMonotonic(t *testing.T) {
	a := monotonic()
	if b := monotonic(); a <= 0 || b < a {
		t.Errorf("got %v, then %v", a, b)
	}
}
