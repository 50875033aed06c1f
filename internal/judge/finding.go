package judge

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A memory is what the Judge remembers of one finding.
type memory struct {
	finding  report.Finding // as it is shown
	result   rule.Result    // that the rule returned when it was last observed
	first    time.Time      // since when it has been seen without a break
	raised   bool
	brokenAt time.Time // when a finding that flaps was last not seen
	peakAt   time.Time // when it was last seen at the severity and impact it is shown with, or sight of it was last lost
}

// observe returns the memory once finding f, made of the result, has been seen now.
func (m memory) observe(f report.Finding, result rule.Result, now time.Time, r rule.Rule) memory {
	if m.first.IsZero() {
		m.first = now
	}
	if !m.raised && now.Sub(m.first) < r.For.Of(f.Severity) && !result.Setting {
		m.finding, m.result = f, result
		return m
	}
	since := m.first
	if m.raised {
		since = m.finding.Since
	} else if !f.Since.IsZero() && f.Since.Before(since) {
		since = f.Since
	}
	if m.raised && milder(f.Severity, f.Impact, m.finding.Severity, m.finding.Impact) && now.Sub(m.peakAt) < m.effectiveKeep(r) {
		f, result = m.finding, m.result
	} else {
		m.peakAt = now
	}
	f.State, f.Since, f.LastSeen, f.LevelSince = report.Seen, since, now, m.finding.LevelSince
	f.Flapping = m.raised && m.finding.Flapping && now.Sub(m.brokenAt) < flapWithin
	switch {
	case !m.raised:
		f.LevelSince = since
	case f.Severity != m.finding.Severity || f.Impact != m.finding.Impact:
		f.LevelSince = now
	}
	m.finding, m.result, m.raised = f, result, true
	return m
}

// notObserved returns the memory once the finding has not been seen now. Losing sight
// is not recovery: while the rule is blind a raised finding stays as it was, and
// once it can see again it must not see the finding for as long as Keep, as a
// rate or a window must fill first. The zero memory means that it is gone.
func (m memory) notObserved(now time.Time, r rule.Rule, blind bool) memory {
	switch {
	case !m.raised:
		return memory{}
	case blind:
		m.finding.State = report.Blind
		m.peakAt = now
		return m
	case m.result.Setting:
		return memory{}
	case now.Sub(later(m.finding.LastSeen, m.peakAt)) < m.effectiveKeep(r):
		m.finding.State, m.brokenAt = report.Seen, now
		return m
	}
	return memory{}
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// milder reports whether the first severity is less than the second or, they being
// equal, the first impact than the second.
func milder(s report.Severity, i report.Impact, than report.Severity, thanImpact report.Impact) bool {
	if s != than {
		return s.Rank() < than.Rank()
	}
	return i.Rank() < thanImpact.Rank()
}
