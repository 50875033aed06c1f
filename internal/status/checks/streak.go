package checks

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// The reasons of a check's state.
const (
	Failed      = "check_failed"
	NoPackets   = "no_packets"          // the hub's ping got no reply
	Certificate = "certificate_expires" // expires sooner than the configuration allows
	CannotCheck = "cannot_check"        // the hub cannot run the check
)

// A Result is the result of one run of a check.
type Result struct {
	State   report.Impact
	Reason  string    // empty: operational
	Detail  string    // details of a failure, for operators
	Expires time.Time // expiry of the certificate; zero: there is none
}

// kind returns the class of a result: two consecutive results of a class change the
// state.
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

// confirm is the number of consecutive results that change the state.
const confirm = 2

// A streak is the state of a check. Two consecutive results change it, from the first
// of them on. A check that cannot run is unknown at once: a missing observation is
// neither good nor bad.
type streak struct {
	now   Result // the state; its State is empty before the first result
	since time.Time
	first time.Time // when the consecutive results that differ from now began
	kind  int       // their kind
	n     int
}

// add adds a result.
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
