package judge

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// comesAndGoes alternates n times between a minute with the finding and a minute
// without it.
func comesAndGoes(tr *trialRun, n int) (r report.Report) {
	for range n {
		tr.found["a"] = []rule.Result{warning("x")}
		for range 60 {
			r = tr.tick(time.Second)
		}
		tr.found["a"] = nil
		for range 60 {
			r = tr.tick(time.Second)
		}
	}
	return r
}

func TestWhatComesAndGoesIsHeldRaisedAndSaysSinceWhen(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	if r := comesAndGoes(tr, 3); len(r.Findings) != 0 || len(r.Transitions) != 6 {
		t.Fatalf("three times is not flapping: %v, %d transitions", shows(r), len(r.Transitions))
	}
	r := comesAndGoes(tr, 5)
	if len(r.Findings) != 1 || !r.Findings[0].Flapping {
		t.Fatalf("%v", shows(r))
	}
	if since := r.Findings[0].Since.Sub(sceneStart); since != time.Second+2*time.Minute && since != time.Second {
		t.Errorf("since %s after the start", since)
	}
	if seen := r.At.Sub(r.Findings[0].LastSeen); seen != time.Minute {
		t.Errorf("it says that it was seen %s ago", seen)
	}
	if n := len(r.Transitions); n != 7 {
		t.Errorf("people are told %d times, want 7", n)
	}
	r = tr.tick(flapQuiet - time.Minute - time.Second)
	if len(r.Findings) != 1 {
		t.Errorf("it is gone before it has been quiet for %s", flapQuiet)
	}
	if r = tr.tick(2 * time.Second); len(r.Findings) != 0 || r.Transitions[len(r.Transitions)-1].To != report.Clear {
		t.Errorf("it never ends: %v", shows(r))
	}
}

func TestWhatStaysNoLongerFlaps(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	comesAndGoes(tr, 5)
	tr.found["a"] = []rule.Result{warning("x")}
	r := tr.tick(time.Second)
	if !r.Findings[0].Flapping {
		t.Fatal("it does not flap")
	}
	if r = tr.tick(flapWithin); r.Findings[0].Flapping {
		t.Error("it still flaps")
	}
}

func TestASettingThatIsChangedDoesNotFlap(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0, node.SourceBond))
	tr.setting = true
	if r := comesAndGoes(tr, 8); len(r.Findings) != 0 {
		t.Errorf("%v", shows(r))
	}
	tr.found["a"] = []rule.Result{warning("x")}
	if r := tr.tick(time.Second); len(r.Findings) != 1 || r.Findings[0].Flapping {
		t.Errorf("%+v", r.Findings)
	}
}

func TestWhatFlappedLongAgoIsForgotten(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	for range 3 {
		comesAndGoes(tr, 1)
		tr.tick(flapWithin)
	}
	if n := len(tr.j.rises[rise{"a", "x", "warning"}]); n != 0 {
		t.Errorf("%d raisings are remembered", n)
	}
}
