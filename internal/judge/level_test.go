package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// stuck is the error of a source whose read does not return.
var stuck = &node.Error{Kind: node.Stalled, Text: "stuck", Since: sceneStart}

// A level depends on the sources that its result names, not on those of the rule.
func TestALevelDoesNotFallWhileASourceItRestsOnIsBlind(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0, node.SourceHost))
	storm := critical("x")
	storm.RestsOn = []string{node.SourceBond, node.SourceHost}
	tr.found["a"] = []rule.Result{storm}
	tr.tick(time.Second)
	tr.visibility(stuck)
	tr.found["a"] = []rule.Result{warning("x")} // the host source shows the same level without the bond
	r := tr.tick(time.Minute)
	tr.want(r, "a x critical blind since 1 seen 1")
	if f := r.Findings[0]; f.Impact != report.MajorOutage || f.Summary != "a storm" {
		t.Errorf("got %s %q", f.Impact, f.Summary)
	}
	tr.found["a"] = nil
	tr.want(tr.tick(time.Minute), "a x critical blind since 1 seen 1")
	tr.visibility(nil)
	tr.want(tr.tick(time.Second))
}

// Once the end is proven, the remaining severity of a level whose source is blind stays,
// without its impact, and falls no further.
func TestWhatRemainsOfALevelThatHasEndedUnseen(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0, node.SourceBond))
	over := false
	storm := critical("x")
	storm.RestsOn, storm.Remains = []string{node.SourceBond}, report.Warning
	storm.Ended = func(*facts.Facts) bool { return over }
	tr.found["a"] = []rule.Result{storm}
	tr.tick(time.Second)
	tr.visibility(stuck)
	tr.found["a"] = nil
	tr.want(tr.tick(time.Minute), "a x critical blind since 1 seen 1")
	over = true
	r := tr.tick(time.Second)
	tr.want(r, "a x warning blind since 1 seen 1")
	if f := r.Findings[0]; f.Impact != report.Operational {
		t.Errorf("got %s", f.Impact)
	}
	over = false // the proof is withdrawn because the disks stall again
	tr.want(tr.tick(time.Hour), "a x warning blind since 1 seen 1")
	tr.visibility(nil)
	tr.want(tr.tick(time.Second))
}

// The impact alone must not fall either.
func TestAnImpactDoesNotFallWhileASourceItRestsOnIsBlind(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0, node.SourceBond, node.SourceHost))
	tr.found["a"] = []rule.Result{critical("x")}
	tr.tick(time.Second)
	tr.visibility(stuck)
	calm := critical("x")
	calm.Impact = report.Operational
	tr.found["a"] = []rule.Result{calm}
	if f := tr.tick(time.Minute).Findings[0]; f.Impact != report.MajorOutage || f.State != report.Blind {
		t.Errorf("got %s, %s", f.Impact, f.State)
	}
}

func TestASourceThatIsAbsentHoldsNothing(t *testing.T) {
	for _, kind := range []node.ErrorKind{node.Absent, node.Held} {
		tr := newTrial(t, oneRule(0, 0, node.SourceBond))
		tr.found["a"] = []rule.Result{warning("x")}
		tr.tick(time.Second)
		tr.found["a"] = nil
		tr.visibility(&node.Error{Kind: kind, Text: "no", Since: tr.at})
		tr.want(tr.tick(time.Second))
	}
}

// The proof of its end clears a level even if other sources are blind.
func TestProofOfItsEndClearsWhatCannotBeSeen(t *testing.T) {
	tr := newTrial(t, oneRule(0, 10*time.Second, node.SourceBond))
	over := false
	storm := critical("x")
	storm.Ended = func(f *facts.Facts) bool { return over && f.Now.Equal(tr.at) }
	tr.found["a"] = []rule.Result{storm}
	tr.tick(time.Second)
	tr.found["a"] = nil
	tr.visibility(stuck)
	tr.want(tr.tick(time.Minute), "a x critical blind since 1 seen 1")
	over = true
	tr.want(tr.tick(9*time.Second), "a x critical seen since 1 seen 1")
	over = false // the proof was withdrawn
	tr.want(tr.tick(time.Second), "a x critical blind since 1 seen 1")
	over = true
	tr.tick(time.Second)
	tr.want(tr.tick(9 * time.Second))
}

