package heartbeat

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A state is the state reported by a beat.
type state string

// The states of a beat.
const (
	up     state = "up"
	down   state = "down"
	silent state = "silent" // no beat
	logged state = "logged" // a note that is not a beat
)

// verdict returns the state for the Report's impact in a service that has only up and
// down, and the reason in one line.
func (c Config) verdict(r report.Report) (state, string) {
	switch {
	case r.Maintenance != nil:
		m := r.Maintenance
		return up, singleLine(fmt.Sprintf("under maintenance until %s UTC by %s: %s", m.Until.UTC().Format(time.DateTime), m.By, m.Reason))
	case r.Status == report.UnderMaintenance:
		return up, "under maintenance"
	case r.Status == report.Unknown:
		return state(c.Unknown), "its state is unknown: " + reason(r)
	case r.Status.Rank() >= c.DownFrom.Rank():
		return down, impactText(r.Status) + ": " + reason(r)
	case r.Status == report.Operational:
		return up, impactText(r.Status)
	}
	return up, impactText(r.Status) + ": " + reason(r)
}

// reason returns the summary of the worst finding or, if none has that impact, of the
// worst component.
func reason(r report.Report) string {
	for _, f := range r.Findings {
		if f.Impact == r.Status && f.Summary != "" {
			return singleLine(f.Summary)
		}
	}
	for _, c := range r.Components {
		if c.Status == r.Status && c.Summary != "" {
			return singleLine(string(c.Name) + ": " + c.Summary)
		}
	}
	return "no reason is known"
}

// evidence returns everything that an operator may want to read, in lines.
func evidence(r report.Report, text string) string {
	lines := []string{singleLine(r.Node) + ": " + text}
	if r.Site != "" {
		lines = append(lines, "site: "+singleLine(r.Site))
	}
	for _, c := range r.Components {
		if c.Status != report.Operational {
			lines = append(lines, strings.TrimSuffix(singleLine(string(c.Name))+": "+impactText(c.Status)+": "+singleLine(c.Summary), ": "))
		}
	}
	for _, f := range r.Findings {
		lines = append(lines, "", strings.ToUpper(string(f.Severity))+" "+singleLine(f.Rule+" "+f.Subject)+": "+singleLine(f.Summary),
			"since "+f.Since.UTC().Format(time.RFC3339))
		for _, e := range f.Evidence {
			lines = append(lines, "- "+singleLine(e.Subject+" "+e.Fact))
		}
		if f.Runbook != "" {
			lines = append(lines, "runbook: "+singleLine(f.Runbook))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func impactText(i report.Impact) string { return strings.ReplaceAll(string(i), "_", " ") }

// singleLine returns the text as one line, without unprintable characters.
func singleLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.Join(strings.Fields(text), " ")
}

// cut shortens a valid text to that many bytes, at a character boundary and with an
// ellipsis.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := max(most-len("…"), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	if most < len("…") {
		return ""
	}
	return text[:end] + "…"
}
