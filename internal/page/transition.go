package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// clear is what a finding that is not raised counts as in a transition.
const clear = "clear"

// TransitionLine is one change of verdict in one line of text, without a line
// break: when, what became of it, which finding, and what it says.
func TransitionLine(t report.Transition) string {
	line := fmt.Sprintf("%s  %-8s %-8s  %s", t.At.UTC().Format(time.RFC3339), change(t), level(t), finding(t.Rule, t.Subject))
	if t.To != clear && t.Impact != report.Operational {
		line += " (" + plain(t.Impact) + ")"
	}
	if t.State == report.Blind && t.To != clear {
		line += " (its sources are blind)"
	}
	return clean(line + ": " + t.Summary)
}

// level is the severity a transition is about: the new one or, once cleared, the
// one it had.
func level(t report.Transition) string {
	if t.To == clear {
		return t.From
	}
	return t.To
}

// change is what a transition does to its finding, in one word.
func change(t report.Transition) string {
	from, to := report.Severity(t.From).Rank(), report.Severity(t.To).Rank()
	switch {
	case t.From == clear:
		return "raised"
	case t.To == clear:
		return "cleared"
	case to > from:
		return "worse"
	case to < from:
		return "milder"
	}
	return "changed"
}

// finding names a finding: its rule, and what it is about.
func finding(rule, subject string) string {
	if subject == "" {
		return rule
	}
	return strings.Join([]string{rule, subject}, " ")
}
