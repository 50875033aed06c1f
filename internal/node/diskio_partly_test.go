package node

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// Counters that could not be parsed are 0: they count as neither a reset nor a
// completion.
func TestIOThatCouldNotBeUnderstoodChangesNothing(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	saw := func(second int, io rbd.IO) Entry {
		now := at.Add(time.Duration(second) * time.Second)
		return Entry{At: now, Obs: SawIO{Reading: Reading[[]rbd.IO]{At: now, Value: []rbd.IO{io}}}}
	}
	s := Snapshot{}.
		Take(saw(0, rbd.IO{Device: "rbd0", Reads: 100, InFlightR: 4})).
		Take(saw(5, rbd.IO{Device: "rbd0", Reads: 100, InFlightR: 4})).
		Take(saw(6, rbd.IO{Device: "rbd0", Partly: "stat has 3 fields"}))
	if d, found := s.DiskIO("rbd0"); !found || d.StalledFor() != 5*time.Second || d.Last.InFlightR != 4 {
		t.Errorf("got %+v, want what was known before", d)
	}
	if s = s.Take(saw(7, rbd.IO{Device: "rbd1", Partly: "stat has 3 fields"})); len(s.IO) != 0 {
		t.Errorf("got %+v of a device nothing is known of", s.IO)
	}
}
