package uptime

import (
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Policy defines how the state of a group follows from its members.
type Policy struct {
	Kind string // worst (also empty), redundant, quorum, percent
	N    int    // quorum: number of members that must work; percent: their percentage
}

// State returns the state of a group from the states of its members at one time; the
// zero Change for no members. It is the state of the worst member, or, if only some
// must work, of the last one that is needed, best first. A member under maintenance
// does not work; maintenance is the reason only if the group would work with that
// member.
func (p Policy) State(members []Change) Change {
	if len(members) == 0 {
		return Change{}
	}
	var needed int
	switch p.Kind {
	case "redundant":
		needed = 1
	case "quorum":
		needed = min(p.N, len(members))
	case "percent":
		needed = (p.N*len(members) + 99) / 100
	default:
		return slices.MaxFunc(members, byRank)
	}
	var working, maintained []Change
	for _, c := range members {
		if c.State == report.UnderMaintenance {
			maintained = append(maintained, c)
		} else {
			working = append(working, c)
		}
	}
	slices.SortStableFunc(working, byRank)
	if needed <= len(working) {
		return working[max(needed, 1)-1]
	}
	// With the members under maintenance, the group would have the state of this one.
	if n := needed - len(maintained); n > 0 && working[n-1].State.Rank() > report.UnderMaintenance.Rank() {
		return working[n-1]
	}
	return maintained[0]
}

func byRank(a, b Change) int { return a.State.Rank() - b.State.Rank() }

// Rollup returns the timeline of a group. At each time, the members with a record at
// that time count.
func Rollup(p Policy, members ...Timeline) Timeline {
	if len(members) == 1 {
		return members[0]
	}
	var times []time.Time
	for _, t := range members {
		for _, c := range t {
			times = append(times, c.At)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	var group Timeline
	next, now := make([]int, len(members)), make([]Change, 0, len(members))
	for _, at := range slices.CompactFunc(times, time.Time.Equal) {
		now = now[:0]
		for i, t := range members {
			for next[i] < len(t) && !t[next[i]].At.After(at) {
				next[i]++
			}
			if next[i] > 0 {
				now = append(now, t[next[i]-1])
			}
		}
		group = group.extend(at, p.State(now))
	}
	return group
}

// extend returns the timeline with a state from a time on, which must be after all
// its changes.
func (t Timeline) extend(at time.Time, c Change) Timeline {
	c.At = at
	if n := len(t); n > 0 && t[n-1].State == c.State && t[n-1].Reason == c.Reason && t[n-1].Backfilled == c.Backfilled {
		return t
	}
	return append(t, c)
}

// A Window is a time of maintenance that was announced with an impact.
type Window struct{ From, To time.Time }

// Maintenance is the reason of an under-maintenance state.
const Maintenance = "maintenance"

// Maintained returns the timeline with the state under maintenance in the windows,
// which may be in any order, as far as it has a record.
func (t Timeline) Maintained(windows []Window) Timeline {
	if len(windows) == 0 || len(t) == 0 {
		return t
	}
	var times []time.Time
	for _, c := range t {
		times = append(times, c.At)
	}
	for _, w := range windows {
		if w.From.After(t[0].At) {
			times = append(times, w.From)
		}
		if w.To.After(t[0].At) {
			times = append(times, w.To)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	var line Timeline
	for _, at := range slices.CompactFunc(times, time.Time.Equal) {
		c, _ := t.At(at)
		if slices.ContainsFunc(windows, func(w Window) bool { return !at.Before(w.From) && at.Before(w.To) }) {
			c = Change{State: report.UnderMaintenance, Reason: Maintenance}
		}
		line = line.extend(at, c)
	}
	return line
}
