package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// How much a plugin says: what reads it may keep as little as 4 KiB.
const (
	maxPluginText     = 300 // bytes of the text of one line
	maxPluginFindings = 8
	maxPluginItems    = 3 // pieces of evidence, or of advice, of one finding
)

// Nagios is the report as the output of a monitoring plugin: the line
// "NODEWATCH STATUS - text | perfdata", then what is behind it, a line each. The
// exit code to go with it is ExitCode. No text can end the line, begin perfdata
// or open a quote.
func Nagios(r report.Report) string {
	v := verdictOn(r)
	var b strings.Builder
	text := v.Line
	if v.More != "" {
		text = strings.TrimSuffix(text, ".") + "; " + v.More
	}
	fmt.Fprintf(&b, "NODEWATCH %s - %s | %s\n", v.Word, inert(text), perfdata(r))
	for _, f := range r.Findings[:min(len(r.Findings), maxPluginFindings)] {
		fmt.Fprintf(&b, "%s %s\n", strings.ToUpper(string(f.Severity)), inert(finding(f.Rule, f.Subject)+": "+f.Summary))
		fmt.Fprintf(&b, "  %s\n", inert(hitOf(f, r.At)))
		for _, m := range marksOf(f, r.At) {
			fmt.Fprintf(&b, "  %s\n", inert(m))
		}
		for _, e := range f.Evidence[:min(len(f.Evidence), maxPluginItems)] {
			fmt.Fprintf(&b, "  for: %s\n", inert(fact(e, r.At)))
		}
		for _, e := range f.Against[:min(len(f.Against), maxPluginItems)] {
			fmt.Fprintf(&b, "  against: %s\n", inert(fact(e, r.At)))
		}
		for _, a := range f.Advice[:min(len(f.Advice), maxPluginItems)] {
			fmt.Fprintf(&b, "  do: %s\n", inert(step(a)))
		}
	}
	if more := len(r.Findings) - maxPluginFindings; more > 0 {
		fmt.Fprintf(&b, "and %s\n", plural(more, "more finding", "more findings"))
	}
	for _, s := range sourcesOf(r) {
		if s.place() == 0 {
			fmt.Fprintf(&b, "blind: %s\n", inert(strings.Join([]string{s.Name, s.State, s.Since, s.Error}, " ")))
		}
	}
	return b.String()
}

// perfdata are the numbers of findings by severity, of sources that are blind and
// of components that are not known.
func perfdata(r report.Report) string {
	n := map[report.Severity]int{}
	for _, f := range r.Findings {
		n[f.Severity]++
	}
	dark, unknown := 0, 0
	for _, s := range sourcesOf(r) {
		if s.place() == 0 {
			dark++
		}
	}
	for _, c := range r.Components {
		if c.Status == report.Unknown {
			unknown++
		}
	}
	return fmt.Sprintf("critical=%d;;0;0 warning=%d;0;;0 info=%d;;;0 blind_sources=%d;;;0 unknown_components=%d;;;0",
		n[report.Critical], n[report.Warning], n[report.Info], dark, unknown)
}

// fact is a piece of evidence in one line.
func fact(e report.Evidence, now time.Time) string {
	what := e.Source
	if e.Subject != "" {
		what += " " + e.Subject
	}
	return fmt.Sprintf("%s %s: %s", hour(e.At, now), what, said(e))
}

// step is a piece of advice in one line. A command that would not come through
// unchanged is left out: half a command does harm.
func step(a report.Advice) string {
	if a.Command == "" || inert(a.Command) != a.Command {
		return a.Do
	}
	return a.Do + ": " + a.Command
}

// inert takes out of a text what means something to a monitoring system or to the
// shell it starts for a notification, and cuts it to 300 bytes.
func inert(s string) string {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '|':
			return '/'
		case '\'', '"', '`', '\\', '$', '<', '>', '&':
			return -1
		}
		return r
	}, Printable(s))
	if len(s) <= maxPluginText {
		return s
	}
	cut := maxPluginText
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}
