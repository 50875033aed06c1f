package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// silent returns the URL of a server that accepts every request and never responds.
func silent(t *testing.T) (url string, asked <-chan string) {
	t.Helper()
	came, over := make(chan string, 100), make(chan struct{})
	url = reporttest.Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		came <- r.Method + " " + r.URL.Path
		<-over
	})
	t.Cleanup(func() { close(over) })
	return url, came
}

// hostile configures reporters of every backend, all with the same address. None gives
// up while the test runs.
const hostile = `
  - {name: h-native, deadline: 2m, native: {url: %[1]q, token_file: %[2]q}}
  - {name: h-alertmanager, deadline: 2m, alertmanager: {urls: [%[1]q]}}
  - {name: h-webhook, deadline: 2m, webhook: {preset: json, url: %[1]q, pause: 0s}}
  - {name: h-pagerduty, deadline: 2m, pagerduty: {url: %[1]q, routing_key_file: %[2]q}}
  - {name: h-statuspage, deadline: 2m, statuspage: {url: %[1]q, page_id: p, token_file: %[2]q, components: {node: c}}}
  - {name: h-cachet, deadline: 2m, cachet: {url: %[1]q, token_file: %[2]q, components: {node: "7"}}}
  - {name: h-instatus, deadline: 2m, instatus: {url: %[1]q, page_id: p, token_file: %[2]q, components: {node: c}}}
  - {name: h-heartbeat, deadline: 2m, heartbeat: {preset: uptimekuma, url: %[1]q, token_file: %[2]q}}
  - {name: h-icinga, deadline: 2m, icinga: {url: %[1]q, user: nodewatch, password_file: %[2]q, host: node2, services: {node: nodewatch}}}
  - {name: h-exec, deadline: 2m, exec: {program: /bin/sleep, args: ["1000"]}}
`

// While reporters of every backend hang, the loop never waits to hand over a report,
// and another reporter receives each of 100 changes.
func TestReportersThatHangDelayNobody(t *testing.T) {
	url, asked := silent(t)
	hub, err := receiver.New(receiver.Config{Tokens: map[string]string{strings.Repeat("k", 32): "rl1/node2"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 1000)
	hubURL := reporttest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		hub.ServeHTTP(w, r)
		told <- struct{}{}
	})
	token := reporttest.Secret(t, strings.Repeat("k", 32))
	file, _ := configured(t, fmt.Sprintf("reporters:\n  - {name: hub, native: {url: %q, token_file: %q}}", hubURL, token)+
		fmt.Sprintf(hostile, url, token))
	post, reporters := posted(t, file)

	began := time.Now()
	var slowest time.Duration
	hand := func(n uint64) {
		before := time.Now()
		post.Enqueue(stormy(began, n))
		slowest = max(slowest, time.Since(before))
	}
	hand(1)
	for range reporters - 2 { // all except the hub and the program
		select {
		case what := <-asked:
			t.Log(what, "hangs")
		case <-time.After(time.Minute):
			t.Fatalf("not every reporter has asked: %+v", post.State())
		}
	}
	knows := func(n int) { // the state may also be repeated meanwhile, as in each interval
		for late := time.After(time.Minute); len(hub.Node("rl1/node2").Transitions) < n; {
			select {
			case <-told:
			case <-late:
				t.Fatalf("the hub is not aware of change %d: %+v", n, post.State()[0])
			}
		}
	}
	knows(1)
	for n := 2; n <= 100; n++ {
		hand(uint64(n))
		knows(n)
	}
	t.Logf("100 changes told in %s while %d reporters hang; the slowest hand-over took %s", time.Since(began), reporters-1, slowest)
	if n := len(hub.Node("rl1/node2").Transitions); n != 100 {
		t.Errorf("the hub knows %d changes", n)
	}
	if len(asked) > 0 {
		t.Errorf("a reporter that hangs asked again: %s", <-asked)
	}
	for _, d := range post.State()[1:] {
		if d.Done != 0 || len(d.Failed) != 0 {
			t.Errorf("%s does not hang: %+v", d.Name, d)
		}
	}
}

// stormy returns a Report of a storm after n transitions.
func stormy(began time.Time, n uint64) report.Report {
	f := report.Finding{
		Rule: "krbd-retry-storm", Component: "storage", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen,
		Since: began, LevelSince: began, LastSeen: time.Now(), Summary: "a storm", Evidence: []report.Evidence{},
		Against: []report.Evidence{}, Advice: []report.Advice{},
	}
	r := report.Report{
		Node: "node2", Site: "rl1", At: time.Now(), Started: began, Version: "test", Status: report.MajorOutage,
		Components: []report.Component{{Name: "storage", Status: report.MajorOutage, Since: began, State: report.Seen, Summary: "a storm"}},
		Findings:   []report.Finding{f}, Sources: []report.SourceState{},
	}
	for i := uint64(1); i <= n; i++ {
		r.Transitions = append(r.Transitions, report.Transition{N: i, At: began, Rule: f.Rule, Component: "storage", From: "clear",
			To: "critical", Impact: f.Impact, State: f.State, Summary: f.Summary})
	}
	return r
}

// posted returns the dispatcher of all reporters in a configuration, and their number.
func posted(t *testing.T, file string) (post *watch.Dispatcher, reporters int) {
	t.Helper()
	c, err := readConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	list, err := deliveries(c, "", localLauncher(t))
	if err != nil {
		t.Fatal(err)
	}
	post = watch.NewDispatcher("node2", list)
	t.Cleanup(func() { post.Close(shutdownTimeout) })
	return post, len(list)
}
