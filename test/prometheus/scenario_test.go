package prometheus_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/prometheus"
)

// exampleRoutes returns the shipped Alertmanager configuration, with its waits
// shortened to a second and all its receivers replaced by the test's.
func exampleRoutes(t *testing.T, receiver *prometheus.Receiver) string {
	t.Helper()
	raw, err := os.ReadFile(deployed("prometheus", "alertmanager-example.yml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(raw), "http://192.0.2.50:8080", receiver.URL)
	return regexp.MustCompile(`(group_wait|group_interval): [0-9]+[sm]`).ReplaceAllString(text, "$1: 1s")
}

// A storm, from nodewatch's verdict through the scrape, the rules and Alertmanager to
// the pager, and its end. The duration of each step is printed; scrapes, evaluations
// and notifications are one second apart.
func TestAFindingReachesThePager(t *testing.T) {
	t.Parallel()
	prometheus.Program(t, prometheus.Prometheus)
	receiver := prometheus.StartReceiver(t)
	alertmanager := prometheus.StartAlertmanager(t, exampleRoutes(t, receiver))
	node := startNodewatch(t, "replay", "--brief", "--serve", "127.0.0.1:0", "--speed", "5", "testdata/storm.txtar")
	dir := t.TempDir()
	prometheus.StartPrometheus(t, dir, scraping(t, dir, "1s", alertmanager, node.address))
	storm := func(n prometheus.Notification, status string) (prometheus.Alert, bool) {
		for _, a := range n.Alerts {
			if a.Labels["rule"] == "krbd-retry-storm" && a.Status == status {
				return a, true
			}
		}
		return prometheus.Alert{}, false
	}

	node.until(t, regexp.MustCompile(`raised +critical +krbd-retry-storm`))
	raised := time.Now()
	n := receiver.Until(t, soon, func(n prometheus.Notification) bool { _, is := storm(n, "firing"); return is })
	a, _ := storm(n, "firing")
	t.Logf("raised, then %.1f s to the page", n.At.Sub(raised).Seconds())
	if n.Receiver != "pager" || n.GroupLabels["switch"] != "sw1" || a.Labels["alertname"] != "NodewatchFindingCritical" ||
		a.Labels["instance"] != "node1" ||
		!strings.HasSuffix(a.Annotations["runbook_url"], "rules.md#krbd-retry-storm") {
		t.Errorf("%+v", n)
	}

	node.until(t, regexp.MustCompile(`cleared +critical +krbd-retry-storm`))
	cleared := time.Now()
	n = receiver.Until(t, soon, func(n prometheus.Notification) bool { _, is := storm(n, "resolved"); return is })
	t.Logf("cleared, then %.1f s to the message that it is over", n.At.Sub(cleared).Seconds())
	if n.Receiver != "pager" {
		t.Errorf("%+v", n)
	}
}
