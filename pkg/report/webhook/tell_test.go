package webhook_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
	"github.com/nodewatch/nodewatch/pkg/report/reporttest"
)

// events returns the events that arrived.
func events(t *testing.T, rec *reporttest.Recorder) []changes.Event {
	t.Helper()
	var list []changes.Event
	for _, q := range rec.Drain() {
		var e changes.Event
		if err := json.Unmarshal(q.Body, &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

func TestWhatIsReportedIsNotRepeated(t *testing.T) {
	url, rec := reporttest.Record(t, backends()["json"].ServeHTTP)
	w := newReporter(t, config(t, "json", url), "")
	r := storm(t)
	for range 3 {
		send(t, w, r)
		r.At = r.At.Add(time.Minute)
	}
	if n := len(rec.Drain()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// Changes during the pause become one message after it.
func TestThePauseMakesOneOfMany(t *testing.T) {
	url, rec := reporttest.Record(t, backends()["json"].ServeHTTP)
	w := newReporter(t, config(t, "json", url), "")
	r := many(t, 3, "slow")
	three := r.Findings
	r.Findings = three[:1]
	send(t, w, r)
	r.Findings, r.At = three[:2], r.At.Add(4*time.Second)
	if f := report.FailureOf(w.Report(t.Context(), r)); f == nil || f.Kind != report.Throttled || f.After != 6*time.Second {
		t.Errorf("within the pause: %v", f)
	}
	r.Findings, r.At = three, r.At.Add(6*time.Second)
	send(t, w, r)
	if list := events(t, rec); len(list) != 2 || len(list[1].Changes) != 2 || list[0].ID == list[1].ID {
		t.Errorf("told: %+v", list)
	}
	// The pause does not become longer when the clock is set back.
	r.At, r.Findings = r.At.Add(-time.Hour), three[:2]
	r.Transitions = append(r.Transitions, report.Transition{N: 9, Rule: three[2].Rule, Subject: three[2].Subject, From: "critical",
		To: "clear"})
	send(t, w, r)
	// The last report of a run is sent without a pause.
	r.Final, r.Findings = "stopped", three
	send(t, w, r)
	if n := len(rec.Drain()); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// A failed delivery is repeated with the same id, whatever the response was.
func TestAFailedDeliveryIsMadeAgain(t *testing.T) {
	codes := []int{500, 429, 400, 202}
	url, rec := reporttest.Record(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(codes[0])
		codes = codes[1:]
	})
	w := newReporter(t, config(t, "json", url), "")
	r := storm(t)
	for range 5 {
		_ = w.Report(t.Context(), r)
		r.At = r.At.Add(time.Minute)
	}
	list := events(t, rec)
	if len(list) != 4 {
		t.Fatalf("%d requests, want 4", len(list))
	}
	for _, e := range list {
		if e.ID != list[0].ID {
			t.Errorf("sent again as %s, first as %s", e.ID, list[0].ID)
		}
	}
}

// A receiver that already has the event responds with 409: it counts as delivered,
// and the failure is reported.
func TestAKnownEventIsReported(t *testing.T) {
	url, rec := reporttest.Record(t, reporttest.Reply(409, ""))
	w := newReporter(t, config(t, "json", url), "")
	if f := report.FailureOf(w.Report(t.Context(), storm(t))); f == nil || f.Kind != report.Stale {
		t.Errorf("%v", f)
	}
	send(t, w, storm(t))
	if n := len(rec.Drain()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// A new run repeats nothing, and reports what has cleared meanwhile.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	url, rec := reporttest.Record(t, backends()["json"].ServeHTTP)
	w := newReporter(t, config(t, "json", url), dir)
	r := storm(t)
	send(t, w, r)
	if err := w.Persist(r); err != nil {
		t.Fatal(err)
	}
	if n := len(rec.Drain()); n != 1 {
		t.Fatalf("%d requests", n)
	}
	w = newReporter(t, config(t, "json", url), dir)
	next := storm(t)
	next.Started, next.Transitions = r.At.Add(time.Minute), nil
	next.At = next.Started.Add(time.Minute)
	all := next.Findings
	next.Findings = nil // its rules have not observed anything yet
	send(t, w, next)
	next.Findings = all[:2]
	send(t, w, next)
	if n := len(rec.Drain()); n != 0 {
		t.Errorf("%d requests after the restart", n)
	}
	next.At = next.Started.Add(6 * time.Minute)
	for i := range next.Components {
		next.Components[i].State = report.Seen
	}
	send(t, w, next)
	list := events(t, rec)
	if len(list) != 1 || len(list[0].Changes) != 2 || list[0].Changes[0].Kind != changes.Cleared || list[0].Raised != 2 {
		t.Errorf("told: %+v", list)
	}
}

// A run that was killed between the delivery and Persist sends the same event again,
// with the same id, so that a receiver can detect it.
func TestAKilledRunRepeatsItselfUnderTheSameID(t *testing.T) {
	dir := t.TempDir()
	url, rec := reporttest.Record(t, backends()["json"].ServeHTTP)
	send(t, newReporter(t, config(t, "json", url), dir), storm(t))
	send(t, newReporter(t, config(t, "json", url), dir), storm(t))
	if list := events(t, rec); len(list) != 2 || list[0].ID != list[1].ID {
		t.Errorf("told: %+v", list)
	}
}

// Only requested changes are sent; the others are not sent later either.
func TestTell(t *testing.T) {
	url, rec := reporttest.Record(t, backends()["json"].ServeHTTP)
	c := config(t, "json", url)
	c.Tell = []string{"cleared"}
	w := newReporter(t, c, "")
	send(t, w, storm(t))
	send(t, w, quiet(t))
	list := events(t, rec)
	if len(list) != 1 || len(list[0].Changes) != 4 {
		t.Fatalf("told: %+v", list)
	}
	for _, change := range list[0].Changes {
		if change.Kind != changes.Cleared {
			t.Errorf("told: %s", change.Kind)
		}
	}
}

// There is one alert for the node: it ends with the last finding.
func TestAnAlertEndsWithTheLastFinding(t *testing.T) {
	url, rec := reporttest.Record(t, backends()["oncall"].ServeHTTP)
	w := newReporter(t, config(t, "oncall", url), "")
	r := quiet(t)
	send(t, w, storm(t))
	r.Findings = storm(t).Findings[1:2]
	send(t, w, r)
	over := quiet(t)
	over.At = over.At.Add(time.Minute)
	over.Transitions = append(over.Transitions, report.Transition{N: 20, At: over.At, Rule: r.Findings[0].Rule, Subject: "bond0",
		From: "critical", To: "clear"})
	send(t, w, over)
	var states []string
	for _, q := range rec.Drain() {
		var body struct{ State, Title string }
		if err := json.Unmarshal(q.Body, &body); err != nil {
			t.Fatal(err)
		}
		states = append(states, body.State+" "+body.Title[:min(len(body.Title), 30)])
	}
	want := []string{"alerting CRITICAL node2: krbd is in a r", "alerting CRITICAL node2: layer2 bond + ",
		"ok CLEARED (was critical) node2: "}
	for i := range want {
		if i >= len(states) || states[i] != want[i] {
			t.Errorf("states %q, want %q", states, want)
			break
		}
	}
}
