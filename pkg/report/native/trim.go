package native

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Maximum lengths of texts, in bytes.
const (
	maxWord    = 64
	maxName    = 253
	maxLine    = 300 // a summary, a fact, a reason
	maxCommand = 1000
)

// A trimmer truncates texts to their maximum lengths and counts what it truncated.
type trimmer struct{ cut Cut }

// text returns one line of at most that many bytes without control characters.
func (t *trimmer) text(s string, most int) string {
	const ellipsis = "…"
	whole := s
	s = s[:min(len(s), 8*most)] // the rest would be cut anyway
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) <= most && len(whole) <= 8*most {
		return s
	}
	t.cut.Texts++
	end := min(len(s), most-len(ellipsis))
	for end > 0 && end < len(s) && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// labels returns the first labels by name.
func (t *trimmer) labels(all report.Labels, most int) report.Labels {
	if len(all) == 0 {
		return nil
	}
	kept := report.Labels{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(kept) == most {
			break
		}
		kept[t.text(name, maxWord)] = t.text(all[name], 2*maxWord)
	}
	t.cut.Labels += len(all) - len(kept)
	return kept
}

// inventory returns the reported properties of the node. Properties beyond the limit
// are omitted without a count: the next body has them again.
func (t *trimmer) inventory(all report.Labels, most int) report.Labels {
	left := t.cut.Labels
	kept := t.labels(all, most)
	t.cut.Labels = left
	return kept
}

func (t *trimmer) finding(f report.Finding, p plan) report.Finding {
	f.Rule, f.Subject, f.Component = t.text(f.Rule, maxWord), t.text(f.Subject, maxName),
		report.ComponentName(t.text(string(f.Component), maxWord))
	f.Summary, f.Runbook = t.text(f.Summary, maxLine), t.text(f.Runbook, maxCommand)
	f.Since, f.LevelSince, f.LastSeen = utc(f.Since), utc(f.LevelSince), utc(f.LastSeen)
	if a := f.Accepted; a != nil {
		f.Accepted = &report.Accepted{At: utc(a.At), Until: utc(a.Until), By: t.text(a.By, maxWord), Reason: t.text(a.Reason, maxLine)}
	}
	f.Guests = t.guests(f.Guests, p.names)
	f.ExplainedBy = t.refs(f.ExplainedBy)
	if !p.evidence {
		t.cut.Evidence += len(f.Evidence) + len(f.Against) + len(f.Advice)
		f.Evidence, f.Against, f.Advice = nil, nil, nil
	}
	f.Evidence, f.Against = t.evidence(f.Evidence), t.evidence(f.Against)
	advice := make([]report.Advice, 0, len(f.Advice))
	for _, a := range f.Advice {
		advice = append(advice, report.Advice{Do: t.text(a.Do, maxLine), Command: t.text(a.Command, maxCommand)})
	}
	f.Advice = advice
	return f
}

// guests keeps that many names of the guests: fewer names than hit guests show that
// some were omitted.
func (t *trimmer) guests(g *report.Guests, names int) *report.Guests {
	if g == nil {
		return nil
	}
	kept := &report.Guests{Hit: g.Hit, Total: g.Total, Names: []string{}}
	for _, name := range g.Names[:min(names, len(g.Names))] {
		kept.Names = append(kept.Names, t.text(name, maxName))
	}
	return kept
}

// maxRefs is the maximum number of findings that explain another one.
const maxRefs = 20

func (t *trimmer) refs(all []report.Ref) []report.Ref {
	var list []report.Ref
	for _, x := range all[:min(maxRefs, len(all))] {
		list = append(list, report.Ref{Rule: t.text(x.Rule, maxWord), Subject: t.text(x.Subject, maxName)})
	}
	return list
}

func (t *trimmer) evidence(all []report.Evidence) []report.Evidence {
	list := make([]report.Evidence, 0, len(all))
	for _, e := range all {
		list = append(list, report.Evidence{Source: t.text(e.Source, maxWord), Subject: t.text(e.Subject, maxName),
			Fact: t.text(e.Fact, maxLine), At: utc(e.At)})
	}
	return list
}

func (t *trimmer) transition(x report.Transition) report.Transition {
	x.Rule, x.Subject, x.Component = t.text(x.Rule, maxWord), t.text(x.Subject, maxName),
		report.ComponentName(t.text(string(x.Component), maxWord))
	x.Summary, x.At = t.text(x.Summary, maxLine), utc(x.At)
	return x
}

func (t *trimmer) maintenance(m *report.Maintenance) *report.Maintenance {
	if m == nil {
		return nil
	}
	return &report.Maintenance{Since: utc(m.Since), Until: utc(m.Until), By: t.text(m.By, maxWord), Reason: t.text(m.Reason, maxLine)}
}

// component returns c completed from the report's findings.
func (t *trimmer) component(c report.Component, r report.Report, p plan) Component {
	x := Component{ID: t.text(string(c.Name), maxWord), Status: c.Status, Since: utc(c.Since), State: cmp.Or(c.State, report.Seen)}
	worst := report.Finding{}
	for _, f := range r.Findings {
		if f.Component != c.Name {
			continue
		}
		x.Flapping = x.Flapping || f.Flapping
		if f.Severity.Rank() > x.Severity.Rank() {
			x.Severity = f.Severity
		}
		if worst.Rule == "" || f.Impact.Rank() > worst.Impact.Rank() {
			worst = f // the first of equal impact: the list is sorted worst first
		}
	}
	x.Reason = t.text(worst.Rule, maxWord)
	switch {
	case c.Status == report.UnderMaintenance:
		x.Reason = "maintenance"
	case x.Reason == "" && c.Status == report.Unknown:
		x.Reason = "not_seen"
	}
	x.Summary = public(x.ID, c.Status)
	x.Guests = t.guests(c.Guests, p.names)
	if p.detail {
		x.Detail, x.Partly, x.Remedy = t.text(c.Summary, maxLine), t.text(c.Partly, maxLine), t.text(c.Remedy, maxLine)
	}
	return x
}

// public returns the status of a component for customers, without internal names.
func public(name string, status report.Impact) string {
	if status == report.Unknown {
		return name + ": not known"
	}
	return name + ": " + strings.ReplaceAll(string(status), "_", " ")
}

// utc returns t in UTC, or zero if JSON cannot represent it.
func utc(t time.Time) time.Time {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}
