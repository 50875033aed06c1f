package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
	"github.com/nodewatch/nodewatch/test/prometheus"
)

// several configures backends of several kinds: a real Alertmanager, a server that
// accepts everything, a program, and one that does not exist.
const several = `reporters:
  - {name: oncall, alertmanager: {urls: [%q]}}
  - {name: own, webhook: {preset: json, url: %[2]q}}
  - {name: alive, heartbeat: {preset: plain, url: %[2]q}}
  - {name: program, exec: {program: %[3]q}}
  - {name: gone, native: {url: "http://127.0.0.1:1"}}
`

// Each reporter is tested, whatever the result of the others, and its response is
// printed.
func TestReportTestTriesEachReporter(t *testing.T) {
	people := prometheus.StartReceiver(t)
	oncall := prometheus.StartAlertmanager(t, fmt.Sprintf(calls, people.URL))
	url, asked := reporttest.Record(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "taken") })
	program := filepath.Join(t.TempDir(), "notify")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec grep -o '\"test\":true' | head -n 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	file, _ := configured(t, fmt.Sprintf(several, oncall, url, program))
	code, out, errs := called(t, "report", "test", "--config.file", file)
	if code != 2 {
		t.Errorf("exit %d, want 2 as one fails", code)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 5 {
		t.Fatalf("%s%s", out, errs)
	}
	for i, want := range []string{"oncall ", "own ", "alive ", "program ", "gone "} {
		word := "  ok  "
		if i == 4 {
			word = "  FAILED  "
		}
		if !strings.HasPrefix(lines[i], want) || !strings.Contains(lines[i], word) {
			t.Errorf("%s", lines[i])
		}
	}
	if !strings.Contains(lines[3], `"test":true`) {
		t.Errorf("the program was not told: %s", lines[3])
	}
	if n := len(asked.Requests()); n != 2 {
		t.Errorf("%d requests for the webhook and the heartbeat", n)
	}
	if n := people.Next(t, time.Minute); n.Alerts[0].Labels["alertname"] != "NodewatchTest" {
		t.Errorf("on-call is told of %v", n.Alerts[0].Labels)
	}
}
