package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// received returns a notifier, and a function that returns the messages to systemd
// since its previous call.
func received() (n *notifier, since func() []string) {
	var said []string
	n = &notifier{every: 10 * time.Second, notify: func(state string) bool {
		said = append(said, state)
		return true
	}}
	return n, func() []string {
		defer func() { said = nil }()
		return said
	}
}

func viewOf(findings ...report.Finding) judge.View {
	return judge.View{Report: report.Report{Node: "node2", Status: report.Operational, Findings: findings}}
}

// READY is sent after the first View once the page is served, in either order.
func TestReadyFollowsTheFirstViewAndTheListener(t *testing.T) {
	for name, steps := range map[string][]func(*notifier){
		"served first": {func(n *notifier) { n.waiting("") }, func(n *notifier) { n.view(viewOf()) }},
		"view first":   {func(n *notifier) { n.view(viewOf()) }, func(n *notifier) { n.waiting("") }},
	} {
		n, since := received()
		steps[0](n)
		if said := strings.Join(since(), "\n"); strings.Contains(said, "READY") {
			t.Errorf("%s: ready too early: %q", name, said)
		}
		steps[1](n)
		if said := since(); len(said) != 1 || !strings.HasPrefix(said[0], "READY=1\nSTATUS=") {
			t.Errorf("%s: got %q, want READY and the STATUS", name, said)
		}
		n.late()
		if said := since(); said != nil {
			t.Errorf("%s: told again: %q", name, said)
		}
	}
}

// A busy port and sources that hang delay READY only up to a limit, and STATUS
// contains the reason.
func TestReadyComesInTheEndAndSaysWhatIsMissing(t *testing.T) {
	n, since := received()
	n.waiting("cannot listen on 127.0.0.1:10090 (address in use), retrying")
	if diff := cmp.Diff([]string{"STATUS=cannot listen on 127.0.0.1:10090 (address in use), retrying; " + notYet}, since()); diff != "" {
		t.Error(diff)
	}
	n.late()
	if diff := cmp.Diff([]string{"READY=1\nSTATUS=cannot listen on 127.0.0.1:10090 (address in use), retrying; " + notYet},
		since()); diff != "" {
		t.Error(diff)
	}
	n.view(viewOf(report.Finding{Rule: "x", Severity: report.Critical, Impact: report.MajorOutage, Summary: "all is lost"}))
	if said := strings.Join(since(), "\n"); !strings.Contains(said, "cannot listen on") || !strings.Contains(said, "all is lost") ||
		strings.Contains(said, "READY") {
		t.Errorf("got %q", said)
	}
	n.waiting("")
	if said := strings.Join(since(), "\n"); strings.Contains(said, "cannot listen on") || !strings.Contains(said, "all is lost") {
		t.Errorf("got %q", said)
	}
}

// The status is sent when it changes and not each second, and the watchdog is fed
// even before the first View.
func TestStatusAndWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, since := received()
		for range 20 {
			n.alive()
			time.Sleep(time.Second)
		}
		if diff := cmp.Diff([]string{"WATCHDOG=1", "WATCHDOG=1"}, since()); diff != "" {
			t.Error(diff)
		}
		n.view(viewOf())
		first := since()
		n.view(viewOf())
		if again := since(); len(first) != 1 || again != nil {
			t.Errorf("got %q, then %q", first, again)
		}
	})
}

// A systemd that does not read blocks nothing, and receives the current state once it
// reads again.
func TestSystemdThatDoesNotAnswer(t *testing.T) {
	taken, sent := make(chan struct{}), make(chan string, 100)
	n := &notifier{notify: background(func(state string) {
		<-taken
		sent <- state
	})}
	for i := range 3 * notifyQueue {
		n.mu.Lock()
		n.worst = fmt.Sprint("finding ", i)
		n.mu.Unlock()
		n.waiting("")
	}
	close(taken)
	for limit := time.After(patience); ; {
		n.waiting("") // like the next View
		select {
		case state := <-sent:
			if strings.Contains(state, fmt.Sprint("finding ", 3*notifyQueue-1)) {
				return
			}
		case <-limit:
			t.Fatal("systemd never hears of the latest finding")
		}
	}
}
