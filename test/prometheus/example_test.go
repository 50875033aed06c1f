package prometheus_test

import (
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/test/prometheus"
)

func TestPromtoolTakesTheExample(t *testing.T) {
	if out, err := prometheus.Run(t, prometheus.Promtool, "check", "config",
		deployed("prometheus", "prometheus-example.yml")); err != nil || strings.Count(out, "rules found") != 5 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAmtoolTakesTheExample(t *testing.T) {
	if out, err := prometheus.Run(t, prometheus.Amtool, "check-config", deployed("prometheus", "alertmanager-example.yml")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Each alert reaches its receiver, whether the reporter or Prometheus sends it.
func TestAmtoolRoutes(t *testing.T) {
	for labels, want := range map[string]string{
		"alertname=NodewatchKrbdRetryStorm severity=critical node=node2 site=rl1": "pager",
		"alertname=NodewatchFindingCritical severity=critical instance=node2":     "pager",
		"alertname=NodewatchNicSaturated severity=warning node=node2":             "tickets",
		"alertname=NodewatchDown severity=warning instance=node2":                 "tickets",
		"alertname=NodewatchKrbdSharedFate severity=info node=node2":              "nobody",
		"alertname=NodewatchTest severity=info node=node2":                        "tickets",
		"alertname=NodewatchWatchdog severity=none node=node2 site=rl1":           "deadman",
		"alertname=SomethingElse severity=critical":                               "tickets",
	} {
		args := append([]string{"config", "routes", "test", "--config.file=" + deployed("prometheus", "alertmanager-example.yml")},
			strings.Fields(labels)...)
		out, err := prometheus.Run(t, prometheus.Amtool, args...)
		lines := strings.Split(strings.TrimSpace(out), "\n") // the last line is the result; a warning may precede it
		if got := lines[len(lines)-1]; err != nil || got != want {
			t.Errorf("%s reaches %s (%v), want %s", labels, got, err, want)
		}
	}
}
