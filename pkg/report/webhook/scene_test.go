package webhook_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/pkg/report/webhook"
)

var update = flag.Bool("update", false, "write the golden files")

// Secrets of the tests: in the address, the token and the key.
const (
	hookSecret = "h00k-s3cr3t-part"
	token      = "123456:t0ken-s3cr3t-word"
	signKey    = "k3y-s3cr3t-word"
)

// storm returns the node in the retry storm, with every part of a Report.
func storm(t *testing.T) report.Report {
	t.Helper()
	raw, err := os.ReadFile("testdata/storm.json")
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	r.Site, r.Labels, r.Boot = "rl1", report.Labels{"rack": "7"}, "6f1c9a52-8c1e-4b8e-9d57-0b7f3f6b2a11"
	r.Started = r.At.Add(-time.Hour)
	return r
}

// quiet returns the node a quarter of an hour after the storm: all findings have
// cleared.
func quiet(t *testing.T) report.Report {
	t.Helper()
	r := storm(t)
	r.At, r.Status = r.At.Add(15*time.Minute), report.Operational
	for i, f := range r.Findings {
		r.Transitions = append(r.Transitions, report.Transition{
			N: uint64(5 + i), At: r.At, Rule: f.Rule, Subject: f.Subject, Component: f.Component,
			From: f.Severity, To: "clear", Impact: report.Operational, Summary: f.Summary,
		})
	}
	r.Findings = []report.Finding{}
	return r
}

// many returns a node with n findings with the given text, worst first.
func many(t *testing.T, n int, summary string) report.Report {
	t.Helper()
	r := storm(t)
	worst := r.Findings[0]
	r.Findings = nil
	for i := range n {
		f := worst
		f.Subject, f.Summary = fmt.Sprintf("osd%02d", i), summary
		if i > 4 {
			f.Severity = report.Warning
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

// config returns a working configuration of the preset for a backend at the base URL.
func config(t *testing.T, preset, base string) webhook.Config {
	t.Helper()
	c := webhook.Default()
	c.Preset = preset
	switch preset {
	case "telegram":
		c.URL, c.Token, c.Chat = base, reporttest.Secret(t, token), "-1001234567890"
	case "ntfy":
		c.URL, c.Topic, c.Token = base, "nodewatch-rl1", reporttest.Secret(t, token)
	case "incidentio":
		c.URL, c.Token = base+"/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66", reporttest.Secret(t, token)
	default:
		c.URLFile = reporttest.Secret(t, base+"/hooks/"+hookSecret)
	}
	if preset == "template" {
		c.Template = `{"node": {{json .Node}}, "text": {{json .Text}}}`
	}
	return c
}

// all returns the presets.
var all = []string{"slack", "mattermost", "discord", "ntfy", "telegram", "json", "cloudevents", "template", "oncall", "incidentio",
	"betterstack"}

func newReporter(t *testing.T, c webhook.Config, dir string) *webhook.Reporter {
	t.Helper()
	client := reporttest.Client(t, httpclient.Options{Agent: "nodewatch/test"})
	w, err := webhook.New(c, client, reporttest.StateFile(t, dir, "chat"))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func send(t *testing.T, w *webhook.Reporter, r report.Report) {
	t.Helper()
	if err := w.Report(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// shown is a request in the format of the golden files.
func shown(t *testing.T, method, url string, h http.Header, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", method, url)
	for _, name := range []string{"Authorization", "Content-Type", "X-Nodewatch-Id", "X-Nodewatch-Timestamp", "X-Nodewatch-Signature"} {
		if v := h.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	b.WriteByte('\n')
	if json.Valid(body) {
		if err := json.Indent(&b, body, "", "  "); err != nil {
			t.Fatal(err)
		}
	} else {
		b.Write(body)
	}
	b.WriteByte('\n')
	return b.String()
}
