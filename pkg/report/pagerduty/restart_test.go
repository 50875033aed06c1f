package pagerduty_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// A finding that cleared while nodewatch was down is resolved; one that is still
// raised does not page again.
func TestARestart(t *testing.T) {
	f, url := newFake(t)
	dir := t.TempDir()
	p := start(t, config(t, url), reporttest.StateFile(t, dir, "oncall"))
	deliverTo(t, p, at(0, "storm/client1=critical disk/sda=warning hung=critical"))
	if err := p.Persist(at(0, "")); err != nil {
		t.Fatal(err)
	}
	f.Drain()
	p = start(t, config(t, url), reporttest.StateFile(t, dir, "oncall"))
	early := at(1, "hung=critical")
	early.Started = early.At.Add(-20 * time.Second)
	deliverTo(t, p, early)
	if got := f.gist(t); got != "" {
		t.Errorf("sent so early: %q", got)
	}
	blind := at(10, "storm/client1=critical")
	blind.Components[0].Status = report.Unknown
	deliverTo(t, p, blind)
	if got := f.gist(t); got != "resolve hung/" { // it was raised in this run, and then cleared
		t.Errorf("sent blind: %q", got)
	}
	deliverTo(t, p, at(11, "storm/client1=critical"))
	if got := f.gist(t); got != "resolve disk/sda" {
		t.Errorf("sent: %q", got)
	}
	if f.pages != 3 {
		t.Errorf("%d pages", f.pages)
	}
}

func TestAKeptFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "reporter-oncall.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, url := newFake(t)
	p := start(t, config(t, url), reporttest.StateFile(t, dir, "oncall"))
	deliverTo(t, p, at(0, "hung=critical"))
	if err := p.Persist(at(0, "")); err == nil || !strings.Contains(err.Error(), "set aside") {
		t.Errorf("%v", err)
	}
	if err := p.Persist(at(0, "")); err != nil {
		t.Errorf("again: %v", err)
	}
	p = start(t, config(t, url), reporttest.StateFile(t, dir, "oncall"))
	deliverTo(t, p, at(1, "hung=critical"))
	if f.pages != 1 || f.gist(t) != "trigger hung/ critical" {
		t.Error("what was kept after all is not known")
	}
}

func TestAKeepThatFailedIsTriedAgain(t *testing.T) {
	_, url := newFake(t)
	dir := filepath.Join(t.TempDir(), "later")
	p := start(t, config(t, url), reporttest.StateFile(t, dir, "oncall"))
	deliverTo(t, p, at(0, "hung=critical"))
	if err := p.Persist(at(0, "")); err == nil {
		t.Fatal("saved in no directory")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.Persist(at(0, "")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "reporter-oncall.json")); err != nil {
		t.Error(err)
	}
}

// Alerts are sent even while the disk hangs.
func TestKeepRunsWhileAlertsAreSent(t *testing.T) {
	_, url := newFake(t)
	dir := t.TempDir()
	p := start(t, config(t, url), reporttest.StateFile(t, dir, "oncall"))
	done := make(chan error)
	go func() {
		var err error
		for n := range 50 {
			err = errors.Join(err, p.Persist(at(n, "")))
		}
		done <- err
	}()
	for n := range 50 {
		deliverTo(t, p, at(n, []string{"", "hung=critical storm/client1=warning"}[n%2]))
	}
	if err := errors.Join(<-done, p.Persist(at(50, ""))); err != nil {
		t.Error(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "reporter-oncall.json"))
	if err != nil || !strings.Contains(string(raw), `finding/hung/":{"severity":"critical","component":"storage"}`) {
		t.Errorf("%s, %v", raw, err)
	}
}
