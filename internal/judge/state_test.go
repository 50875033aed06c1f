package judge

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// restarted returns a run that starts from the state in the latest View of tr.
func restarted(t *testing.T, tr *trialRun, later time.Duration) *trialRun {
	t.Helper()
	raw, err := json.Marshal(tr.last.State())
	if err != nil {
		t.Fatal(err)
	}
	next := newTrial(t, oneRule(0, 0))
	next.at = tr.at.Add(later)
	next.observe(node.SawState{Reading: node.Reading[json.RawMessage]{At: next.at, Value: raw}})
	return next
}

func TestTheLastIncidentOutlivesARestart(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.found["a"] = []rule.Result{critical("x")}
	first := tr.tick(time.Second).Incident
	next := restarted(t, tr, time.Minute)
	next.found["a"] = []rule.Result{critical("x")}
	if in := next.tick(time.Second).Incident; in == nil || !in.Begin.Equal(first.Begin) || !in.End.IsZero() {
		t.Errorf("an incident that lasts is another one after a restart: %+v", in)
	}
	next = restarted(t, tr, time.Hour) // the incident ended while nodewatch was not running
	next.tick(time.Second)
	if in := next.tick(time.Second).Incident; in == nil || !in.End.Equal(tr.at) {
		t.Errorf("got %+v, want one that ended when it was last seen", in)
	}
	ended := next.last.Report.Incident
	next = restarted(t, next, time.Minute)
	if diff := cmp.Diff(ended, next.tick(time.Second).Incident); diff != "" {
		t.Errorf("an incident that has ended (-before +after a restart):\n%s", diff)
	}
}

// Invalid parts of a state are left out, and a second state changes nothing.
func TestABrokenStateIsLeftOut(t *testing.T) {
	future, err := json.Marshal(State{Incident: &report.Incident{Begin: sceneStart.Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	good, err := json.Marshal(State{Incident: &report.Incident{Begin: sceneStart.Add(-2 * time.Hour), End: sceneStart.Add(-time.Hour),
		Headline: "a storm"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"", "null", "[]", "{", `{"baselines": 7}`, `{"baselines": [{"latency_ms": -1}]}`, string(future)} {
		tr := newTrial(t, oneRule(0, 0))
		tr.observe(node.SawState{Reading: node.Reading[json.RawMessage]{At: tr.at, Value: json.RawMessage(raw)}})
		tr.observe(node.SawState{Reading: node.Reading[json.RawMessage]{At: tr.at, Value: good}})
		if in := tr.tick(time.Second).Incident; in != nil {
			t.Errorf("%s: got %+v", raw, in)
		}
	}
	tr := newTrial(t, oneRule(0, 0))
	tr.observe(node.SawState{Reading: node.Reading[json.RawMessage]{Err: stuck}})
	tr.observe(node.SawState{Reading: node.Reading[json.RawMessage]{At: tr.at, Value: good}})
	if in := tr.tick(time.Second).Incident; in == nil {
		t.Error("a state that came late was not read")
	}
}
