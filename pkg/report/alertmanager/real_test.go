package alertmanager_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/alertmanager"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/test/prometheus"
)

// soon is the time limit for a notification, generous for a busy machine.
const soon = time.Minute

// example is the shipped Alertmanager configuration with shorter waits, whose
// receivers all point to the test's.
func example(t *testing.T, receiver *prometheus.Receiver, wait string) string {
	t.Helper()
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(prometheus.Root(), "deploy/prometheus/alertmanager-example.yml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(raw), "http://192.0.2.50:8080", receiver.URL)
	return regexp.MustCompile(`(group_wait|group_interval): [0-9]+[sm]`).ReplaceAllString(text, "$1: "+wait)
}

// The incident of RL1 Node 2 with a real Alertmanager: the warning, then the
// critical, each notified once although sent repeatedly, then resolved.
func TestRealStory(t *testing.T) {
	receiver := prometheus.StartReceiver(t)
	url := prometheus.StartAlertmanager(t, example(t, receiver, "1s"))
	r := newReporter(t, alertmanager.Config{URLs: []string{url}, Page: "http://{node}:10090/"})
	at := now()
	f := storm(at.Add(-time.Hour))
	f.Rule, f.Subject, f.Severity = "layer2-bond-krbd", "bond0", report.Warning
	for i := range 3 {
		deliverTo(t, r, reportOf(at.Add(time.Duration(i)*time.Millisecond), f))
	}
	n := receiver.Next(t, soon)
	a := n.Alerts[0]
	if n.Receiver != "tickets" || n.Status != "firing" || len(n.Alerts) != 1 || a.Labels["alertname"] != "NodewatchLayer2BondKrbd" ||
		!a.StartsAt.Equal(f.Since) || a.GeneratorURL != "http://node2:10090/#findings" || a.Annotations["runbook_url"] != f.Runbook {
		t.Errorf("the warning: %+v", n)
	}

	f.Severity, f.LevelSince = report.Critical, at
	deliverTo(t, r, reportOf(at.Add(time.Second), f))
	n = receiver.Until(t, soon, func(n prometheus.Notification) bool { return n.Receiver == "pager" })
	if n.Status != "firing" || n.Alerts[0].Labels["severity"] != "critical" || !n.Alerts[0].StartsAt.Equal(at) {
		t.Errorf("the critical: %+v", n)
	}

	over := now()
	deliverTo(t, r, reportOf(over))
	n = receiver.Until(t, soon, func(n prometheus.Notification) bool { return n.Receiver == "pager" && n.Status == "resolved" })
	if !n.Alerts[0].EndsAt.Equal(over) {
		t.Errorf("resolved: %+v", n)
	}
}

// After a node dies it sends nothing, and its alerts expire. The interval is chosen
// so that they expire at once; the last report of a run does not resolve them.
func TestRealExpiry(t *testing.T) {
	receiver := prometheus.StartReceiver(t)
	url := prometheus.StartAlertmanager(t, example(t, receiver, "1s"))
	r := newReporter(t, alertmanager.Config{URLs: []string{url}, Every: 1500 * time.Millisecond})
	at := time.Now().UTC().Truncate(time.Millisecond)
	deliverTo(t, r, reportOf(at, storm(at)))
	last := reportOf(at)
	last.Final = "nodewatch stops"
	deliverTo(t, r, last)
	if n := receiver.Next(t, soon); n.Status != "firing" {
		t.Errorf("%+v", n)
	}
	if n := receiver.Next(t, soon); n.Status != "resolved" || !n.Alerts[0].EndsAt.Equal(at.Add(6*time.Second)) {
		t.Errorf("%+v", n)
	}
}

// Sixty nodes behind one switch send one page.
func TestRealGrouping(t *testing.T) {
	receiver := prometheus.StartReceiver(t)
	url := prometheus.StartAlertmanager(t, example(t, receiver, "5s"))
	at := now()
	for i := range 60 {
		r := newReporter(t, alertmanager.Config{URLs: []string{url}})
		p := reportOf(at, storm(at), saturated(at))
		p.Node = fmt.Sprintf("node%d", i)
		if i%2 == 1 { // other findings of the same fault
			p.Findings[0].Rule = "ceph-unreachable"
		}
		deliverTo(t, r, p)
	}
	alone := reportOf(at, storm(at))
	alone.Node, alone.Labels = "node99", report.Labels{"switch": "sw2"}
	deliverTo(t, newReporter(t, alertmanager.Config{URLs: []string{url}}), alone)
	pages, tickets := map[string]int{}, 0
	for range 3 {
		n := receiver.Next(t, soon)
		if n.Receiver == "pager" {
			pages[n.GroupLabels["site"]+"/"+n.GroupLabels["switch"]] = len(n.Alerts)
		} else {
			tickets = len(n.Alerts)
		}
	}
	// The storm of the other thirty nodes explains their saturated NIC.
	if pages["rl1/sw1"] != 60 || pages["rl1/sw2"] != 1 || tickets != 30 || receiver.Waiting() != 0 {
		t.Errorf("pages of %v alerts, a ticket of %d, and %d more notifications", pages, tickets, receiver.Waiting())
	}
}

// Both members of a cluster get the alerts, and one notifies: the other checks first
// whether a notification was sent.
func TestRealCluster(t *testing.T) {
	receiver := prometheus.StartReceiver(t)
	urls := prometheus.StartAlertmanagers(t, example(t, receiver, "1s"))
	r := newReporter(t, alertmanager.Config{URLs: urls})
	at := now()
	deliverTo(t, r, reportOf(at, storm(at)))
	if n := receiver.Next(t, soon); n.Status != "firing" {
		t.Errorf("%+v", n)
	}
	looked := regexp.MustCompile(`(?m)^alertmanager_nflog_queries_total [1-9]`)
	late := time.After(soon)
	for _, url := range urls {
		for !looked.MatchString(get(t, url+"/metrics")) {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-late:
				t.Fatalf("%s never looks whether somebody has notified", url)
			}
		}
		if got := get(t, url+"/api/v2/alerts"); !strings.Contains(got, "NodewatchKrbdRetryStorm") {
			t.Errorf("%s has not been told: %s", url, got)
		}
	}
	if n := receiver.Waiting(); n != 0 {
		t.Errorf("%d more notifications", n)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	a, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The reporter's test alert arrives, and pages no one.
func TestRealTest(t *testing.T) {
	receiver := prometheus.StartReceiver(t)
	url := prometheus.StartAlertmanager(t, example(t, receiver, "1s"))
	answer, err := newReporter(t, alertmanager.Config{URLs: []string{url}}).Test(t.Context(), reportOf(now()))
	if err != nil || answer != url+": 200 OK" {
		t.Errorf("%q, %v", answer, err)
	}
	if n := receiver.Next(t, soon); n.Receiver != "tickets" || !strings.HasPrefix(n.Alerts[0].Annotations["summary"],
		"TEST from nodewatch on node2") {
		t.Errorf("%+v", n)
	}
}

// The real server's own authentication (exporter-toolkit's web.config.file).
func TestRealAuthentication(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	users := prometheus.Write(t, dir, "web.yml",
		"basic_auth_users: {node2: '$2a$04$Axd9CZ7TRMqxSWUXXGvA9u6NcEgKESUqEE8ZQc9HtDIgu37EPdaXK'}\n") // s3cr3t-one
	url := prometheus.StartAlertmanager(t, quietConfig, "--web.config.file="+users)
	for password, want := range map[string]report.FailureKind{"s3cr3t-one": "", "s3cr3t-two": report.Misconfigured} {
		file := prometheus.Write(t, dir, password, password+"\n")
		err := newReporter(t, alertmanager.Config{URLs: []string{url}, User: "node2",
			Password: httpclient.SecretFile(file)}).Report(t.Context(), reportOf(now(), storm(now())))
		if kindOf(err) != want || err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// If the real server rejects one alert of a list, the others still count.
func TestRealMixedList(t *testing.T) {
	t.Parallel()
	real := prometheus.StartAlertmanager(t, quietConfig)
	target, err := url.Parse(real)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	spoils := reporttest.Serve(t, func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		body = bytes.ReplaceAll(body, []byte(`"rule":"nic-bad"`), []byte(`"ru-le":"nic-bad"`))
		q.Body, q.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, q)
	})
	at := now()
	err = newReporter(t, alertmanager.Config{URLs: []string{spoils}}).Report(t.Context(), reportOf(at, many(at, 150)...))
	if kindOf(err) != report.Partial || !strings.Contains(err.Error(),
		`alert NodewatchNicBad eth075: 400 Bad Request "invalid label set: invalid name \"ru-le\""`) {
		t.Errorf("%v", err)
	}
	if list := decoded(t, get(t, real+"/api/v2/alerts")); len(list) != 149 {
		t.Errorf("%d alerts", len(list))
	}
}
