package uptime

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Weights define how much of a second in a state counts as downtime, in percent.
type Weights struct {
	Major, Partial, Degraded int
	Strict                   bool // unknown counts as downtime
}

// A Tally is the total duration of each state.
type Tally map[report.Impact]time.Duration

// Sum adds up intervals.
func Sum(list []Interval) Tally {
	t := Tally{}
	for _, i := range list {
		t[i.State] += i.Length()
	}
	return t
}

// Uptime returns 1 - weighted downtime / (time - maintenance - unknown), in
// thousandths of a percent, rounded down; false: no time counts.
func (t Tally) Uptime(w Weights) (millipercent int64, ok bool) {
	major, partial, degraded, unknown := t.millis(report.MajorOutage), t.millis(report.PartialOutage),
		t.millis(report.DegradedPerformance), int64(0)
	if w.Strict {
		unknown = t.millis(report.Unknown)
	}
	counted := t.millis(report.Operational) + degraded + partial + major + unknown
	if counted <= 0 {
		return 0, false
	}
	down := major*int64(w.Major) + partial*int64(w.Partial) + degraded*int64(w.Degraded) + unknown*100
	return (counted*100 - down) * 1000 / counted, true
}

// Coverage returns the share of the time, maintenance excluded, for which the state
// is known, in thousandths of a percent, rounded down; false: there was no time.
func (t Tally) Coverage() (millipercent int64, ok bool) {
	known, unknown := int64(0), t.millis(report.Unknown)
	for _, i := range []report.Impact{report.Operational, report.DegradedPerformance, report.PartialOutage, report.MajorOutage} {
		known += t.millis(i)
	}
	if known+unknown <= 0 {
		return 0, false
	}
	return known * 100000 / (known + unknown), true
}

// millis returns how long a state lasted, in milliseconds. All states but operational
// are rounded up, so that no downtime is lost.
func (t Tally) millis(i report.Impact) int64 {
	d := t[i]
	if i != report.Operational {
		d += time.Millisecond - 1
	}
	return int64(d / time.Millisecond)
}
