package rule

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/bounds"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Markdown renders docs/rules.md. Each rule has its own section, headed by the id
// that the runbook links of findings use as anchor.
func Markdown(b RuleSet) string {
	var w strings.Builder
	w.WriteString(`# Rules

<!-- Generated from the rules: change internal/rule, then run "make docs". -->

These are the failure patterns that nodewatch detects, worst first. A finding is raised once it has been seen for the time under
*timing*, and cleared once it has not been seen for the time stated there; both apply to each severity. A finding that is read
from a setting is raised at once and cleared after a minute. **Losing visibility is not recovery**: while a source that a finding
depends on is unavailable, the finding neither clears nor becomes milder, and is marked ` + "`blind`" + ` with the time it was last seen.

*Severity* (info, warning, critical) is for on-call. *Impact* is the effect on customers, and is shown on the status page.

Thresholds are set in the configuration file, by rule; any rule can be switched off:

` + "```yaml\nrules:\n  nic-saturated:\n    share: 0.95\n  kernel-known-bug:\n    off: true\n```" + `

| rule | severity | component | description |
|---|---|---|---|
`)
	for _, r := range b.Rules {
		fmt.Fprintf(&w, "| [%s](#%s) | %s | %s | %s |\n", r.ID, r.ID, severities(r), r.Component, cell(r.Title))
	}
	for _, r := range b.Rules {
		w.WriteString(section(r))
	}
	return w.String()
}

// section renders one rule.
func section(r Rule) string {
	var w strings.Builder
	fmt.Fprintf(&w, "\n## %s\n\n%s.\n\n%s\n\n", r.ID, capital(r.Title), r.About)
	for _, fact := range Properties(r) {
		fmt.Fprintf(&w, "- **%s**: %s\n", capital(fact[0]), fact[1])
	}
	if limits := Limits(r); len(limits) > 0 {
		w.WriteString("\n| threshold | default | from | to | description |\n|---|---|---|---|---|\n")
		for _, l := range limits {
			fmt.Fprintf(&w, "| `%s` | %s | %s | %s | %s |\n", l.Name, l.Value, l.Min, l.Max, cell(l.Doc))
		}
	}
	if len(r.Do) > 0 {
		w.WriteString("\nWhat to do:\n\n")
		for i, do := range r.Do {
			fmt.Fprintf(&w, "%d. %s\n", i+1, do)
		}
	}
	return w.String()
}

// Properties are the names and texts that describe every rule in docs/rules.md and in
// the terminal.
func Properties(r Rule) [][2]string {
	list := [][2]string{{"severity", r.Severity}}
	if r.Impact != "" {
		list = append(list, [2]string{"impact", r.Impact})
	}
	list = append(list, [2]string{"component", string(r.Component)}, [2]string{"timing", when(r)})
	if len(r.Explains) > 0 {
		list = append(list, [2]string{"explains", strings.Join(r.Explains, ", ")})
	}
	if len(r.Needs) > 0 {
		list = append(list, [2]string{"needs", strings.Join(r.Needs, ", ")})
	} else {
		list = append(list, [2]string{"needs", "no source"})
	}
	return list
}

// when describes how long a rule's findings must be observed before they are raised,
// and how long they stay raised.
func when(r Rule) string {
	return "raised " + perSeverity(r, r.For, "at once", "once seen for ") + "; cleared " +
		perSeverity(r, r.KeepFiringFor, "as soon as it is no longer observed", "once not seen for ")
}

// perSeverity formats a timing: one phrase if it is the same for all severities of
// the rule.
func perSeverity(r Rule, t Timing, zero, other string) string {
	word := func(d time.Duration) string {
		if d == 0 {
			return zero
		}
		return other + bounds.Text(reflect.ValueOf(d))
	}
	var parts []string
	var same []time.Duration
	for _, s := range []report.Severity{report.Info, report.Warning, report.Critical} {
		if strings.Contains(r.Severity, string(s)) {
			parts = append(parts, string(s)+" "+word(t.Of(s)))
			same = append(same, t.Of(s))
		}
	}
	if len(slices.Compact(same)) == 1 {
		return word(same[0])
	}
	return strings.Join(parts, ", ")
}

// Severities returns the severities that the rule can have, lowest first.
func (r Rule) Severities() []report.Severity {
	var list []report.Severity
	for _, s := range []report.Severity{report.Info, report.Warning, report.Critical} {
		if strings.Contains(r.Severity, string(s)) {
			list = append(list, s)
		}
	}
	return list
}

func severities(r Rule) string {
	var list []string
	for _, s := range r.Severities() {
		list = append(list, string(s))
	}
	return strings.Join(list, ", ")
}

// Describe explains one rule for a terminal that is width columns wide.
func Describe(r Rule, width int) string {
	var w strings.Builder
	indented := func(text, indent string) string { return wrapped(text, indent, max(width-len(indent), 20)) }
	fmt.Fprintf(&w, "%s\n\n%s\n\n", indented(r.ID+": "+r.Title, ""), indented(r.About, ""))
	for _, fact := range Properties(r) {
		fmt.Fprintf(&w, "%-10s %s\n", fact[0], indented(fact[1], "           "))
	}
	if limits := Limits(r); len(limits) > 0 {
		fmt.Fprintf(&w, "\n%s\n", indented("Thresholds (rules."+r.ID+" in the configuration file)", ""))
		for _, l := range limits {
			fmt.Fprintf(&w, "  %s: %s\n      %s\n", l.Name, l.Value, indented(l.Doc+"; "+l.Allowed, "      "))
		}
	}
	if len(r.Do) > 0 {
		w.WriteString("\nWhat to do\n")
		for i, do := range r.Do {
			fmt.Fprintf(&w, "  %d. %s\n", i+1, indented(strings.ReplaceAll(do, "`", ""), "     "))
		}
	}
	return w.String()
}
