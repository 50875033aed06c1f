package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// hub returns a native receiver, and the configuration that reports to it.
func hub(t *testing.T) (*receiver.Receiver, string) {
	t.Helper()
	r, err := receiver.New(receiver.Config{Tokens: map[string]string{"token-of-node2": "rl1/node2"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	url, token := reporttest.Serve(t, r.ServeHTTP), reporttest.Secret(t, "token-of-node2")
	file, _ := configured(t, fmt.Sprintf("reporters:\n  - name: hub\n    native: {url: %q, token_file: %q}\n", url, token))
	return r, file
}

func TestReportTest(t *testing.T) {
	r, file := hub(t)
	code, out, errs := called(t, "report", "test", "--config.file", file)
	if code != 0 || !strings.Contains(out, "hub") || !strings.Contains(out, "ok") || !strings.Contains(errs, "testing hub (native)") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if n := r.Node("rl1/node2"); n.Tests != 1 || len(n.Bodies) != 0 {
		t.Errorf("%d tests, %d bodies", n.Tests, len(n.Bodies))
	}
	if code, _, errs := called(t, "report", "test", "pager", "--config.file", file); code != 2 ||
		!strings.Contains(errs, `no reporter "pager"; configured are hub`) {
		t.Errorf("exit %d: %s", code, errs)
	}
	bare, _ := configured(t, "")
	if code, _, errs := called(t, "report", "test", "--config.file", bare); code != 2 ||
		!strings.Contains(errs, "no reporter is configured") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestReportTestOfARefusedToken(t *testing.T) {
	_, file := hub(t)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(token, []byte("another-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	at := strings.Index(text, `token_file: "`) + len(`token_file: "`)
	text = text[:at] + token + text[at+strings.Index(text[at:], `"`):]
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := called(t, "report", "test", "--config.file", file)
	if code != 2 || !strings.Contains(out, "FAILED") || !strings.Contains(out, "401") || strings.Contains(out+errs, "another-token") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// The incident, replayed to a status backend: the replay prints what the incident's file
// contains, as without a backend, and the backend receives the same, in the same order
// and at the same times, compressed in time.
func TestTheIncidentReachesABackend(t *testing.T) {
	t.Parallel() // the test mostly waits
	const incident = "../../testdata/incidents/rl1-node2.txtar"
	in, err := play(incident)
	if err != nil {
		t.Fatal(err)
	}
	want := in.incident.Want
	in.close()
	r, file := hub(t)
	const speed = 600
	code, out, errs := called(t, "replay", incident, "--brief", "--report", "--speed", fmt.Sprint(speed), "--config.file", file)
	if code != 0 || out != want {
		t.Fatalf("exit %d, and it prints\n%s%s", code, out, errs)
	}
	t.Log(errs)
	n := r.Node("rl1/node2")
	var told []string
	for _, x := range n.Transitions {
		after := (x.At.Sub(n.Transitions[0].At) * speed).Round(time.Second)
		told = append(told, fmt.Sprintf("%s %s %s %s", after, x.Rule, x.Subject, x.To))
	}
	if diff := cmp.Diff(printed(t, want), told); diff != "" {
		t.Errorf("told is not what happened (-happened +told)\n%s", diff)
	}
	var states []report.Impact
	for _, c := range n.Changes("storage") {
		states = append(states, c.Status)
	}
	if !slices.Contains(states, report.MajorOutage) || states[len(states)-1] != report.Operational {
		t.Errorf("the storage is told to be %v", states)
	}
	if n.Repeated > 0 || n.Latest().Dropped > 0 {
		t.Errorf("%d came twice, %d are lost", n.Repeated, n.Latest().Dropped)
	}
}

// printed returns the changes that a replay prints, in short: the time since the
// first one, and the change.
func printed(t *testing.T, text string) []string {
	t.Helper()
	var list []string
	var first time.Time
	for line := range strings.Lines(text) {
		head, _, ok := strings.Cut(line, ": ")
		words := strings.Fields(head)
		if !ok || len(words) < 4 {
			t.Fatalf("not a change: %s", line)
		}
		at, err := time.Parse(time.RFC3339, words[0])
		if err != nil {
			t.Fatal(err)
		}
		if first.IsZero() {
			first = at
		}
		level, subject := words[2], ""
		if words[1] == "cleared" {
			level = "clear"
		}
		if len(words) > 4 && !strings.HasPrefix(words[4], "(") {
			subject = words[4]
		}
		list = append(list, fmt.Sprintf("%s %s %s %s", at.Sub(first), words[3], subject, level))
	}
	return list
}
