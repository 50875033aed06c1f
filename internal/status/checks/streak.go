package checks

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// The reasons of a check's state.
const (
	Failed      = "check_failed"
	NoPackets   = "no_packets"          // "No packets returned by host"
	Certificate = "certificate_expires" // sooner than the configuration allows
	CannotCheck = "cannot_check"        // the hub cannot run the check
)

// A Result is what one run of a check says.
type Result struct {
	State   report.Impact
	Reason  string    // empty: it is operational
	Detail  string    // for operators: what went wrong
	Expires time.Time // of the certificate; zero: there is none
}

// kind is what results are counted by: twice in a row it changes the state.
func (r Result) kind() int {
	switch {
	case r.State == report.Operational:
		return good
	case r.State == report.Unknown:
		return blind
	}
	return bad
}

const (
	good = iota + 1
	bad
	blind
)

// confirm is how many results in a row change the state.
const confirm = 2

// A streak is the state of a check. It changes when two results in a row say so, and
// from the first of them on. A check that cannot run is unknown at once: not seeing is
// neither good nor bad.
type streak struct {
	now   Result // the state; its State is empty before the first
	since time.Time
	first time.Time // of the results in a row that differ from it
	kind  int       // their kind
	n     int
}

// add counts a result.
func (s *streak) add(r Result, at time.Time) {
	if r.State == s.now.State {
		s.now, s.n = r, 0
		return
	}
	if r.kind() == blind {
		s.now, s.since, s.n = r, at, 0
		return
	}
	if s.n == 0 || s.kind != r.kind() {
		s.kind, s.first, s.n = r.kind(), at, 0
	}
	if s.n++; s.n >= confirm {
		s.now, s.since, s.n = r, s.first, 0
	}
}
