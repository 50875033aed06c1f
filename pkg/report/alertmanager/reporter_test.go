package alertmanager_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/alertmanager"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// now is the time of a test's reports: servers use the machine's clock.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// storm returns a finding like one of the rule krbd-retry-storm.
func storm(since time.Time) report.Finding {
	return report.Finding{
		Rule: "krbd-retry-storm", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen,
		Since: since, LevelSince: since, LastSeen: since.Add(time.Minute),
		Summary:  "krbd retry storm: sessions to 182 OSDs keep resetting",
		Evidence: []report.Evidence{{Source: "kmsg", Subject: "osd3", Fact: "364 CRC faults in 10 s", At: since}},
		Against:  []report.Evidence{{Source: "bond", Subject: "bond0", Fact: "rx_crc_errors 0", At: since}},
		Advice:   []report.Advice{{Do: "Limit what the link sends", Command: "tc qdisc add dev eth0 root tbf rate 2gbit\nburst 1m"}},
		Runbook:  "https://example.org/rules.md#krbd-retry-storm",
	}
}

func saturated(since time.Time) report.Finding {
	return report.Finding{
		Rule: "nic-saturated", Subject: "eth0", Component: "network", Severity: report.Warning, Impact: report.Operational,
		State: report.Seen,
		Since: since, LevelSince: since, LastSeen: since, Summary: "eth0 of bond0 is full",
	}
}

func reportOf(at time.Time, findings ...report.Finding) report.Report {
	return report.Report{
		Node: "node2", Site: "rl1", Labels: report.Labels{"rack": "7", "switch": "sw1"}, Started: at.Add(-time.Hour), At: at,
		Status: report.MajorOutage, Findings: findings, Version: "1.2.3",
	}
}

func newReporter(t *testing.T, c alertmanager.Config) *alertmanager.Reporter {
	t.Helper()
	r, err := alertmanager.New(c, reporttest.Client(t, httpclient.Options{Agent: "nodewatch/1.2.3"}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func deliverTo(t *testing.T, r *alertmanager.Reporter, p report.Report) {
	t.Helper()
	if err := r.Report(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func kindOf(err error) report.FailureKind {
	if f := report.FailureOf(err); f != nil {
		return f.Kind
	}
	return ""
}

// names returns the sorted keys of a map.
func names[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }
