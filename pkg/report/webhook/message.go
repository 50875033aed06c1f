package webhook

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
)

// listed is the maximum number of changes in a text, which states the number of the
// others.
const listed = 3

// The maximum length of each part of a text: characters, and bytes of a command. A
// longer command is omitted, because a truncated one must not be pasted.
const (
	mostSummary = 300
	mostAlso    = 120
	mostDo      = 200
	mostCommand = 600
)

// A message is one message to send.
type message struct {
	event  changes.Event
	report report.Report
	state  bool   // it contains the whole report instead of changes
	text   string // text for people
}

func characters(n int, text string) string { return limit{n, inRunes}.cut(singleLine(text)) }

// texts returns the message in words, in decreasing length: complete, without the
// command, the worst change only.
func texts(e changes.Event, page string) []string {
	if e.Test {
		return []string{fmt.Sprintf("TEST from nodewatch on %s: please ignore\n%s", singleLine(e.Node),
			strings.TrimPrefix(singleLine(e.Site)+", ", ", ")+clock(e.At, e.At))}
	}
	all := []string{}
	for _, short := range []struct{ command, also bool }{{true, true}, {false, true}, {false, false}} {
		lines := append([]string{headline(e)}, about(e)...)
		lines = append(lines, advice(e.Changes[0], short.command)...)
		if f := e.Changes[0].Finding; f != nil && f.Runbook != "" {
			lines = append(lines, "runbook: "+singleLine(f.Runbook))
		}
		if short.also {
			lines = append(lines, also(e)...)
		}
		if page != "" {
			lines = append(lines, "page: "+page)
		}
		all = append(all, strings.Join(lines, "\n"))
	}
	return all
}

// headline returns the severity, the place and the summary in one line.
func headline(e changes.Event) string {
	c := e.Changes[0]
	return label(c) + " " + singleLine(e.Node) + ": " + characters(mostSummary, c.Summary)
}

// label returns the severity, and the kind of the change.
func label(c changes.Change) string {
	was := " (was " + string(c.From) + ")"
	upper := strings.ToUpper(string(c.Severity()))
	switch c.Kind {
	case changes.Worse, changes.Milder:
		if c.From == c.To {
			return upper
		}
		return upper + was
	case changes.Blind:
		return upper + ", BLIND"
	case changes.Seen:
		return upper + ", SEEN AGAIN"
	case changes.Missed, changes.Cleared:
		return strings.ToUpper(string(c.Kind)) + was
	}
	return upper
}

// about returns the time, the impact on customers, and the place.
func about(e changes.Event) []string {
	c := e.Changes[0]
	when := "since " + clock(c.Since, e.At)
	switch c.Kind {
	case changes.Cleared, changes.Missed:
		when = "from " + clock(c.Since, e.At) + " to " + clock(c.At, e.At) + ", " + span(c.At.Sub(c.Since))
	default:
		when += ", " + span(e.At.Sub(c.Since))
	}
	impact := "; impact: " + impactText(c.Impact)
	if c.ImpactFrom != "" {
		impact += " (was " + impactText(c.ImpactFrom) + ")"
	}
	lines := []string{when + impact}
	if c.Kind == changes.Blind && c.Finding != nil {
		lines = append(lines, "last seen "+clock(c.Finding.LastSeen, e.At)+": whether it still applies is unknown")
	}
	if c.To == report.Clear && e.Raised == 0 {
		lines = append(lines, "nothing else is raised")
	} else if c.To == report.Clear {
		lines = append(lines, fmt.Sprintf("still raised: %d", e.Raised))
	}
	if m := e.Maintenance; m != nil {
		lines = append(lines, "under maintenance until "+clock(m.Until, e.At)+" by "+characters(mostDo, m.By+": "+m.Reason))
	}
	if f := c.Finding; f != nil && f.Accepted != nil {
		lines = append(lines, "accepted until "+clock(f.Accepted.Until, e.At)+" by "+characters(mostDo,
			f.Accepted.By+": "+f.Accepted.Reason))
	}
	return append(lines, where(e))
}

// where returns the site and the finding.
func where(e changes.Event) string {
	c := e.Changes[0]
	parts := []string{}
	if e.Site != "" {
		parts = append(parts, singleLine(e.Site))
	}
	return strings.Join(append(parts, singleLine(string(c.Component)), strings.TrimSpace(singleLine(c.Rule+" "+c.Subject))), ", ")
}

// advice returns the next step: the first that has a command.
func advice(c changes.Change, command bool) []string {
	if c.Finding == nil || len(c.Finding.Advice) == 0 || c.Kind == changes.Seen {
		return nil
	}
	a := c.Finding.Advice[0]
	for _, x := range c.Finding.Advice {
		if x.Command != "" {
			a = x
			break
		}
	}
	lines := []string{"next: " + characters(mostDo, a.Do)}
	if command && a.Command != "" && len(a.Command) <= mostCommand && !strings.ContainsFunc(a.Command, unpasteable) {
		lines = append(lines, a.Command)
	}
	return lines
}

// unpasteable reports whether the character prevents a command from being shown
// unchanged.
func unpasteable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// also returns the other changes: some of them, and the number of the rest.
func also(e changes.Event) []string {
	var lines []string
	for _, c := range e.Changes[1:min(len(e.Changes), listed)] {
		lines = append(lines, "also "+label(c)+": "+characters(mostAlso, c.Summary))
	}
	if rest := len(e.Changes) + e.More - listed; rest > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", rest))
	}
	return lines
}

// impactText returns an impact in plain text.
func impactText(i report.Impact) string { return strings.ReplaceAll(string(i), "_", " ") }

// clock returns a time of day in UTC, with the date unless it is today's.
func clock(t, now time.Time) string {
	t = t.UTC()
	switch y, m, d := now.UTC().Date(); {
	case t.IsZero():
		return "an unknown time"
	case t.Year() == y && t.Month() == m && t.Day() == d:
		return t.Format("15:04:05") + " UTC"
	}
	return t.Format("2006-01-02 15:04:05") + " UTC"
}

// span returns a duration in its two largest units.
func span(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	days, hours, minutes, seconds := d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %d s", minutes, seconds)
	}
	return fmt.Sprintf("%d s", seconds)
}
