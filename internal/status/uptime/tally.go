package uptime

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Weights say how much of a second in a state counts as down, in percent.
type Weights struct{ Major, Partial, Degraded int }

// DefaultWeights are the weights that hold unless others are configured.
func DefaultWeights() Weights { return Weights{Major: 100, Partial: 30} }

// A Tally is how long each state lasted.
type Tally map[report.Impact]time.Duration

// Sum adds up intervals.
func Sum(list []Interval) Tally {
	t := Tally{}
	for _, i := range list {
		t[i.State] += i.Length()
	}
	return t
}

// Uptime is 1 - weighted downtime / (time - maintenance - unknown), in thousandths
// of a percent, rounded down; false: nothing counts.
func (t Tally) Uptime(w Weights) (millipercent int64, ok bool) {
	s := func(i report.Impact) int64 { return int64(t[i] / time.Millisecond) }
	counted := s(report.Operational) + s(report.DegradedPerformance) + s(report.PartialOutage) + s(report.MajorOutage)
	if counted <= 0 {
		return 0, false
	}
	down := s(report.MajorOutage)*int64(w.Major) + s(report.PartialOutage)*int64(w.Partial) + s(report.DegradedPerformance)*int64(w.Degraded)
	return (counted*100 - down) * 1000 / counted, true
}
