package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Limits on the parts of a report that the page shows.
const (
	maxFindings    = 50
	firstFindings  = 8 // findings before the fold
	maxFacts       = 30
	maxTransitions = 30
)

// A findingView shows a finding.
type findingView struct {
	report.Finding
	Tone     tone
	Word     string
	Hit      string
	Marks    []string // its marks, such as acknowledged or flapping
	Hits     *guestsView
	By       string // the findings that explain it; empty: none
	ID       string
	Evidence []factView
	Against  []factView

	Explained     []findingView
	MoreExplained int
}

// findingsOf returns the unexplained findings, each with the findings that it explains, and
// how many of the former are left out. At most maxFindings are returned in all, unexplained
// ones first. top are the guests that the page already names; nil: none.
func findingsOf(r report.Report, top *guestsView) (list []findingView, more int) {
	groups := groupsOf(r)
	visible := groups[:min(len(groups), maxFindings)]
	room := maxFindings - len(visible)
	for _, g := range visible {
		v := findingOf(g.Finding, r.At, top)
		n := min(len(g.Explained), room)
		room -= n
		for _, f := range g.Explained[:n] {
			one := findingOf(f, r.At, top)
			one.By = explainedBy(f)
			v.Explained = append(v.Explained, one)
		}
		v.MoreExplained = len(g.Explained) - n
		list = append(list, v)
	}
	return list, len(groups) - len(visible)
}

func findingOf(f report.Finding, now time.Time, top *guestsView) findingView {
	v := findingView{
		Finding: f, Tone: toneOf(f.Severity), Word: strings.ToUpper(string(f.Severity)), Hit: impactText(f, now), Hits: guestsOf(f.Guests),
		Marks: marksOf(f, now), ID: idOf(f), Evidence: evidenceOf(f.Evidence, now), Against: evidenceOf(f.Against, now),
	}
	if v.Hits != nil && top != nil && v.Hits.Names == top.Names {
		v.Hits.Names = ""
	}
	return v
}

// AllExplained returns the number of findings it explains.
func (v findingView) AllExplained() string {
	return plural(len(v.Explained)+v.MoreExplained, "finding explained by this one", "findings explained by this one")
}

// impactText describes the customer impact and its start.
func impactText(f report.Finding, now time.Time) string {
	switch {
	case f.Impact != report.Operational && f.LevelSince.After(f.Since):
		return fmt.Sprintf("%s since %s, seen since %s", plain(f.Impact), from(f.LevelSince, now), from(f.Since, now))
	case f.Impact != report.Operational:
		return fmt.Sprintf("%s since %s", plain(f.Impact), from(f.Since, now))
	case f.Severity == report.Info || f.Component == selfComponent:
		return "since " + from(f.Since, now)
	}
	return fmt.Sprintf("no impact yet, since %s", from(f.Since, now))
}

// impactAndGuests returns impactText and the affected guests.
func impactAndGuests(f report.Finding, now time.Time) string {
	if g := guestsOf(f.Guests); g != nil {
		return impactText(f, now) + "; " + g.Text
	}
	return impactText(f, now)
}

// A componentView shows a component.
type componentView struct {
	Name                 report.ComponentName
	Word, Since, Summary string
	Tone                 tone
	Hits                 string // number of affected guests; may be empty
	Partly, Remedy       string // the unknown part of it and the remedy; may be empty
}

func componentsOf(r report.Report) []componentView {
	var list []componentView
	for _, c := range r.Components {
		v := componentView{
			Name: c.Name, Word: plain(c.Status), Since: from(c.Since, r.At), Summary: c.Summary, Tone: toneOfImpact(c.Status),
			Partly: c.Partly, Remedy: c.Remedy,
		}
		if g := guestsOf(c.Guests); g != nil {
			v.Hits = g.Text
		}
		list = append(list, v)
	}
	return list
}

// A transitionView shows a transition.
type transitionView struct {
	At                         moment
	Change, Word, Name, Detail string
	Notes                      []string
	Tone                       tone
}

// transitionsOf returns the latest transitions, latest first.
func transitionsOf(r report.Report) []transitionView {
	var list []transitionView
	for _, t := range r.Transitions[max(0, len(r.Transitions)-maxTransitions):] {
		v := transitionView{momentOf(t.At, r.At), change(t), string(level(t)), finding(t.Rule, t.Subject), t.Summary, notesOf(t),
			toneOf(t.To)}
		if t.To == report.Clear {
			v.Tone = good
		}
		list = append(list, v)
	}
	slices.Reverse(list)
	return list
}

// A sourceView shows a source.
type sourceView struct {
	Name, State, Age, Since, Error, Partly, Remedy string
	Tone                                           tone
}

// sourcesOf returns the sources, blind ones first and those absent on this machine last.
func sourcesOf(r report.Report) []sourceView {
	var list []sourceView
	for _, s := range r.Sources {
		v := sourceView{Name: s.Name, State: s.State, Age: "never read", Error: s.Error, Partly: s.Partly, Remedy: s.Remedy,
			Tone: toneOfSource(s.State)}
		if !s.Last.IsZero() {
			v.Age = "read " + span(r.At.Sub(s.Last)) + " ago"
		}
		if s.State != "ok" {
			v.Since = "since " + from(s.Since, r.At)
		}
		list = append(list, v)
	}
	slices.SortStableFunc(list, func(a, b sourceView) int { return a.place() - b.place() })
	return list
}

// place returns the sort position of a source: those that need attention first,
// absent ones last.
func (s sourceView) place() int {
	switch s.State {
	case "starting":
		return 2
	case "ok":
		if s.Partly != "" {
			return 1
		}
		return 3
	case "held", "absent":
		return 4
	}
	return 0
}

// RemedyHeading returns the heading of the remedy.
func (s sourceView) RemedyHeading() string {
	if s.Partly != "" {
		return "To see everything: "
	}
	return "To enable: "
}
