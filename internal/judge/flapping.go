package judge

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/rule"
)

// A finding that is raised flapTimes within flapWithin is said to flap, and from
// then on stays raised until it has not been seen for flapQuiet: people are told
// once that it comes and goes, not each time.
const (
	flapTimes  = 4
	flapWithin = 30 * time.Minute
	flapQuiet  = 10 * time.Minute
)

// raisings are when findings were raised, by rule and subject, at most flapTimes
// each, the latest last.
type raisings map[string]map[string][]time.Time

// add notes that a finding is raised now, and forgets those of long ago.
func (l raisings) add(rule, subject string, now time.Time) []time.Time {
	for id, subjects := range l {
		for s, times := range subjects {
			if now.Sub(times[len(times)-1]) > flapWithin {
				delete(subjects, s)
			}
		}
		if len(subjects) == 0 {
			delete(l, id)
		}
	}
	if l[rule] == nil {
		l[rule] = map[string][]time.Time{}
	}
	times := append(l[rule][subject], now)
	times = times[max(0, len(times)-flapTimes):]
	l[rule][subject] = times
	return times
}

// flaps marks a finding that is raised now, if it has been raised so often that
// it flaps. What is read off a setting does not flap: it is changed.
func (j *Judge) flaps(m memory, r rule.Rule, subject string) memory {
	times := j.raisings.add(r.ID, subject, j.snapshot.Now)
	if len(times) < flapTimes || j.snapshot.Now.Sub(times[0]) > flapWithin || m.result.Setting {
		return m
	}
	m.finding.Flapping, m.brokenAt = true, j.snapshot.Now
	m.finding.Since = times[0]
	return m
}

// effectiveKeep is how long the finding stays after it was last seen: longer while it flaps.
func (m memory) effectiveKeep(r rule.Rule) time.Duration {
	keep := r.KeepFiringFor.Of(m.finding.Severity)
	if m.finding.Flapping {
		keep = max(keep, flapQuiet)
	}
	return keep
}
