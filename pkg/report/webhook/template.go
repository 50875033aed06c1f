package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
)

// A Value is the data of a template. All of it is valid for every kind of message: a
// cleared finding has its last values.
type Value struct {
	Node        string
	Site        string              // empty if none is configured
	Labels      map[string]string   // as configured
	Status      report.Impact       // impact of the node
	Kind        changes.Kind        // kind of the worst change: raised, worse, blind, milder, seen, passed, cleared; state in mode state
	Transition  changes.Change      // the worst change: Kind, At, Rule, Subject, Component, From, To, Impact, Since, Summary
	Finding     report.Finding      // the finding of the worst change; in mode state the worst raised finding
	Changes     []changes.Change    // all changes, worst first, at most 100
	More        int                 // number of further changes
	Raised      int                 // number of raised findings that have been reported
	Maintenance *report.Maintenance // nil if there is no maintenance
	Time        time.Time           // time of the report
	Links       Links
	Text        string        // the text that would be sent without a template
	Test        bool          // it is a test
	Report      report.Report // the whole report
}

// Links are addresses to follow; unknown ones are empty.
type Links struct{ Runbook, Page string }

// mostRendered is the maximum length of a template's output, in bytes.
const mostRendered = 256 << 10

// functions are the functions for templates in addition to Go's own.
func functions(now time.Time) template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			raw, err := encode(v)
			return string(raw), err
		},
		"truncate": func(n int, text any) string {
			return limit{max(n, 1), inRunes}.cut(strings.ToValidUTF8(fmt.Sprint(text), "?"))
		},
		"upper": func(text any) string { return strings.ToUpper(fmt.Sprint(text)) },
		"words": func(text any) string { return strings.ReplaceAll(fmt.Sprint(text), "_", " ") },
		"mark":  func(severity any) string { return mark(fmt.Sprint(severity)) },
		"since": func(t time.Time) string { return span(now.Sub(t)) },
	}
}

// mark returns a severity as a mark of four characters.
func mark(severity string) string {
	switch report.Severity(severity) {
	case report.Critical:
		return "[!!]"
	case report.Warning:
		return "[! ]"
	case report.Info:
		return "[i ]"
	}
	return "[ok]"
}

// parse parses a template.
func parse(text string) (*template.Template, error) {
	return template.New("template").Option("missingkey=error").Funcs(functions(time.Time{})).Parse(text)
}

// value returns a message as the data of a template.
func (m message) value(page string) Value {
	v := Value{
		Node: m.report.Node, Site: m.report.Site, Labels: m.report.Labels, Status: m.report.Status, Kind: "state",
		Changes: m.event.Changes, More: m.event.More, Raised: m.event.Raised, Maintenance: m.report.Maintenance,
		Time: m.report.At, Text: m.text, Test: m.report.Test, Report: m.report, Links: Links{Page: page},
	}
	if len(m.report.Findings) > 0 {
		v.Finding = m.report.Findings[0]
	}
	if len(m.event.Changes) > 0 {
		c := m.event.Changes[0]
		v.Kind, v.Transition = c.Kind, c
		v.Finding = report.Finding{
			Rule: c.Rule, Subject: c.Subject, Component: c.Component, Severity: c.Severity(), Impact: c.Impact,
			Since: c.Since, LevelSince: c.At, LastSeen: c.At, Summary: c.Summary,
		}
		if c.Finding != nil {
			v.Finding = *c.Finding
		}
	}
	v.Links.Runbook = v.Finding.Runbook
	return v
}

// errTooLong reports that a template's output is too long to be sent.
var errTooLong = errors.New("produces more than 256 KiB")

// A bounded is a text that rejects writes beyond its size.
type bounded struct{ text []byte }

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > mostRendered {
		return 0, errTooLong
	}
	b.text = append(b.text, p...)
	return len(p), nil
}

// render executes a template with the value.
func render(t *template.Template, v Value) (string, error) {
	t, err := t.Clone()
	if err != nil {
		return "", err
	}
	var out bounded
	if err := t.Funcs(functions(v.Time)).Execute(&out, v); err != nil {
		return "", err
	}
	return strings.ToValidUTF8(string(out.text), "?"), nil
}

// encode returns JSON without the escapes for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// checkTemplate executes the template with messages of every kind.
func (c Config) checkTemplate(p preset) error {
	switch {
	case c.Template == "" && c.Preset == "template":
		return report.WrongField("template", "is missing")
	case c.Template != "" && p.data && c.Preset != "template":
		return report.WrongField("template", "is only for presets with a text and for the preset template")
	case strings.ContainsAny(c.ContentType, "\r\n\x00") || c.ContentType == "":
		return report.WrongField("content_type", "must be one line, such as application/json")
	case c.Template == "":
		return nil
	}
	t, err := parse(c.Template)
	if err != nil {
		return report.WrongField("template", "%s", strings.TrimPrefix(err.Error(), "template: template:"))
	}
	for _, m := range samples() {
		m.text = texts(m.event, c.Page)[0]
		if _, err := render(t, m.value(c.Page)); err != nil {
			return report.WrongField("template", "%s", strings.TrimPrefix(err.Error(), "template: template:"))
		}
	}
	return nil
}

// samples returns messages of every kind, for a finding with all fields and for one
// with none.
func samples() []message {
	at := time.Date(2026, 3, 1, 2, 14, 0, 0, time.UTC)
	full := report.Finding{
		Rule: "krbd-retry-storm", Subject: "osd3", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage,
		State: report.Seen,
		Since: at, LevelSince: at, LastSeen: at, Summary: "a sample", Runbook: "https://example.net/rules#krbd-retry-storm",
		Evidence: []report.Evidence{{Source: "kmsg", Fact: "a fact", At: at}},
		Against:  []report.Evidence{{Source: "nic", Fact: "a fact", At: at}},
		Advice:   []report.Advice{{Do: "look", Command: "ip -s link"}},
	}
	r := report.Report{Node: "node2", At: at, Started: at, Status: report.MajorOutage, Findings: []report.Finding{full}}
	list := []message{{report: r, state: true, event: sampleEvent(r, changes.Raised, nil)}}
	list[0].event.Changes = nil
	for _, kind := range changes.Kinds() {
		list = append(list, message{report: r, event: sampleEvent(r, kind, &full)}, message{report: r, event: sampleEvent(r, kind, nil)})
	}
	list[0].event.Test = true
	return list
}

func sampleEvent(r report.Report, kind changes.Kind, f *report.Finding) changes.Event {
	return changes.Event{Node: r.Node, At: r.At, Status: r.Status, Changes: []changes.Change{{
		Kind: kind, At: r.At, Rule: "krbd-retry-storm", Component: "storage", From: "warning", To: "critical",
		Impact: report.MajorOutage, Since: r.At, Summary: "a sample", Finding: f,
	}}}
}
