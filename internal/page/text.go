package page

import (
	"fmt"
	"strings"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Limits on the contents of the summary for a terminal.
const (
	maxTextFindings = 20
	maxTextFacts    = 12
	maxTextDisks    = 10
	gaugeWidth      = 12
)

// A Style describes how text is formatted for a terminal.
type Style struct {
	Color bool
	Width int  // columns; 0: lines are not wrapped
	Whole bool // commands are not wrapped, however long they are
}

// Paragraph formats a text, wrapped to the width, with a trailing newline.
func Paragraph(text string, s Style) string { return Item(0, "", text, s) }

// Item formats a label and a text that is wrapped to the right of it, with a trailing
// newline.
func Item(indent int, label, text string, s Style) string {
	t := &terminal{style: s}
	t.item(indent, "", label, text)
	return t.b.String()
}

// Command formats a command, wrapped only in such a way that it can be pasted, with a trailing
// newline.
func Command(indent int, text string, s Style) string {
	t := &terminal{style: s}
	t.command(indent, text)
	return t.b.String()
}

// Summary formats the verdict on a report for a terminal, with the first steps, and
// the current or last incident.
func Summary(r report.Report, s Style) string {
	t := &terminal{style: s}
	t.verdict(r)
	t.incident(r)
	return t.b.String()
}

// Text formats a View for a terminal: the verdict and the first steps, then the rest.
// If the View has a Report and no Snapshot, as in a client of the daemon, it formats
// the Report only. Without color the text can be pasted into a ticket. Wrapped
// commands can be pasted with their line breaks.
func Text(v judge.View, s Style) string {
	r := v.Report
	t := &terminal{style: s}
	t.verdict(r)
	t.incident(r)
	t.components(r)
	t.findings(r)
	if !v.Now.IsZero() {
		t.bonds(bondsOf(v), pathsOf(v))
		t.disks(disksOf(v))
	}
	t.sources(r)
	t.reporters(v)
	return t.b.String()
}

func (t *terminal) verdict(r report.Report) {
	v := verdictOn(r)
	t.item(0, v.Tone, r.Node+": "+v.Word, v.Line)
	var more []string
	if worst, found := leading(r); found && (v.Code == exitWarning || v.Code == exitCritical) {
		more = append(more, impactAndGuests(worst, r.At))
	}
	if v.More != "" {
		more = append(more, v.More)
	}
	if len(more) > 0 {
		t.line(2, strings.Join(more, "; "))
	}
	for i, a := range firstSteps(r) {
		label := "Do this first:"
		if i > 0 {
			label = "Next:"
		}
		t.item(2, v.Tone, label, a.Do)
		t.command(4, a.Command)
	}
	t.line(2, fmt.Sprintf("Report of %s by nodewatch %s", stamp(r.At), r.Version))
}

// firstSteps returns the first steps, as on the page or, if the node cannot be observed,
// how to enable that.
func firstSteps(r report.Report) []report.Advice {
	switch verdictOn(r).Code {
	case exitOK:
		return nil
	case exitWarning, exitCritical:
		if worst, found := leading(r); found {
			if first := firstOf(worst); first != nil {
				return first.Steps
			}
		}
		return nil
	}
	for _, s := range sourcesOf(r) {
		if s.place() == 0 && s.Remedy != "" {
			return []report.Advice{{Do: s.Name + ": " + s.Remedy}}
		}
	}
	return nil
}

func (t *terminal) components(r report.Report) {
	t.head("Components")
	for _, c := range componentsOf(r) {
		text := "since " + c.Since
		if c.Hits != "" {
			text += ", " + c.Hits
		}
		if c.Tone == unknown {
			text += ": " + c.Summary
		}
		t.item(2, c.Tone, fmt.Sprintf("%-10s %-20s", c.Name, c.Word), text)
		if c.Partly != "" {
			t.item(4, unknown, "partly unknown", c.Partly)
			if c.Remedy != "" {
				t.line(4, "To see everything: "+c.Remedy)
			}
		}
	}
}

func (t *terminal) findings(r report.Report) {
	groups := groupsOf(r)
	if len(groups) == 0 {
		return
	}
	t.head("Findings")
	visible := groups[:min(len(groups), maxTextFindings)]
	room := maxTextFindings - len(visible)
	for _, g := range visible {
		f := g.Finding
		t.item(2, toneOf(f.Severity), strings.ToUpper(string(f.Severity)), finding(f.Rule, f.Subject)+", "+impactText(f, r.At))
		t.line(4, f.Summary)
		for _, m := range marksOf(f, r.At) {
			t.line(4, m)
		}
		if v := guestsOf(f.Guests); v != nil {
			t.guests(4, "guests ", v)
		}
		t.advice(4, f.Advice)
		for _, e := range f.Evidence[:min(len(f.Evidence), maxTextFacts)] {
			t.item(4, "", "for    ", fact(e, r.At))
		}
		for _, e := range f.Against[:min(len(f.Against), maxTextFacts)] {
			t.item(4, "", "against", fact(e, r.At))
		}
		if f.Runbook != "" {
			t.runbookLine(4, f.Rule, f.Runbook)
		}
		n := min(len(g.Explained), room)
		room -= n
		for _, x := range g.Explained[:n] {
			t.explained(x, r.At)
		}
		if more := len(g.Explained) - n; more > 0 {
			t.line(4, "explains "+plural(more, "more finding", "more findings"))
		}
	}
	if more := len(groups) - len(visible); more > 0 {
		t.line(2, "and "+plural(more, "more finding", "more findings"))
	}
}

func (t *terminal) bonds(b bondsView, p pathsView) {
	t.head("Bonds")
	for _, n := range b.Notes {
		t.item(2, unknown, "?", n)
	}
	if b.Known && len(b.Bonds) == 0 {
		t.line(2, "this node has no bond")
	}
	for _, one := range b.Bonds {
		parts := []string{one.Mode}
		for _, more := range append([]string{one.Policy, one.Krbd}, one.Facts...) {
			if more != "" {
				parts = append(parts, more)
			}
		}
		t.item(2, "", one.Name, strings.Join(parts, ", "))
		if one.Layer2 != "" {
			t.item(4, warn, "!", one.Layer2)
		}
		t.ports(one.Ports)
	}
	for _, path := range p.Paths {
		t.item(2, "", "path", path)
	}
}

func (t *terminal) ports(list []portView) {
	for _, p := range list {
		t.item(4, p.Tone, p.Name, p.State+", "+p.Detail)
		if p.Drops != "" {
			t.item(6, bad, "!", p.Drops)
		}
		for _, direction := range []struct {
			name string
			bar  barView
		}{{"rx", p.Rx}, {"tx", p.Tx}} {
			if !direction.bar.Known {
				continue
			}
			text, short := fmt.Sprintf("%s %13s", direction.name, direction.bar.Rate), direction.name+" "+direction.bar.Rate
			for _, b := range direction.bar.Bars {
				if b.Fill == fillShare {
					text += "  " + gauge(b.Width)
				}
				text += fmt.Sprintf(" %15s", b.Text)
				short += ", " + b.Text
			}
			if t.style.Width > 0 && len(text)+6 > max(t.style.Width, leastWidth) {
				t.line(6, short)
				continue
			}
			t.whole(6, text)
		}
	}
}

// gauge draws a percentage: [####........].
func gauge(part float64) string {
	full := min(int(part/100*gaugeWidth+0.5), gaugeWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", gaugeWidth-full) + "]"
}

func (t *terminal) disks(d disksView) {
	t.head("Disks")
	for _, n := range d.Notes {
		t.item(2, unknown, "?", n)
	}
	for _, f := range d.Facts {
		t.item(2, "", fmt.Sprintf("%-16s", f.Name), f.Text)
	}
	visible := 0
	for _, one := range d.Disks {
		if one.stalled == 0 {
			break
		}
		if visible++; visible > maxTextDisks {
			continue
		}
		guests := strings.Join(one.Guests, ", ")
		if guests == "" {
			guests = "no guest seen"
		}
		t.item(2, bad, one.Device, fmt.Sprintf("%s (%s): %s", one.Image, guests, one.State))
	}
	if more := visible - maxTextDisks; more > 0 {
		t.line(2, fmt.Sprintf("and %s or more that are stalled", number(more)))
	}
}

func (t *terminal) sources(r report.Report) {
	headed := false
	for _, s := range sourcesOf(r) {
		if s.place() > 2 {
			continue
		}
		if !headed {
			t.head("Sources that are unavailable or incomplete")
			headed = true
		}
		text := s.State + " " + s.Since
		switch {
		case s.Partly != "":
			text = "partly unknown: " + s.Partly
		case s.Error != "":
			text += ": " + s.Error
		}
		t.item(2, s.Tone, fmt.Sprintf("%-10s", s.Name), text)
		if s.Remedy != "" {
			t.line(13, s.RemedyHeading()+s.Remedy)
		}
	}
}

// reporters writes the reporters that do not deliver.
func (t *terminal) reporters(v judge.View) {
	headed := false
	for _, x := range reportersOf(v) {
		if x.Tone == good {
			continue
		}
		if !headed {
			t.head("Reporters that do not deliver")
			headed = true
		}
		t.item(2, x.Tone, x.Name, strings.TrimSpace(x.State+", "+x.Age+" "+x.Text))
	}
}
