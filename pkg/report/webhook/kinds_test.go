package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// The texts for people about one finding, from the first to the last.
func TestEachKindReads(t *testing.T) {
	url, rec := reporttest.Record(t, backends()["telegram"].ServeHTTP)
	c := config(t, "telegram", url)
	c.Tell = append(c.Tell, "seen")
	c.Page = "http://node2.example.net:10090/"
	w := newReporter(t, c, "")
	r := storm(t)
	r.Findings, r.Transitions = r.Findings[:1], nil
	f := &r.Findings[0]
	n := uint64(0)
	step := func(change func()) {
		n++
		r.Findings = append([]report.Finding{}, r.Findings...)
		if len(r.Findings) > 0 {
			f = &r.Findings[0]
		}
		change()
		r.At = r.At.Add(7 * time.Hour)
		r.Transitions = append(r.Transitions, report.Transition{N: n, At: r.At.Add(-time.Minute), Rule: "krbd-retry-storm", From: "x",
			To: "critical"})
		if len(r.Findings) == 0 {
			r.Transitions[len(r.Transitions)-1].To = "clear"
		}
		send(t, w, r)
	}
	step(func() { f.Severity, f.Impact = report.Warning, report.Operational })
	step(func() { f.Severity, f.Impact = report.Critical, report.PartialOutage })
	step(func() { f.Impact = report.MajorOutage })
	step(func() { f.State = report.Blind })
	step(func() { f.State = report.Seen })
	step(func() { f.Severity = report.Info })
	step(func() {
		r.Maintenance = &report.Maintenance{Until: r.At.Add(9 * time.Hour), By: "alice", Reason: "new switch"}
		f.Accepted = &report.Accepted{Until: r.At.Add(240 * time.Hour), By: "bob", Reason: "known\nto us"}
		f.Severity = report.Warning
	})
	step(func() { r.Findings, r.Maintenance = nil, nil })
	r.Transitions = append(r.Transitions,
		report.Transition{N: n + 1, At: r.At.Add(time.Minute), Rule: "nic-drops", Subject: "eth0", Component: "network", From: "clear",
			To: "critical", Impact: report.DegradedPerformance, Summary: "eth0 drops frames"},
		report.Transition{N: n + 2, At: r.At.Add(3 * time.Minute), Rule: "nic-drops", Subject: "eth0", Component: "network",
			From: "critical", To: "clear", Impact: report.Operational, Summary: "eth0 drops frames"})
	r.At = r.At.Add(time.Hour)
	send(t, w, r)
	var all strings.Builder
	for _, q := range rec.Drain() {
		var body struct{ Text string }
		if err := json.Unmarshal(q.Body, &body); err != nil {
			t.Fatal(err)
		}
		all.WriteString(body.Text + "\n\n")
	}
	reporttest.Golden(t, *update, "kinds.txt", all.String())
}

// A command that does not fit is omitted, never truncated.
func TestHalfACommandIsNeverShown(t *testing.T) {
	for name, command := range map[string]string{
		"long":          "rm -rf /srv/" + strings.Repeat("x", 600) + "/old",
		"two lines":     "cd /srv\nrm -rf old",
		"full of marks": strings.Repeat("_*", 299), // doubled by Discord's escapes
	} {
		r := storm(t)
		r.Findings = r.Findings[:1]
		r.Findings[0].Summary = strings.Repeat("_", 300)
		r.Findings[0].Advice = []report.Advice{{Do: strings.Repeat("*", 200), Command: command}}
		url, rec := reporttest.Record(t, backends()["discord"].ServeHTTP)
		send(t, newReporter(t, config(t, "discord", url), ""), r)
		if body := string(rec.Drain()[0].Body); strings.Contains(body, command[:5]) || strings.Contains(body, `\\_\\*\\_\\*`) ||
			!strings.Contains(body, "runbook") {
			t.Errorf("%s: %s", name, body)
		}
	}
}
