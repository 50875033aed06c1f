package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Limits of a plugin's output. Nagios and Icinga keep 8 KiB of it.
const (
	maxPlugin         = 8000 // bytes in total
	maxPluginText     = 300  // bytes of the first line's text, and of a finding's text
	maxPluginFindings = 8    // findings whose details precede any further finding
)

// Nagios returns the report as the output of a monitoring plugin, and its exit code:
// the line "NODEWATCH STATUS - text | perfdata", then the details, one line each. A
// one-shot report, made without a daemon, is at least a warning because the node is
// not monitored. No text can end the line, begin perfdata or open a double quote. A
// detail that does not fit is left out as a whole, the least important first, and the
// last line reports this; a command is never changed.
func Nagios(r report.Report, oneShot bool) (output string, code int) {
	v := verdictOn(r)
	text := v.Line
	if v.More != "" {
		text = strings.TrimSuffix(text, ".") + "; " + v.More
	}
	if oneShot {
		text = "one-shot check, no daemon answers: " + text
		if v.Code == exitOK {
			v.Code, v.Word = exitWarning, "WARNING"
		}
	}
	first := fmt.Sprintf("NODEWATCH %s - %s | %s\n", v.Word, cut(sanitizeNagios(text)), perfdata(r))
	return first + details(r, maxPlugin-len(first)), v.Code
}

// NagiosUnknown returns the output of a monitoring plugin that has no report, for the
// reason given, and its exit code. The reason may contain texts of a server.
func NagiosUnknown(reason string) (output string, code int) {
	const status = "NODEWATCH UNKNOWN - "
	text := sanitizeNagios(reason)
	if most := maxPlugin - len(status) - len("…\n"); len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return status + text + "\n", exitUnknown
}

// A detail is one line of a plugin's long output.
type detail struct {
	text string
	rank int // details with the highest rank are left out first
	of   int // the detail that it belongs to; itself if none
}

// details returns the details after the first line, in at most size bytes.
func details(r report.Report, size int) string {
	list := detailsOf(r)
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return list[a].rank - list[b].rank })
	const rest = "%d lines omitted; nodewatch check prints all\n"
	size -= len(rest) + 10
	taken, left := map[int]bool{}, 0
	for _, i := range order {
		d := list[i]
		if len(d.text) > size || d.of != i && !taken[d.of] {
			left++
			continue
		}
		taken[i], size = true, size-len(d.text)
	}
	var b strings.Builder
	for i, d := range list {
		if taken[i] {
			b.WriteString(d.text)
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, rest, left)
	}
	return b.String()
}

// The ranks of details: the details that on-call needs first have the lowest rank.
const (
	rankFinding = iota
	rankImpact
	rankAdvice
	rankExplained
	rankFor
	rankAgainst
	rankMore
)

// detailsOf returns the details in print order.
func detailsOf(r report.Report) []detail {
	var list []detail
	for i, g := range groupsOf(r) {
		f, head := g.Finding, len(list)
		add := func(rank int, format, text string) {
			if i >= maxPluginFindings {
				rank += rankMore
			}
			list = append(list, detail{fmt.Sprintf(format, text), rank, head})
		}
		add(rankFinding, strings.ToUpper(string(f.Severity))+" %s\n", cut(sanitizeNagios(finding(f.Rule, f.Subject)+": "+f.Summary)))
		add(rankImpact, "  %s\n", sanitizeNagios(impactAndGuests(f, r.At)))
		for _, m := range marksOf(f, r.At) {
			add(rankImpact, "  %s\n", sanitizeNagios(m))
		}
		for _, a := range f.Advice {
			add(rankAdvice, "  do: %s\n", step(a))
		}
		for _, e := range f.Evidence {
			add(rankFor, "  for: %s\n", sanitizeNagios(fact(e, r.At)))
		}
		for _, e := range f.Against {
			add(rankAgainst, "  against: %s\n", sanitizeNagios(fact(e, r.At)))
		}
		for _, x := range g.Explained {
			add(rankExplained, "  "+strings.ToUpper(string(x.Severity))+" %s\n",
				cut(sanitizeNagios(finding(x.Rule, x.Subject)+", "+explainedBy(x)+": "+x.Summary)))
		}
	}
	for _, s := range sourcesOf(r) {
		if s.place() == 0 {
			list = append(list, detail{fmt.Sprintf("unavailable: %s\n", sanitizeNagios(strings.Join([]string{s.Name, s.State, s.Since,
				s.Error}, " "))), rankImpact, len(list)})
		}
		if s.Partly != "" {
			list = append(list, detail{fmt.Sprintf("partly unknown: %s\n", sanitizeNagios(s.Name+": "+s.Partly)), rankMore, len(list)})
		}
	}
	return list
}

// perfdata returns the numbers of findings by severity, of blind sources and of
// unknown components.
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

// fact formats a piece of evidence in one line.
func fact(e report.Evidence, now time.Time) string {
	what := e.Source
	if e.Subject != "" {
		what += " " + e.Subject
	}
	return fmt.Sprintf("%s %s: %s", hour(e.At, now), what, said(e))
}

// step formats a piece of advice in one line. A command is shown complete or not at
// all, because half a command may do harm: a monitoring system interprets the text
// after a | as perfdata.
func step(a report.Advice) string {
	switch {
	case a.Command == "":
		return sanitizeNagios(a.Do)
	case strings.Contains(a.Command, "|") || Printable(a.Command) != a.Command:
		return sanitizeNagios(a.Do) + " (nodewatch check prints the command)"
	}
	return sanitizeNagios(a.Do) + ": " + a.Command
}

// sanitizeNagios removes the characters that have a special meaning to a monitoring system
// or to the shell that it starts for a notification. Apostrophes stay: they are frequent
// in texts, and notifications quote with double quotes.
func sanitizeNagios(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '|':
			return '/'
		case '"', '`', '\\', '$', '<', '>', '&':
			return -1
		}
		return r
	}, Printable(s))
}

// cut truncates a text to maxPluginText bytes.
func cut(s string) string {
	if len(s) <= maxPluginText {
		return s
	}
	end := maxPluginText
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end] + "..."
}
