package watch

import "time"

// A clock returns wall time that never jumps: the wall time at its creation plus the
// elapsed monotonic time. It ignores steps of the wall clock during the run, so that
// rates and durations stay correct; a restart adopts the new time.
type clock struct{ start time.Time }

func newClock() clock { return clock{start: time.Now()} }

// now returns the current time, UTC, without a monotonic reading, like the times on a
// tape.
func (c clock) now() time.Time {
	return c.start.Round(0).Add(time.Since(c.start)).UTC()
}
