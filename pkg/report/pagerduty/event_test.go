package pagerduty

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// For any finding, its event is within the API's limits and in UTF-8, and findings
// with other subjects have other keys.
func FuzzEvent(f *testing.F) {
	f.Add("krbd-retry-storm", "client4242", "disks of 65 guests retry", "libceph: osd12 (1)192.0.2.12:6801 bad crc/signature", 3)
	f.Add("hung", strings.Repeat("/ö\xff", 200), strings.Repeat("\x01", 5000), strings.Repeat("\u2028", 3000), 1000)
	f.Add("", "", "", "", 0)
	f.Fuzz(func(t *testing.T, rule, subject, summary, fact string, n int) {
		r := report.Report{Site: "rl1", Node: "node2", At: time.Unix(1795348860, 0)}
		x := report.Finding{Rule: rule, Subject: subject, Component: report.ComponentName(rule), Severity: report.Critical,
			Summary: summary, Runbook: "https://" + fact}
		for range max(0, min(n, 200)) {
			x.Evidence = append(x.Evidence, report.Evidence{Source: rule, Subject: subject, Fact: fact})
			x.Advice = append(x.Advice, report.Advice{Do: fact, Command: summary})
		}
		x.Against = x.Evidence
		e := Default().trigger(r, x)
		e.RoutingKey = strings.Repeat("k", 32)
		body, err := json.Marshal(e)
		if err != nil || len(body) > 512<<10 {
			t.Errorf("%d bytes, %v", len(body), err)
		}
		if len(e.DedupKey) > longestKey || len(e.Payload.Summary) > longestSummary || !utf8.ValidString(e.Payload.Summary) ||
			!utf8.ValidString(e.DedupKey) {
			t.Errorf("key %q, summary %q", e.DedupKey, e.Payload.Summary)
		}
		if key(r, rule, subject+"x") == e.DedupKey || key(r, rule+"x", subject) == e.DedupKey {
			t.Errorf("two findings have the key %q", e.DedupKey)
		}
	})
}
