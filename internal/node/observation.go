package node

import "time"

// An Observation is one thing a source saw, as plain data. Applying it gives the
// Snapshot that knows it; the Snapshot it is applied to is not changed.
type Observation interface{ Apply(Snapshot) Snapshot }

// An Entry is one thing that happened: an observation or, where there is none,
// the time to judge.
type Entry struct {
	At  time.Time
	Saw string // the name of the observation, as in NewObservation; empty with no Obs
	Obs Observation
}

// Take returns the snapshot that knows the entry.
func (s Snapshot) Take(e Entry) Snapshot {
	s.Now = e.At
	if e.Obs == nil {
		return s
	}
	return e.Obs.Apply(s)
}
