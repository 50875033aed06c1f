package judge

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The times without completions after which a stall of fewer than half of the guests
// counts. In a session loop nothing recovers by itself within seconds.
const (
	stallCounts = 30 * time.Second
	loopCounts  = 15 * time.Second
)

// newFinding converts a rule's result to a finding with an impact. Its lists are
// never nil, and none of its times is in the future.
func (j *Judge) newFinding(r rule.Rule, result *rule.Result, m memory) report.Finding {
	now := j.snapshot.Now
	f := report.Finding{
		Rule: r.ID, Subject: result.Subject, Component: r.Component, Runbook: j.rules.RunbookURL(r.ID),
		Severity: result.Severity, Impact: cmp.Or(result.Impact, report.Operational), Since: result.Since,
		Summary: result.Summary, Evidence: notAfter(result.Evidence, now), Against: notAfter(result.Against, now), Advice: result.Advice,
	}
	if f.Advice == nil {
		f.Advice = []report.Advice{}
	}
	impact, guests := j.impactOf(result.Hits, m)
	f.Impact, f.Guests = report.Worse(f.Impact, impact), guests
	return f
}

// notAfter returns the list with all times limited to now.
func notAfter(list []report.Evidence, now time.Time) []report.Evidence {
	if list == nil {
		return []report.Evidence{}
	}
	cloned := false
	for i := range list {
		if list[i].At.After(now) {
			if !cloned {
				list, cloned = slices.Clone(list), true
			}
			list[i].At = now
		}
	}
	return list
}

// impactOf returns the customer impact if these disks and guests are affected, and
// the affected guests. It is computed over all running guests of the node or, if no
// guest is known, over all mapped devices; the returned guests are nil in that case.
func (j *Judge) impactOf(h rule.Hits, m memory) (report.Impact, *report.Guests) {
	if len(h.Stalled)+len(h.Failed)+len(h.Slow)+len(h.StalledGuests)+len(h.SlowGuests) == 0 {
		return report.Operational, nil
	}
	stalled := j.facts.GuestsHit(slices.Concat(h.Stalled, h.Failed))
	slow := j.facts.GuestsHit(h.Slow)
	hit := stalled.Hit
	for _, name := range h.StalledGuests {
		if !stalled.Guests || !slices.Contains(stalled.Names, name) {
			hit++
		}
	}
	impact := report.Operational
	since := h.Since
	if since.IsZero() {
		since = m.first
	}
	if since.IsZero() {
		since = j.snapshot.Now
	}
	counts := stallCounts
	if h.Loop {
		counts = loopCounts
	}
	switch {
	case hit > 0 && 2*hit >= stalled.Total:
		impact = report.MajorOutage
	case hit > 0 && (len(h.Failed)+len(h.StalledGuests) > 0 || j.snapshot.Now.Sub(since) >= counts):
		impact = report.PartialOutage
	case slow.Hit+len(h.SlowGuests) > 0, hit > 0 && h.Loop: // a stall in a loop counts as slow at least
		impact = report.DegradedPerformance
	}
	names := slices.Concat(h.StalledGuests, h.SlowGuests)
	for _, of := range []facts.Hit{stalled, slow} {
		if of.Guests {
			names = append(names, of.Names...)
		}
	}
	return impact, j.guests(names)
}

// guests returns the guests with the given names, which may repeat; nil if there are
// none.
func (j *Judge) guests(names []string) *report.Guests {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	g := &report.Guests{Hit: len(names), Total: max(j.facts.RunningGuests(), len(names)), Names: names}
	if len(names) > report.MaxNames {
		g.Names = slices.Clone(names[:report.MaxNames])
	}
	return g
}
