package node

import "time"

// An Observation is one observation of a source, as plain data. Apply returns a
// Snapshot that includes it, without changing the original Snapshot.
type Observation interface{ Apply(Snapshot) Snapshot }

// An Entry is one event of the input: an observation or, without one, a tick.
type Entry struct {
	At  time.Time
	Saw string // name of the observation, as in NewObservation; empty without Obs
	Obs Observation
}

// Take returns the snapshot with the entry applied.
func (s Snapshot) Take(e Entry) Snapshot {
	s.Now = e.At
	if e.Obs == nil {
		return s
	}
	return e.Obs.Apply(s)
}
