package judge

import (
	"cmp"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// settingKeep is how long what was read from a setting stays after it has gone: a
// reload of the network configuration takes it away for seconds.
const settingKeep = time.Minute

// blindLimit is for how long a level that cannot be observed stays as it is.
const blindLimit = 24 * time.Hour

// A level is how bad a finding is. The zero level is that of none.
type level struct {
	severity report.Severity
	impact   report.Impact
}

func levelOf(f report.Finding) level { return level{f.Severity, f.Impact} }

// compare orders levels by severity, then by impact.
func (l level) compare(o level) int {
	return cmp.Or(cmp.Compare(l.severity.Rank(), o.severity.Rank()), cmp.Compare(l.impact.Rank(), o.impact.Rank()))
}

// below reports whether l is less bad than o in severity or in impact.
func (l level) below(o level) bool {
	return l.severity.Rank() < o.severity.Rank() || l.impact.Rank() < o.impact.Rank()
}

// The ranks of severities go from 1 to 3, those of impacts from 0 to 5.
const (
	severityRanks = 4
	impactRanks   = 6
)

// A memory is what the Judge remembers of one subject of a rule.
type memory struct {
	finding report.Finding // as it is shown; empty while it is not raised
	result  rule.Result    // that the finding was made of
	raised  bool

	first     time.Time                // since when the subject has been observed without a break
	observed  level                    // now, for long enough; zero: nothing is
	risen     [severityRanks]time.Time // since when at least this severity has been observed without a break
	severe    [severityRanks]time.Time // when at least this severity was last observed for long enough, or could not be
	impactful [impactRanks]time.Time   // when at least this impact was
	brokenAt  time.Time                // when the shown level was last not observed, though it could have been
	expired   bool                     // not observed for blindLimit
}

// step moves one subject of a rule on by a tick. seen is what the rule returned for
// it; nil: nothing.
//
// The severity that is shown is the highest of three: the one that is observed and
// has been for the rule's For; those observed less than KeepFiringFor ago; and, while a
// source that it rests on is blind, the one shown before or, once its end is proven, what
// remains of it. The same holds for the impact.
func (j *Judge) step(r rule.Rule, subject string, result *rule.Result) {
	now, m := j.snapshot.Now, j.memory[r.ID][subject]
	blind := false
	if result != nil {
		if result.RestsOn == nil {
			result.RestsOn = r.Needs
		}
		if blind = result.Blind; blind || j.unreadable(result.RestsOn) {
			result = nil
		}
	}
	var made report.Finding
	var is level
	if result != nil {
		made = j.newFinding(r, result, m)
		is = m.observe(r, level{result.Severity, made.Impact}, result.Setting, now)
	} else {
		m.first, m.risen = time.Time{}, [severityRanks]time.Time{}
	}
	current := levelOf(m.finding)
	m.observed = is
	left := current // of the level, while it cannot be observed
	if j.ended(m) {
		left = level{m.result.Remains, report.Operational}
	}
	hidden := m.raised && is.below(left) && (blind || j.blindTo(m.result))
	if hidden {
		m.holds(left, now)
	}
	to := m.kept(r, now)
	m.forget(to)
	switch {
	case to == level{} && result == nil, to == level{} && m.raised:
		m = memory{first: m.first, risen: m.risen}
	case to == level{}: // not observed for long enough yet
	case result == nil || is.compare(to) < 0 && is.compare(current) <= 0: // as it was
		m.finding.State = report.Blind
		if !hidden {
			m.finding.State, m.brokenAt = report.Seen, now
			if result != nil {
				m.finding.LastSeen = now
			}
		}
		m.setLevel(to, now)
	default:
		m.show(made, result, to, now)
	}
	if hidden && now.Sub(m.finding.LastSeen) >= blindLimit && !m.expire(accepted(m.finding, j.snapshot) != nil) {
		m = memory{}
	}
	j.move(r.ID, subject, m)
}

// observe notes that a level is observed, and returns how much of it has been
// observed for long enough.
func (m *memory) observe(r rule.Rule, l level, setting bool, now time.Time) (is level) {
	if m.first.IsZero() {
		m.first = now
	}
	for n, s := range []report.Severity{report.Info, report.Warning, report.Critical} {
		rank := n + 1
		switch {
		case rank > l.severity.Rank():
			m.risen[rank] = time.Time{}
			continue
		case m.risen[rank].IsZero():
			m.risen[rank] = now
		}
		// What is to be a warning is not an info meanwhile.
		if (s == l.severity || s != report.Info) && (setting || now.Sub(m.risen[rank]) >= r.For.Of(s)) {
			is = level{s, l.impact}
		}
	}
	if is.severity != "" {
		m.holds(is, now)
	}
	return is
}

// holds notes that a level is as bad as that now.
func (m *memory) holds(l level, now time.Time) {
	for rank := 1; rank <= l.severity.Rank(); rank++ {
		m.severe[rank] = now
	}
	for rank := 0; rank <= l.impact.Rank(); rank++ {
		m.impactful[rank] = now
	}
}

// kept is the worst level that holds now or held less than KeepFiringFor ago.
func (m *memory) kept(r rule.Rule, now time.Time) (l level) {
	within := func(at time.Time, hold time.Duration) bool {
		return !at.IsZero() && (at.Equal(now) || now.Sub(at) < hold)
	}
	for n, s := range []report.Severity{report.Info, report.Warning, report.Critical} {
		if within(m.severe[n+1], m.effectiveKeep(r, s)) {
			l.severity = s
		}
	}
	if l.severity == "" {
		return level{}
	}
	for rank, i := range report.Impacts() {
		if within(m.impactful[rank], m.effectiveKeep(r, cmp.Or(m.finding.Severity, l.severity))) {
			l.impact = i
		}
	}
	return l
}

// forget drops what is worse than the level: it has fallen, and must be observed
// again to rise.
func (m *memory) forget(l level) {
	for rank := l.severity.Rank() + 1; rank < severityRanks; rank++ {
		m.severe[rank] = time.Time{}
	}
	for rank := l.impact.Rank() + 1; rank < impactRanks; rank++ {
		m.impactful[rank] = time.Time{}
	}
}

// effectiveKeep is how long a severity stays after it was last observed.
func (m *memory) effectiveKeep(r rule.Rule, s report.Severity) time.Duration {
	keep := r.KeepFiringFor.Of(s)
	if m.result.Setting {
		keep = max(keep, settingKeep)
	}
	if m.finding.Flapping {
		keep = max(keep, flapQuiet)
	}
	return keep
}

// show makes the finding of what is observed, at the level that is shown.
func (m *memory) show(made report.Finding, result *rule.Result, to level, now time.Time) {
	since := m.finding.Since
	if !m.raised {
		since = m.first
		if !made.Since.IsZero() && made.Since.Before(since) {
			since = made.Since
		}
	}
	old := m.finding
	m.finding, m.result = made, *result
	f := &m.finding
	f.State, f.Since, f.LastSeen, f.LevelSince = report.Seen, since, now, old.LevelSince
	f.Severity, f.Impact = old.Severity, old.Impact
	f.Flapping = old.Flapping && now.Sub(m.brokenAt) < flapWithin
	if m.setLevel(to, now); !m.raised {
		f.LevelSince = since
	}
	m.raised, m.expired = true, false
}

// setLevel sets the level that is shown.
func (m *memory) setLevel(to level, now time.Time) {
	if levelOf(m.finding) != to {
		m.finding.Severity, m.finding.Impact, m.finding.LevelSince = to.severity, to.impact, now
	}
}

// blindTo reports whether one of the sources that a result rests on is blind. One
// that is absent or switched off is not: there is nothing more to come from it.
func (j *Judge) blindTo(result rule.Result) bool {
	for _, name := range result.RestsOn {
		if err := j.snapshot.Blind(name); err != nil && err.Kind != node.Absent && err.Kind != node.Held {
			return true
		}
	}
	return false
}

// unreadable reports whether there are sources and none of them can be read: what
// is derived from their last readings is no observation.
func (j *Judge) unreadable(sources []string) bool {
	for _, name := range sources {
		if j.snapshot.Blind(name) == nil {
			return false
		}
	}
	return len(sources) > 0
}

// ended reports whether it is proven that the level has ended.
func (j *Judge) ended(m memory) bool {
	if m.result.Ended != nil {
		return m.result.Ended(j.facts)
	}
	return len(m.result.Hits.Stalled) > 0 && j.facts.CompletesAgain(m.result.Hits.Stalled, m.finding.LastSeen)
}

// expire makes an info of a finding that has not been observed for blindLimit; false
// if it is that already and has been acknowledged, which ends it.
func (m *memory) expire(acknowledged bool) bool {
	if m.expired {
		return !acknowledged
	}
	f := &m.finding
	f.Severity, f.Impact, f.Guests = report.Info, report.Operational, nil
	f.Summary = rule.Shorten("Not observed since " + f.LastSeen.UTC().Format(time.DateTime) + ": " + f.Summary)
	m.expired, m.severe, m.impactful = true, [severityRanks]time.Time{1: m.severe[1]}, [impactRanks]time.Time{m.impactful[0]}
	return true
}
