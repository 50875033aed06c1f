package report

import "time"

// raiseTime is longer than any pattern must be seen before it is raised.
const raiseTime = 3 * time.Minute

// WarmingUp reports whether nodewatch has run for so short a time that what was raised
// before it started may be there still, and not be raised again yet. A reporter
// that remembers an earlier run's words takes none of them back so early. A Report
// that does not say when nodewatch started is not early.
func (r Report) WarmingUp() bool {
	return !r.Started.IsZero() && r.At.Sub(r.Started).Abs() < raiseTime
}
