package judge

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func (tr *trialRun) override(w override.Overrides) {
	tr.observe(node.SawOverrides{Reading: node.Reading[override.Overrides]{At: tr.at, Value: w}})
}

func acceptance(severity string, until time.Time) override.Overrides {
	return override.Overrides{Accepted: []override.Acknowledgement{{Rule: "a", Subject: "x", Severity: severity, At: sceneStart,
		Until: until, By: "alice", Reason: "switch comes on Monday"}}}
}

func TestAnAcceptedFindingIsShownAndPagesNobody(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.found["a"] = []rule.Result{warning("x"), warning("y")}
	tr.override(acceptance("warning", sceneStart.Add(time.Hour)))
	r := tr.tick(time.Second)
	if len(r.Findings) != 2 {
		t.Fatalf("%v", shows(r))
	}
	x, y := r.Findings[0], r.Findings[1]
	if x.Accepted == nil || x.Accepted.By != "alice" || r.Pageable(x) {
		t.Errorf("%+v", x)
	}
	if y.Accepted != nil || !r.Pageable(y) {
		t.Errorf("another subject is accepted: %+v", y)
	}
	if r = tr.tick(time.Hour); r.Findings[0].Accepted != nil {
		t.Error("it is accepted after its date")
	}
}

// Acknowledging a permanent risk does not acknowledge a storm.
func TestWhatGetsWorseThanWasAcceptedPages(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.override(acceptance("warning", sceneStart.Add(time.Hour)))
	f := warning("x")
	f.Severity = report.Critical
	tr.found["a"] = []rule.Result{f}
	if r := tr.tick(time.Second); r.Findings[0].Accepted != nil || !r.Pageable(r.Findings[0]) {
		t.Errorf("%+v", r.Findings[0])
	}
	tr.override(acceptance("critical", sceneStart.Add(time.Hour)))
	if r := tr.tick(time.Second); r.Findings[0].Accepted == nil {
		t.Error("accepted as critical, and pages")
	}
}

func TestMaintenanceIsReportedAndEndsByItself(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	f := warning("x")
	f.Impact = report.MajorOutage
	tr.found["a"] = []rule.Result{f}
	tr.override(override.Overrides{Maintenance: &override.Maintenance{Since: sceneStart, Until: sceneStart.Add(time.Hour), By: "bob",
		Reason: "new NIC"}})
	r := tr.tick(time.Second)
	if r.Maintenance == nil || r.Status != report.UnderMaintenance || r.Pageable(r.Findings[0]) {
		t.Errorf("%s, %+v", r.Status, r.Maintenance)
	}
	for _, c := range r.Components {
		if c.Status != report.UnderMaintenance {
			t.Errorf("%s is %s", c.Name, c.Status)
		}
	}
	if len(r.Transitions) != 1 || r.Findings[0].Impact != report.MajorOutage {
		t.Error("what happens is not recorded")
	}
	r = tr.tick(time.Hour)
	if r.Maintenance != nil || r.Status != report.MajorOutage || !r.Pageable(r.Findings[0]) {
		t.Errorf("after its end: %s", r.Status)
	}
}

// A file that can no longer be read neither ends nor prolongs a maintenance.
func TestOverridesOutliveTheirSource(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.override(override.Overrides{Maintenance: &override.Maintenance{Since: sceneStart, Until: sceneStart.Add(time.Hour), By: "bob",
		Reason: "new NIC"}})
	tr.observe(node.SawOverrides{Reading: node.Reading[override.Overrides]{Err: &node.Error{Kind: node.Stalled, Since: tr.at}}})
	if r := tr.tick(time.Second); r.Maintenance == nil {
		t.Error("it has ended")
	}
	if r := tr.tick(time.Hour); r.Maintenance != nil {
		t.Error("it does not end")
	}
}

// The reason of a maintenance and the problem of the component fit into one summary.
func TestAMaintenanceFitsASummary(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	f := warning("x")
	f.Impact = report.MajorOutage
	tr.found["a"] = []rule.Result{f}
	tr.override(override.Overrides{Maintenance: &override.Maintenance{Since: sceneStart, Until: sceneStart.Add(time.Hour), By: "alice",
		Reason: strings.Repeat("cables ", 30)}})
	for _, c := range tr.tick(time.Second).Components {
		if n := utf8.RuneCountInString(c.Summary); c.Status != report.UnderMaintenance || n > rule.MaxSummary {
			t.Errorf("%s has a summary of %d characters: %s", c.Name, n, c.Summary)
		}
	}
}
