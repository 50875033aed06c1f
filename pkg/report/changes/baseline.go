package changes

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Baseline is what has been reported about a node to one reader. It is a value: Diff
// returns a new one. The zero Baseline is that of a reader who has received nothing.
type Baseline struct {
	Run      time.Time `json:"run"`  // start of the run that reported it
	N        uint64    `json:"n"`    // the latest processed transition of that run
	Sent     uint64    `json:"sent"` // total number of events sent
	At       time.Time `json:"at"`   // when the latest event was sent
	Findings []Entry   `json:"findings"`
}

// An Entry is a finding as it was last reported.
type Entry struct {
	Rule       string               `json:"rule"`
	Subject    string               `json:"subject,omitempty"`
	Component  report.ComponentName `json:"component"`
	Severity   report.Severity      `json:"severity"`
	Impact     report.Impact        `json:"impact"`
	State      report.Visibility    `json:"state"`
	Since      time.Time            `json:"since"`
	Summary    string               `json:"summary"`
	Old        bool                 `json:"old,omitempty"`   // it was reported by an earlier run, and this run has not raised it
	Suppressed bool                 `json:"quiet,omitempty"` // it is raised, but must not be reported: acknowledged, or under maintenance
}

type key struct{ rule, subject string }

// A comparison is one comparison of a Report with a Baseline.
type comparison struct {
	r      report.Report
	before uint64                    // number of the latest transition that was already processed
	last   map[key]report.Transition // the latest unprocessed transition of each finding
	worst  map[key]report.Transition // for findings raised since, the transition to the worst level
	gap    bool                      // unprocessed transitions have been dropped from the ring
}

// Diff compares the Report with the Baseline. It returns the changes, most urgent
// first, and the Baseline after their delivery.
//
// A finding that is missing from the Report is not necessarily cleared: it may be
// filtered out because it is acknowledged or the node is under maintenance. It is
// cleared if a transition shows that. A finding that others of the Report explain is
// not reported; if it has been reported before, it is kept unchanged until it clears. A
// finding that an earlier run reported and this run never raised is cleared once the
// run has warmed up and the component is visible.
func (t Baseline) Diff(r report.Report) ([]Change, Baseline) {
	next := Baseline{Run: r.Started, N: t.N, Sent: t.Sent, At: t.At, Findings: []Entry{}}
	fresh := !t.Run.Equal(r.Started)
	if fresh {
		next.N = 0
	}
	l := newComparison(r, next.N)
	var changes []Change
	present := map[key]bool{}
	reported := map[key]Entry{}
	for _, e := range t.Findings {
		e.Old = e.Old || fresh
		reported[e.key()] = e
	}
	for _, f := range r.Findings {
		k := key{f.Rule, f.Subject}
		present[k] = true
		old, known := reported[k]
		if len(f.ExplainedBy) > 0 {
			if known {
				old.Old = false
				next.Findings = append(next.Findings, old)
			}
			continue
		}
		e, c := l.present(f, old, known)
		next.Findings = append(next.Findings, e)
		changes = append(changes, c...)
	}
	for _, e := range t.Findings {
		e = reported[e.key()]
		if present[e.key()] {
			continue
		}
		e, keep, c := l.absent(e)
		if keep {
			next.Findings = append(next.Findings, e)
		}
		changes = append(changes, c...)
	}
	if !t.Run.IsZero() && r.Maintenance == nil {
		changes = append(changes, l.missed(present, reported)...)
	}
	_, latest := r.TransitionRange()
	next.N = max(next.N, latest)
	sortChanges(changes)
	return changes, next
}

func newComparison(r report.Report, before uint64) comparison {
	l := comparison{r: r, before: before, last: map[key]report.Transition{}, worst: map[key]report.Transition{}}
	oldest, _ := r.TransitionRange()
	l.gap = oldest > before+1
	for _, tr := range r.Transitions {
		if tr.N <= before {
			continue
		}
		k := key{tr.Rule, tr.Subject}
		l.last[k] = tr
		worst, raised := l.worst[k]
		if tr.From == report.Clear && !raised || raised && above(tr, worst) {
			l.worst[k] = tr
		}
	}
	return l
}

// above reports whether a transition leads to a worse level than another.
func above(a, b report.Transition) bool {
	return higher(a.To.Rank(), a.Impact.Rank(), b.To.Rank(), b.Impact.Rank())
}

func (e Entry) key() key { return key{e.Rule, e.Subject} }

// mostSummary is the maximum length of a stored summary, in bytes.
const mostSummary = 500

