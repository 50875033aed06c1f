package rule

import (
	"fmt"
	"strings"
	"time"
)

// Markdown renders docs/rules.md: every rule of the book, each under its id, so
// that the id is the anchor findings point to.
func Markdown(b Book) string {
	var w strings.Builder
	w.WriteString(`# Rules

<!-- Made from the rules themselves: change internal/rule, then run "make docs". -->

Each failure pattern that nodewatch knows, worst first. A rule is raised once it has been seen without a break for its hold
time, and stays raised until it has not been seen for its keep time. A severity that rises shows at once; one that falls waits
for the keep time. **Losing sight is not recovery**: while a source that a rule needs is blind, what is raised stays raised,
marked ` + "`blind`" + ` with the time it was last seen.

*Severity* (info, warning, critical) is for on-call. *Impact* is what customers feel, and what the status page shows.

Thresholds are set in the configuration file, by rule; any rule can be switched off:

` + "```yaml\nrules:\n  nic-saturated:\n    share: 0.95\n  kernel-known-bug:\n    off: true\n```" + `

| rule | severity | component | what it is |
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
	for _, fact := range facts(r) {
		fmt.Fprintf(&w, "- **%s**: %s\n", capital(fact[0]), fact[1])
	}
	if limits := Limits(r); len(limits) > 0 {
		w.WriteString("\n| threshold | default | from | to | what it is |\n|---|---|---|---|---|\n")
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

// facts are what the program tells of every rule in the same words.
func facts(r Rule) [][2]string {
	list := [][2]string{{"severity", r.Severity}}
	if r.Impact != "" {
		list = append(list, [2]string{"impact", r.Impact})
	}
	list = append(list, [2]string{"component", string(r.Component)}, [2]string{"raised", when(r)})
	if len(r.Needs) > 0 {
		list = append(list, [2]string{"needs", strings.Join(r.Needs, ", ")})
	} else {
		list = append(list, [2]string{"needs", "no source"})
	}
	return list
}

// when says how a rule comes and goes.
func when(r Rule) string {
	raised, kept := "at once", "goes as soon as it is no longer seen"
	if r.Hold > 0 {
		raised = "once seen for " + spelledDuration(r.Hold)
	}
	if r.Keep > 0 {
		kept = "stays until not seen for " + spelledDuration(r.Keep)
	}
	if r.Fact != nil {
		kept += "; what is read off a setting comes and goes at once"
	}
	return raised + "; " + kept
}

// Table lists the rules of a book for a terminal, those that are switched off last.
func Table(b Book) string {
	rows := [][]string{{"RULE", "SEVERITY", "COMPONENT", "HOLD", "KEEP", "WHAT IT IS"}}
	row := func(r Rule, severity string) {
		rows = append(rows, []string{r.ID, severity, string(r.Component), short(r.Hold), short(r.Keep), r.Title})
	}
	for _, r := range b.Rules {
		row(r, severities(r))
	}
	for _, r := range All() {
		if _, on := b.Rule(r.ID); !on {
			row(r, "off")
		}
	}
	return columns(rows)
}

// severities are the severities of a rule without the words around them.
func severities(r Rule) string {
	var list []string
	for _, s := range []string{"info", "warning", "critical"} {
		if strings.Contains(r.Severity, s) {
			list = append(list, s)
		}
	}
	return strings.Join(list, ", ")
}

// short is a time for a table's cell.
func short(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return spelledDuration(d)
}

// Describe explains one rule for a terminal.
func Describe(r Rule) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s: %s\n\n%s\n\n", r.ID, r.Title, wrapped(r.About, "", 100))
	for _, fact := range facts(r) {
		fmt.Fprintf(&w, "%-10s %s\n", fact[0], wrapped(fact[1], "           ", 89))
	}
	if limits := Limits(r); len(limits) > 0 {
		fmt.Fprintf(&w, "\nThresholds (rules.%s in the configuration file)\n", r.ID)
		for _, l := range limits {
			fmt.Fprintf(&w, "  %s: %s\n      %s; %s\n", l.Name, l.Value, wrapped(l.Doc, "      ", 94), l.Allowed)
		}
	}
	if len(r.Do) > 0 {
		w.WriteString("\nWhat to do\n")
		for i, do := range r.Do {
			fmt.Fprintf(&w, "  %d. %s\n", i+1, wrapped(strings.ReplaceAll(do, "`", ""), "     ", 95))
		}
	}
	return w.String()
}
