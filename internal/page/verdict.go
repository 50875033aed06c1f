package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// The exit codes, by the convention of monitoring plugins.
const (
	exitOK = iota
	exitWarning
	exitCritical
	exitUnknown
)

// A verdict is a report in one line.
type verdict struct {
	Code int
	Tone tone
	Word string // OK, WARNING, CRITICAL, UNKNOWN
	Line string // the worst finding's summary, or why there is none
	More string // number of further findings; may be empty
}

// A tone is how an item is marked: by colour, word and icon.
type tone string

// The possible tones.
const (
	good    tone = "ok"
	info    tone = "info"
	warn    tone = "warning"
	bad     tone = "critical"
	unknown tone = "unknown"
)

// ExitCode returns the exit code for a report, by the convention of monitoring
// plugins: 2 if a critical finding is raised, 1 if a warning is, 3 if the network or
// the storage of the node cannot be observed and no finding about the node is raised,
// otherwise 0. Warnings about nodewatch's own sources do not hide that the node
// cannot be observed. Acknowledged findings do not count, and during a maintenance no
// finding does.
func ExitCode(r report.Report) int { return verdictOn(r).Code }

// StatusLine formats the report as one line, for a log or a service's status:
// "CRITICAL: " and the worst finding's summary.
func StatusLine(r report.Report) string {
	v := verdictOn(r)
	line := v.Word + ": " + v.Line
	if v.More != "" {
		line = strings.TrimSuffix(line, ".") + "; " + v.More
	}
	return Printable(line)
}

// verdictOn returns the verdict on a report.
func verdictOn(r report.Report) verdict {
	worst, found := leading(r)
	dark := unseen(r)
	switch {
	case r.Maintenance != nil:
		return verdict{Code: exitOK, Tone: info, Word: "OK", Line: working(*r.Maintenance), More: others(r, 0)}
	case found && worst.Severity == report.Critical:
		return verdictOf(exitCritical, bad, worst, r)
	case found && worst.Severity == report.Warning && (worst.Component != selfComponent || len(dark) == 0):
		return verdictOf(exitWarning, warn, worst, r)
	case len(dark) > 0:
		return verdict{Code: exitUnknown, Tone: unknown, Word: "UNKNOWN", Line: "cannot tell: " + strings.Join(dark, "; "),
			More: others(r, 0)}
	}
	line := "No known problems detected"
	if slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Accepted != nil }) {
		line = "only acknowledged findings"
	}
	return verdict{Code: exitOK, Tone: good, Word: "OK", Line: line, More: others(r, 0)}
}

// selfComponent is the component of findings about nodewatch itself.
const selfComponent = report.ComponentNodewatch

// leading returns the worst finding that is neither explained nor acknowledged; among
// equals one about the node.
func leading(r report.Report) (worst report.Finding, found bool) {
	for _, f := range groupsOf(r) {
		if f.Accepted != nil {
			continue
		}
		same := f.Severity == worst.Severity
		if !found || f.Severity.Rank() > worst.Severity.Rank() || same && worst.Component == selfComponent && f.Component != selfComponent {
			worst, found = f.Finding, true
		}
	}
	return worst, found
}

// unseen returns the components without which the state of the node is unknown, and
// why they cannot be observed.
func unseen(r report.Report) []string {
	var dark []string
	for _, c := range r.Components {
		if c.Status == report.Unknown && (c.Name == report.ComponentNetwork || c.Name == report.ComponentStorage) {
			dark = append(dark, string(c.Name)+" "+c.Summary)
		}
	}
	return dark
}

func verdictOf(code int, t tone, f report.Finding, r report.Report) verdict {
	line := f.Summary
	if f.State == report.Blind {
		line += fmt.Sprintf(" (last observed %s: its sources are unavailable)", hour(f.LastSeen, r.At))
	}
	return verdict{Code: code, Tone: t, Word: strings.ToUpper(string(f.Severity)), Line: line, More: beside(f, r)}
}

// beside describes how many findings the headline explains, and how many others are
// raised.
func beside(headline report.Finding, r report.Report) string {
	var parts []string
	n := 0
	for _, g := range groupsOf(r) {
		if refOf(g.Finding) == refOf(headline) {
			n = len(g.Explained)
		}
	}
	if n > 0 {
		parts = append(parts, plural(n, "finding explained by it", "findings explained by it"))
	}
	if more := others(r, 1+n); more != "" {
		parts = append(parts, more)
	}
	return strings.Join(parts, "; ")
}

// others describes how many findings there are besides those already mentioned.
func others(r report.Report, headline int) string {
	n := len(r.Findings) - headline
	switch {
	case n <= 0:
		return ""
	case headline > 0:
		return plural(n, "more finding", "more findings")
	case r.Worst() == report.Info:
		return plural(n, "note for information", "notes for information")
	}
	return plural(n, "finding", "findings")
}

// toneOf returns the tone of a severity.
func toneOf(s report.Severity) tone {
	switch s {
	case report.Critical:
		return bad
	case report.Warning:
		return warn
	}
	return info
}

// toneOfImpact returns the tone of a component's status.
func toneOfImpact(i report.Impact) tone {
	switch i {
	case report.Operational:
		return good
	case report.DegradedPerformance:
		return warn
	case report.PartialOutage, report.MajorOutage:
		return bad
	case report.UnderMaintenance:
		return info
	}
	return unknown
}

// toneOfSource returns the tone of a source's state.
func toneOfSource(state string) tone {
	switch state {
	case "ok":
		return good
	case "absent", "held", "starting":
		return info
	}
	return warn
}
