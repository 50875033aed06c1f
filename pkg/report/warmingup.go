package report

import "time"

// raiseTime is longer than the hold time of any rule.
const raiseTime = 3 * time.Minute

// WarmingUp reports whether nodewatch was started so recently that findings raised
// before the start may still apply without being raised again yet. A reporter that
// stores the states of an earlier run does not improve them during this time. A Report
// without a start time is not warming up.
func (r Report) WarmingUp() bool {
	return !r.Started.IsZero() && r.At.Sub(r.Started).Abs() < raiseTime
}
