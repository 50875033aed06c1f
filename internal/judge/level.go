package judge

import (
	"cmp"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// settingKeep is how long a level read from a setting stays raised after it is gone:
// a reload of the network configuration removes it for seconds.
const settingKeep = time.Minute

// blindLimit is how long a level that cannot be observed stays unchanged.
const blindLimit = 24 * time.Hour

// A level is the severity and impact of a finding. The zero level means no finding.
type level struct {
	severity report.Severity
	impact   report.Impact
}

func levelOf(f report.Finding) level { return level{f.Severity, f.Impact} }

// compare orders levels by severity, then by impact.
func (l level) compare(o level) int {
	return cmp.Or(cmp.Compare(l.severity.Rank(), o.severity.Rank()), cmp.Compare(l.impact.Rank(), o.impact.Rank()))
}

// below reports whether l is lower than o in severity or in impact.
func (l level) below(o level) bool {
	return l.severity.Rank() < o.severity.Rank() || l.impact.Rank() < o.impact.Rank()
}

// Severities have the ranks 1 to 3, impacts the ranks 0 to 5.
const (
	severityRanks = 4
	impactRanks   = 6
)

// A memory is the state that the Judge stores for one subject of a rule.
type memory struct {
	finding report.Finding // as published; empty while it is not raised
	result  rule.Result    // the result that the finding is based on
	raised  bool

	first     time.Time                // start of the continuous observation of the subject
	observed  level                    // the level observed now, for long enough; zero: none
	risen     [severityRanks]time.Time // start of the continuous observation of at least this severity
	severe    [severityRanks]time.Time // when at least this severity was last observed for long enough, or was unobservable
	impactful [impactRanks]time.Time   // the same for at least this impact
	brokenAt  time.Time                // when the published level was last not observed although it was observable
	expired   bool                     // not observed for blindLimit
}

// step updates one subject of a rule on a tick. result is what the rule returned for
// it; nil: nothing.
//
// The published severity is the highest of three: the one that has been observed for the
// rule's For; those observed less than KeepFiringFor ago; and, while a source that it
// depends on is blind, the previous one or, once its end is proven, what remains of it.
// The same applies to the impact.
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
	left := current // the level while it is unobservable
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
	case result == nil || is.compare(to) < 0 && is.compare(current) <= 0: // unchanged
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

// observe records that a level is observed, and returns the part of it that has been
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
		// A future warning is not published as an info in the meantime.
		if (s == l.severity || s != report.Info) && (setting || now.Sub(m.risen[rank]) >= r.For.Of(s)) {
			is = level{s, l.impact}
		}
	}
	if is.severity != "" {
		m.holds(is, now)
	}
	return is
}

// holds records that the level applies now.
func (m *memory) holds(l level, now time.Time) {
	for rank := 1; rank <= l.severity.Rank(); rank++ {
		m.severe[rank] = now
	}
	for rank := 0; rank <= l.impact.Rank(); rank++ {
		m.impactful[rank] = now
	}
}

// kept returns the worst level that applies now or applied less than KeepFiringFor
// ago.
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

// forget drops the levels above the given one: the finding has fallen to it, and
// higher levels must be observed again.
func (m *memory) forget(l level) {
	for rank := l.severity.Rank() + 1; rank < severityRanks; rank++ {
		m.severe[rank] = time.Time{}
	}
	for rank := l.impact.Rank() + 1; rank < impactRanks; rank++ {
		m.impactful[rank] = time.Time{}
	}
}

// effectiveKeep returns how long a severity stays raised after it was last observed.
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

// show updates the finding from the latest result, at the published level.
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

// setLevel sets the published level.
func (m *memory) setLevel(to level, now time.Time) {
	if levelOf(m.finding) != to {
		m.finding.Severity, m.finding.Impact, m.finding.LevelSince = to.severity, to.impact, now
	}
}

// blindTo reports whether one of the sources that a result depends on is blind. An
// absent or disabled source is not blind, because no more readings of it will follow.
func (j *Judge) blindTo(result rule.Result) bool {
	for _, name := range result.RestsOn {
		if err := j.snapshot.Blind(name); err != nil && err.Kind != node.Absent && err.Kind != node.Held {
			return true
		}
	}
	return false
}

// unreadable reports whether there are sources and none of them can be read: results
// derived from their last readings are not observations.
func (j *Judge) unreadable(sources []string) bool {
	for _, name := range sources {
		if j.snapshot.Blind(name) == nil {
			return false
		}
	}
	return len(sources) > 0
}

// ended reports whether the end of the level is proven.
func (j *Judge) ended(m memory) bool {
	if m.result.Ended != nil {
		return m.result.Ended(j.facts)
	}
	return len(m.result.Hits.Stalled) > 0 && j.facts.CompletesAgain(m.result.Hits.Stalled, m.finding.LastSeen)
}

// expire turns a finding that has not been observed for blindLimit into an info; it
// returns false if the finding is an info already and has been acknowledged, which
// ends it.
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
