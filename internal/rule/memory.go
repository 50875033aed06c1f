package rule

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A memory is what the Judge remembers of one finding.
type memory struct {
	finding  report.Finding // as it is shown
	first    time.Time      // since when it has been seen without a break
	raised   bool
	brokenAt time.Time // when a finding that flaps was last not seen
	peakAt   time.Time // when it was last seen at the severity and impact it is shown with, or sight of it was last lost
}

// see returns the memory once finding f has been seen now.
func (m memory) see(f report.Finding, now time.Time, r Rule) memory {
	if m.first.IsZero() {
		m.first = now
	}
	if !m.raised && now.Sub(m.first) < r.Hold && !r.fact(f) {
		m.finding = f
		return m
	}
	since := m.first
	if m.raised {
		since = m.finding.Since
	} else if !f.Since.IsZero() && f.Since.Before(since) {
		since = f.Since
	}
	if m.raised && milder(f, m.finding) && now.Sub(m.peakAt) < r.Keep {
		f = m.finding
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
	m.finding, m.raised = f, true
	return m
}

// miss returns the memory once the finding has not been seen now. Losing sight
// is not recovery: while the rule is blind a raised finding stays as it was, and
// once it can see again it must not see the finding for as long as Keep, as a
// rate or a window must fill first. The zero memory means that it is gone.
func (m memory) miss(now time.Time, r Rule, blind bool) memory {
	switch {
	case !m.raised:
		return memory{}
	case blind:
		m.finding.State = report.Blind
		m.peakAt = now
		return m
	case r.fact(m.finding):
		return memory{}
	case now.Sub(later(m.finding.LastSeen, m.peakAt)) < r.Keep:
		m.finding.State, m.brokenAt = report.Seen, now
		return m
	}
	return memory{}
}

// fact reports whether the finding is one that is neither held nor kept.
func (r Rule) fact(f report.Finding) bool { return r.Fact != nil && r.Fact(f) }

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// milder reports whether a is less than b in severity or, that being equal, in impact.
func milder(a, b report.Finding) bool {
	if a.Severity != b.Severity {
		return a.Severity.Rank() < b.Severity.Rank()
	}
	return a.Impact.Rank() < b.Impact.Rank()
}
