package watch

import "time"

// A clock gives wall time that never jumps: the time of its making, and how much
// monotonic time has passed since. Steps of the wall clock during the run do not
// show, so that no rate and no hold is wrong for them; a restart takes up the new time.
type clock struct{ start time.Time }

func newClock() clock { return clock{start: time.Now()} }

// now is the present time, UTC, without a monotonic reading, as a tape would hold it.
func (c clock) now() time.Time {
	return c.start.Round(0).Add(time.Since(c.start)).UTC()
}
