package page

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Transition formats one transition for a terminal, with a trailing newline: its
// time, the kind of change, the finding and its summary.
func Transition(x report.Transition, s Style) string {
	t := &terminal{style: s}
	head, text := transitionParts(x)
	t.hanging(head, text)
	return t.b.String()
}

func transitionParts(t report.Transition) (head, text string) {
	text = finding(t.Rule, t.Subject)
	for _, note := range notesOf(t) {
		text += " (" + note + ")"
	}
	return fmt.Sprintf("%s  %-8s %-8s  ", t.At.UTC().Format(time.RFC3339), change(t), level(t)), Printable(text + ": " + t.Summary)
}

// notesOf returns the notes on a transition, except on one that clears: the current
// and the previous customer impact, and whether the finding can be observed.
func notesOf(t report.Transition) []string {
	var notes []string
	switch {
	case t.To == report.Clear:
		return nil
	case t.ImpactFrom != "" && (t.ImpactFrom != report.Operational || t.From == t.To):
		notes = append(notes, fmt.Sprintf("impact from %s to %s", plain(t.ImpactFrom), plain(t.Impact)))
	case t.Impact != report.Operational:
		notes = append(notes, plain(t.Impact))
	}
	switch {
	case t.State == report.Blind:
		notes = append(notes, "its sources are blind")
	case change(t) == "seen":
		notes = append(notes, "its sources are available again")
	}
	return notes
}

// level returns the severity of a transition: the new one or, once cleared, the
// previous one.
func level(t report.Transition) report.Severity {
	if t.To == report.Clear {
		return t.From
	}
	return t.To
}

// change names the change of the finding in one word.
func change(t report.Transition) string {
	from, to := t.From.Rank(), t.To.Rank()
	if from == to && t.ImpactFrom != "" {
		from, to = t.ImpactFrom.Rank(), t.Impact.Rank()
	}
	switch {
	case t.From == report.Clear:
		return "raised"
	case t.To == report.Clear:
		return "cleared"
	case to > from:
		return "worse"
	case to < from:
		return "milder"
	}
	return cmp.Or(string(t.State), "changed") // only its visibility has changed: seen or blind
}

// finding names a finding: its rule and its subject.
func finding(rule, subject string) string {
	if subject == "" {
		return rule
	}
	return strings.Join([]string{rule, subject}, " ")
}
