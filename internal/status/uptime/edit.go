package uptime

import (
	"slices"
	"time"
)

// From returns the changes at a time or later.
func (t Timeline) From(at time.Time) Timeline {
	i, _ := t.search(at)
	return t[i:]
}

// Replace returns the timeline with its changes from a time on replaced.
func (t Timeline) Replace(from time.Time, changes Timeline) Timeline {
	i, _ := t.search(from)
	return slices.Concat(t[:i], changes)
}

// Differs returns when the timeline first differs from another one; false: it does
// not.
func (t Timeline) Differs(other Timeline) (from time.Time, differs bool) {
	for i := range max(len(t), len(other)) {
		switch {
		case i >= len(t):
			return other[i].At, true
		case i >= len(other):
			return t[i].At, true
		case !t[i].At.Equal(other[i].At):
			if t[i].At.Before(other[i].At) {
				return t[i].At, true
			}
			return other[i].At, true
		case t[i].State != other[i].State || t[i].Reason != other[i].Reason || t[i].Backfilled != other[i].Backfilled:
			return t[i].At, true
		}
	}
	return time.Time{}, false
}

// search returns the index of the first change at a time or later, and whether it is
// at that time.
func (t Timeline) search(at time.Time) (int, bool) {
	return slices.BinarySearchFunc(t, at, func(c Change, at time.Time) int { return c.At.Compare(at) })
}
