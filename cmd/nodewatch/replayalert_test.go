package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/test/prometheus"
)

// calls configures an Alertmanager that immediately notifies one receiver of warnings
// and another of critical alerts.
const calls = `
route:
  receiver: tickets
  group_by: [alertname, node]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - matchers: ['severity="critical"']
      receiver: pager
receivers:
  - {name: tickets, webhook_configs: [{url: %[1]q, send_resolved: true}]}
  - {name: pager, webhook_configs: [{url: %[1]q, send_resolved: true}]}
`

// The incident, replayed to a real Alertmanager: on-call is notified once of the
// standing risk, then once of the storm, then of its end. (The risk outlives the
// storm until the policy is fixed, here for less than Alertmanager's interval, so
// that it may or may not be sent again.)
func TestTheIncidentReachesOnCall(t *testing.T) {
	t.Parallel() // the test mostly waits
	people := prometheus.StartReceiver(t)
	url := prometheus.StartAlertmanager(t, fmt.Sprintf(calls, people.URL))
	file, _ := configured(t, fmt.Sprintf("reporters:\n  - name: oncall\n    alertmanager: {urls: [%q]}\n    severity: warning\n    rules: [layer2-bond-krbd]\n", url))
	code, out, errs := called(t, "replay", "../../testdata/incidents/rl1-node2.txtar", "--brief", "--report", "--speed", "240",
		"--config.file", file)
	if code != 0 {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	var story []string
	firing := map[string]bool{}
	say := func(n prometheus.Notification) {
		for _, a := range n.Alerts {
			word := strings.TrimSpace(fmt.Sprintf("%s %s %s", n.Receiver, a.Status, a.Labels["severity"]))
			t.Logf("%s %s", n.At.Format(time.TimeOnly), word)
			if firing[a.Labels["severity"]] != (a.Status == "firing") {
				firing[a.Labels["severity"]] = a.Status == "firing"
				story = append(story, word)
			}
		}
	}
	for len(story) < 4 || firing["warning"] || firing["critical"] {
		say(people.Next(t, time.Minute))
	}
	if diff := cmp.Diff([]string{"tickets firing warning", "pager firing critical"}, story[:2]); diff != "" {
		t.Errorf("on-call is told (-want +told)\n%s", diff)
	}
	for _, once := range []string{"pager firing critical", "pager resolved critical"} {
		if n := strings.Count(strings.Join(story, ","), once); n != 1 {
			t.Errorf("%q is told %d times: %v", once, n, story)
		}
	}
}
