package webhook_test

import (
	"encoding/json"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// sent returns the template's output for a Report, as the preset's text.
func sent(t *testing.T, preset, field, template string, r report.Report) string {
	t.Helper()
	url, rec := reporttest.Record(t, backends()[preset].ServeHTTP)
	c := config(t, preset, url)
	c.Template = template
	send(t, newReporter(t, c, ""), r)
	list := rec.Drain()
	if len(list) == 0 {
		return "(nothing)"
	}
	var body map[string]any
	if err := json.Unmarshal(list[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	return body[field].(string)
}

func TestTemplates(t *testing.T) {
	for template, want := range map[string]string{
		`{{mark .Finding.Severity}} {{upper .Kind}} {{.Node}}/{{.Site}}/{{index .Labels "rack"}}`: "[!!] RAISED node2/rl1/7",
		`{{words .Status}}, {{since .Finding.Since}}, {{.Time.Format "15:04"}}`:                   "major outage, 31 s, 02:14",
		`{{truncate 12 .Finding.Summary}}`:                                                        "krbd is in…",
		`{{json .Transition.To}} {{json .Labels}}`:                                                `"critical" {"rack":"7"}`,
		`{{range .Changes}}{{.Rule}} {{end}}{{.More}} {{.Raised}}`:                                "krbd-retry-storm layer2-bond-krbd kmsg-lost krbd-shared-fate 0 4",
		`{{.Links.Runbook}}`: "https://example.net/rules#krbd-retry-storm",
		`{{if eq .Transition.Component "network"}}network{{end}}`: "(nothing)",
		`<!channel> & {{.Node}}`:                                  "&lt;!channel&gt; &amp; node2",
	} {
		if got := sent(t, "slack", "text", template, storm(t)); got != want {
			t.Errorf("%s: %q, want %q", template, got, want)
		}
	}
}

// A template of the body produces the whole body; if its output is empty, the message
// counts as sent.
func TestATemplateThatMakesNothing(t *testing.T) {
	url, rec := reporttest.Record(t, backends()["template"].ServeHTTP)
	c := config(t, "template", url)
	c.Template = `{{if eq .Kind "cleared"}}{"over": true}{{end}}`
	w := newReporter(t, c, "")
	send(t, w, storm(t))
	send(t, w, quiet(t))
	if list := rec.Drain(); len(list) != 1 || string(list[0].Body) != `{"over": true}` {
		t.Errorf("%+v", list)
	}
	if _, err := w.Test(t.Context(), storm(t)); err == nil {
		t.Error("a test that sends nothing passes")
	}
}

// Too long an output of a template is an error, and is not truncated.
func TestATemplateThatMakesTooMuch(t *testing.T) {
	url, rec := reporttest.Record(t, nil)
	c := config(t, "template", url)
	c.Template = `{{range .Changes}}{{range $i := 500}}{{$.Text}}{{end}}{{end}}`
	f := report.FailureOf(newReporter(t, c, "").Report(t.Context(), storm(t)))
	if f == nil || f.Kind != report.Misconfigured || len(rec.Drain()) != 0 {
		t.Errorf("%v", f)
	}
}
