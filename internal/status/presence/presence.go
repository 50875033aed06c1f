// Package presence is what follows from a node's reports and from their absence:
// which changes of state a report means, when a node is late or silent, and how
// the record is corrected once the node is heard from again. It reads no clock.
package presence

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// trustedSkew is how far a node's clock may be off before its times are corrected.
const trustedSkew = 5 * time.Second

// longestHold is how long a rule may hold a finding back: so much earlier than the
// previous report a state may have begun.
const longestHold = 10 * time.Minute

// A Before is what is known of a node when its next report arrives.
type Before struct {
	Arrived time.Time                // of the previous report, by the hub's clock; zero: it is the first
	States  map[string]uptime.Change // of its components, as recorded last
}

// A Rewrite replaces the record of one component from a time on.
type Rewrite struct {
	Component string
	From      time.Time
	Changes   uptime.Timeline // all at or after From; empty: the state before From goes on
}

// Skew is how far the node's clock is ahead of the hub's, transport included.
func Skew(b native.Body, arrived time.Time) time.Duration { return b.SentAt.Sub(arrived) }

// Rewrites are the changes of the record that a report means.
func Rewrites(before Before, b native.Body, arrived time.Time) []Rewrite {
	var list []Rewrite
	for _, c := range b.Components {
		was, known := before.States[c.ID]
		if known && was.State == c.Status && was.Reason == c.Reason {
			continue
		}
		at := arrived
		if known {
			at = corrected(c.Since, Skew(b, arrived), before.Arrived, arrived)
		}
		if known && at.Before(was.At) && was.State == c.Status {
			at = was.At // only the reason is another
		}
		list = append(list, Rewrite{Component: c.ID, From: at, Changes: uptime.Timeline{{At: at, State: c.Status, Reason: c.Reason}}})
	}
	for id, was := range before.States { // what is no longer reported is no longer known
		if was.State != report.Unknown && !reported(b, id) {
			list = append(list, Rewrite{Component: id, From: arrived, Changes: uptime.Timeline{{At: arrived, State: report.Unknown, Reason: NotReported}}})
		}
	}
	return list
}

// NotReported is the reason of a component that its node no longer lists.
const NotReported = "not_reported"

func reported(b native.Body, id string) bool {
	for _, c := range b.Components {
		if c.ID == id {
			return true
		}
	}
	return b.Final != nil && len(b.Components) == 0 // a shutdown keeps the last state
}

// corrected is a time of the node's clock by the hub's, between the previous report
// and now. Where the clocks agree, a state may have begun before the previous
// report, as rules hold findings back until they are sure.
func corrected(at time.Time, skew time.Duration, previous, now time.Time) time.Time {
	earliest := previous.Add(-longestHold)
	if skew.Abs() > trustedSkew {
		at, earliest = at.Add(-skew), previous
	}
	switch {
	case at.Before(earliest):
		return earliest
	case at.After(now):
		return now
	}
	return at
}
