package presence

import (
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Witness adds the results of the hub's own check to the record of a component for
// the time in which its node was silent: where the check failed, the component has
// the check's state. A check that succeeds or cannot run has no effect, and a node
// that reports takes precedence.
func Witness(line, check uptime.Timeline) uptime.Timeline {
	if len(line) == 0 {
		return line
	}
	var times []time.Time
	for _, c := range slices.Concat(line, check) {
		times = append(times, c.At)
	}
	slices.SortFunc(times, time.Time.Compare)
	var both uptime.Timeline
	for _, at := range slices.CompactFunc(times, time.Time.Equal) {
		c, known := line.At(at)
		if !known {
			continue
		}
		if seen, is := check.At(at); is && silent(c) && c.Reason != Stopped && seen.State.Rank() > report.Unknown.Rank() {
			c.State, c.Reason = seen.State, seen.Reason
		}
		c.At = at
		if n := len(both); n > 0 && both[n-1].State == c.State && both[n-1].Reason == c.Reason && both[n-1].Backfilled == c.Backfilled {
			continue
		}
		both = append(both, c)
	}
	return both
}