func entryOf(f report.Finding) Entry {
	return Entry{
		Rule: f.Rule, Subject: f.Subject, Component: f.Component, Severity: f.Severity, Impact: f.Impact,
		State: f.State, Since: f.Since, Summary: strings.ToValidUTF8(f.Summary[:min(len(f.Summary), mostSummary)], ""),
	}
}

// present returns the change, if any, of a finding that is in the Report.
func (l comparison) present(f report.Finding, old Entry, known bool) (Entry, []Change) {
	c := Change{
		At: l.r.At, Rule: f.Rule, Subject: f.Subject, Component: f.Component, From: old.Severity,
		To: f.Severity, Impact: f.Impact, Since: f.Since, Summary: f.Summary, Finding: &f,
	}
	if tr, moved := l.last[key{f.Rule, f.Subject}]; moved {
		c.At = tr.At
	}
	if old.Impact != f.Impact {
		c.ImpactFrom = old.Impact
	}
	switch {
	case !known:
		c.Kind, c.From = Raised, report.Clear
	case old.Suppressed:
		c.Kind = Raised
	case higher(f.Severity.Rank(), f.Impact.Rank(), old.Severity.Rank(), old.Impact.Rank()):
		c.Kind = Worse
	case higher(old.Severity.Rank(), old.Impact.Rank(), f.Severity.Rank(), f.Impact.Rank()):
		c.Kind = Milder
	case f.State == report.Blind && old.State != report.Blind:
		c.Kind = Blind
	case f.State != report.Blind && old.State == report.Blind:
		c.Kind = Seen
	default:
		old.Old = false
		return old, nil
	}
	return entryOf(f), []Change{c}
}

// higher reports whether a level is above another: by severity, then by impact.
func higher(severity, impact, thanSeverity, thanImpact int) bool {
	return severity > thanSeverity || severity == thanSeverity && impact > thanImpact
}

// absent returns the change, if any, of a finding that is not in the Report, and
// whether to keep it in the Baseline.
func (l comparison) absent(e Entry) (Entry, bool, []Change) {
	c := Change{
		Kind: Cleared, At: l.r.At, Rule: e.Rule, Subject: e.Subject, Component: e.Component,
		From: e.Severity, To: report.Clear, Impact: e.Impact, Since: e.Since, Summary: e.Summary,
	}
	tr, moved := l.last[e.key()]
	switch {
	case moved && tr.To == report.Clear:
		c.At = tr.At
		return e, false, []Change{c}
	case moved && tr.To.Rank() < e.Severity.Rank() && !e.Suppressed && l.r.Maintenance == nil:
		// It is raised at a level that has not been reported to this reader.
		c.Kind, c.At, c.To, c.Impact, c.Summary = Milder, tr.At, tr.To, tr.Impact, tr.Summary
		if tr.Impact != e.Impact {
			c.ImpactFrom = e.Impact
		}
		return e, false, []Change{c}
	case moved:
		e.Suppressed, e.Old = true, false
		return e, true, nil
	case l.r.Maintenance == nil && (e.Old && l.settled(e.Component) || !e.Old && l.gap && !e.Suppressed):
		return e, false, []Change{c}
	}
	e.Suppressed = e.Suppressed || !e.Old
	return e, true, nil
}

// settled reports whether this run would by now have raised every current finding,
// and whether the component was visible.
func (l comparison) settled(component report.ComponentName) bool {
	i := slices.IndexFunc(l.r.Components, func(c report.Component) bool { return c.Name == component })
	return i >= 0 && !l.r.WarmingUp() && l.r.Components[i].State != report.Blind
}

// missed returns the findings that were raised and cleared since the previous Report.
func (l comparison) missed(present map[key]bool, reported map[key]Entry) []Change {
	var list []Change
	for k, worst := range l.worst {
		tr := l.last[k]
		if _, known := reported[k]; known || present[k] || tr.To != report.Clear {
			continue
		}
		list = append(list, Change{
			Kind: Missed, At: tr.At, Rule: k.rule, Subject: k.subject, Component: tr.Component,
			From: worst.To, To: report.Clear, Impact: worst.Impact, Since: l.raisedAt(k), Summary: tr.Summary,
		})
	}
	return list
}

// raisedAt returns when a missed finding was first raised.
func (l comparison) raisedAt(k key) time.Time {
	for _, tr := range l.r.Transitions {
		if tr.N > l.before && tr.Rule == k.rule && tr.Subject == k.subject && tr.From == report.Clear {
			return tr.At
		}
	}
	return l.last[k].At
}
