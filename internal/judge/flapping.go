package judge

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A finding flaps if its severity or impact rises to the same value flapTimes within
// flapWithin. From then on that level stays until it has not been observed for
// flapQuiet: one notification reports that it flaps, instead of one for each change.
const (
	flapTimes  = 4
	flapWithin = 30 * time.Minute
	flapQuiet  = 10 * time.Minute
)

// A rise names the level to which a finding rises: a severity or an impact.
type rise struct{ rule, subject, to string }

// flaps marks a finding that has risen from one level to another too often. A level
// read from a setting does not flap, because settings are changed on purpose.
func (j *Judge) flaps(id, subject string, m *memory, from level) {
	if m.result.Setting {
		return
	}
	now := j.snapshot.Now
	var first time.Time
	note := func(to string) {
		key := rise{id, subject, to}
		times := append(j.rises[key], now)
		times = times[max(0, len(times)-flapTimes):]
		j.rises[key] = times
		if len(times) == flapTimes && now.Sub(times[0]) <= flapWithin {
			first = times[0]
		}
	}
	for _, s := range []report.Severity{report.Info, report.Warning, report.Critical} {
		if s.Rank() > from.severity.Rank() && s.Rank() <= m.finding.Severity.Rank() {
			note(string(s))
		}
	}
	for _, i := range []report.Impact{report.DegradedPerformance, report.PartialOutage, report.MajorOutage} {
		if i.Rank() > from.impact.Rank() && i.Rank() <= m.finding.Impact.Rank() {
			note(string(i))
		}
	}
	if !first.IsZero() {
		m.finding.Flapping, m.brokenAt = true, now
		if first.Before(m.finding.Since) {
			m.finding.Since = first
		}
	}
}

// forgetRises drops old rises.
func (j *Judge) forgetRises() {
	for key, times := range j.rises {
		if j.snapshot.Now.Sub(times[len(times)-1]) > flapWithin {
			delete(j.rises, key)
		}
	}
}
