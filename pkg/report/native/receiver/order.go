package receiver

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// A Last is the part of a node's latest report that is needed to check the order of
// the next one.
type Last struct {
	Boot    string // the kernel's boot id; empty while unknown
	Started time.Time
	Seq     uint64
	Arrived time.Time // by the receiver's clock
	TTL     time.Duration
	Final   bool
}

// LastOf returns the Last of a report that arrived at the given time.
func LastOf(b native.Body, arrived time.Time) Last {
	return Last{Boot: b.Agent.Boot, Started: b.Agent.Started, Seq: b.Seq, Arrived: arrived, TTL: time.Duration(b.TTL) * time.Second,
		Final: b.Final != nil}
}

// Conflict returns why a report that arrives now does not follow the latest one; nil
// if it does.
func (l Last) Conflict(b native.Body, now time.Time) *native.Refusal {
	sameRun := b.Agent.Started.Equal(l.Started)
	sameBoot := b.Agent.Boot != "" && b.Agent.Boot == l.Boot
	if sameRun || sameBoot {
		if b.Seq > l.Seq {
			return nil
		}
		return &native.Refusal{Error: "a newer report has been accepted", Reason: native.OldSeq, Accepted: l.Seq}
	}
	dead := l.Final || now.Sub(l.Arrived) > l.TTL
	if dead || b.Agent.Started.After(l.Started) {
		return nil
	}
	return &native.Refusal{Error: "another agent, started later, reports this node", Reason: native.OtherInstance}
}