func TestASettingClearsAfterAMinute(t *testing.T) {
	tr := newTrial(t, oneRule(5*time.Second, 0, node.SourceBond))
	tr.setting = true
	tr.found["a"] = []rule.Result{warning("x")}
	tr.want(tr.tick(time.Second), "a x warning seen since 1 seen 1")
	tr.found["a"] = nil
	tr.want(tr.tick(59*time.Second), "a x warning seen since 1 seen 1")
	tr.want(tr.tick(time.Second))
}

// A level that has fallen does not rise again, although the lower level is kept for
// longer.
func TestWhatHasFallenDoesNotRiseByItself(t *testing.T) {
	tr := newTrial(t, oneRule(0, 10*time.Second, node.SourceBond))
	tr.found["a"] = []rule.Result{critical("x")}
	tr.tick(time.Second)
	risk := warning("x")
	risk.Setting = true
	tr.found["a"] = []rule.Result{risk}
	for range 10 {
		tr.tick(time.Second)
	}
	for range 60 {
		tr.want(tr.tick(0), "a x warning seen since 1 seen "+fmt.Sprint(int(tr.at.Sub(sceneStart).Seconds())))
		tr.at = tr.at.Add(time.Second)
	}
}

// A day after its last observation a finding becomes an info, until it is observed
// again or acknowledged.
func TestWhatIsNotObservedForADayIsAnInfo(t *testing.T) {
	for _, acknowledge := range []bool{false, true} {
		tr := newTrial(t, oneRule(0, 0, node.SourceBond))
		tr.found["a"] = []rule.Result{critical("x")}
		tr.tick(time.Second)
		tr.visibility(stuck)
		tr.found["a"] = nil
		tr.want(tr.tick(24*time.Hour-time.Second), "a x critical blind since 1 seen 1")
		r := tr.tick(time.Second)
		tr.want(r, "a x info blind since 1 seen 1")
		if f := r.Findings[0]; f.Impact != report.Operational || f.Summary != "Not observed since 2026-11-22 02:00:01: a storm" {
			t.Errorf("got %s %q", f.Impact, f.Summary)
		}
		if acknowledge {
			tr.override(override.Overrides{Accepted: []override.Acknowledgement{{Rule: "a", Severity: "info", At: tr.at,
				Until: tr.at.Add(time.Hour), By: "a", Reason: "b"}}})
			tr.want(tr.tick(time.Second))
			continue
		}
		if f := tr.tick(time.Hour).Findings[0]; strings.Count(f.Summary, "Not observed") != 1 {
			t.Errorf("got %q", f.Summary)
		}
		tr.visibility(nil)
		tr.found["a"] = []rule.Result{critical("x")}
		tr.want(tr.tick(time.Second), "a x critical seen since 1 seen 90002")
	}
}

// A severity that rises and falls repeatedly is one flapping finding, held at its
// worst level.
func TestWavesOfSeverityFlap(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.found["a"] = []rule.Result{warning("x")}
	tr.tick(time.Second)
	for range 4 {
		tr.found["a"] = []rule.Result{critical("x")}
		tr.tick(30 * time.Second)
		tr.found["a"] = []rule.Result{warning("x")}
		tr.tick(30 * time.Second)
	}
	f := tr.last.Report.Findings[0]
	if !f.Flapping || f.Severity != report.Critical || f.Impact != report.MajorOutage {
		t.Errorf("got %+v", f)
	}
	n := len(tr.last.Report.Transitions)
	for range 5 {
		tr.found["a"] = []rule.Result{critical("x")}
		tr.tick(30 * time.Second)
		tr.found["a"] = []rule.Result{warning("x")}
		tr.tick(30 * time.Second)
	}
	if got := len(tr.last.Report.Transitions); got != n {
		t.Errorf("%d transitions while it flapped", got-n)
	}
	tr.want(tr.tick(flapQuiet), "a x warning seen since 1 seen 1141")
}

func TestNoTimeIsInTheFuture(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	ahead := warning("x")
	ahead.Since = tr.at.Add(time.Hour)
	ahead.Evidence = []report.Evidence{{Fact: "a", At: tr.at.Add(time.Hour)}}
	tr.found["a"] = []rule.Result{ahead}
	f := tr.tick(time.Second).Findings[0]
	if f.Since.After(tr.at) || f.LevelSince.After(tr.at) || f.Evidence[0].At.After(tr.at) {
		t.Errorf("got %+v", f)
	}
	if ahead.Evidence[0].At.Equal(tr.at) {
		t.Error("the rule's own list was changed")
	}
}
