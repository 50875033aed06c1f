// Package uptime computes states over time: timelines, their sums, days in a time
// zone, and uptime. It reads no clock.
package uptime

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Change begins a state, which lasts until the next Change of the same signal.
type Change struct {
	At         time.Time
	State      report.Impact
	Reason     string // machine-readable: a rule, no_report, hub_gap, maintenance; empty: none
	Backfilled bool   // recorded after the fact
}

// A Timeline is the sequence of states of one signal. At is strictly increasing. The
// time before its first Change has no record and does not count.
type Timeline []Change

// An Interval is a time in one state, From included, To not.
type Interval struct {
	From, To   time.Time
	State      report.Impact
	Reason     string
	Backfilled bool
}

// Length returns the duration of the interval.
func (i Interval) Length() time.Duration { return i.To.Sub(i.From) }

// At returns the change that is in force at the time; false: there is no record yet.
func (t Timeline) At(at time.Time) (Change, bool) {
	i, found := t.search(at)
	switch {
	case found:
		return t[i], true
	case i == 0:
		return Change{}, false
	}
	return t[i-1], true
}

// Between returns the record between two times, without gaps from its first change
// on.
func (t Timeline) Between(from, to time.Time) []Interval {
	var list []Interval
	for i, c := range t {
		end := to
		if i+1 < len(t) && t[i+1].At.Before(to) {
			end = t[i+1].At
		}
		begin := c.At
		if begin.Before(from) {
			begin = from
		}
		if begin.Before(end) {
			list = append(list, Interval{From: begin, To: end, State: c.State, Reason: c.Reason, Backfilled: c.Backfilled})
		}
	}
	return list
}
