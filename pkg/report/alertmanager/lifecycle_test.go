package alertmanager_test

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/alertmanager"
)

const rs = "NodewatchKrbdRetryStorm "

func TestAFindingFiresUntilItIsOver(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}, Every: 30 * time.Second})
	at := now()
	deliverTo(t, r, reportOf(at, storm(at.Add(-time.Minute))))
	a, fires := f.fires(at)[rs]
	if !fires || !a.StartsAt.Equal(at.Add(-time.Minute)) || !a.EndsAt.Equal(at.Add(2*time.Minute)) {
		t.Fatalf("told as %+v", a)
	}

	deliverTo(t, r, reportOf(at.Add(30*time.Second), storm(at.Add(-time.Minute))))
	if a := f.fires(at)[rs]; !a.EndsAt.Equal(at.Add(150 * time.Second)) {
		t.Errorf("told again it ends at %s", a.EndsAt)
	}

	over := at.Add(40 * time.Second)
	deliverTo(t, r, reportOf(over))
	if a := f.taken[rs]; !a.EndsAt.Equal(over) || !a.StartsAt.Equal(at.Add(-time.Minute)) {
		t.Errorf("over is told as %+v", a)
	}
	deliverTo(t, r, reportOf(over.Add(5*time.Minute)))
	if got := f.taken[rs].EndsAt; f.last() == "[]" || !got.Equal(over) {
		t.Errorf("five minutes later it is not told again, or as over at %s: %s", got, f.last())
	}
	deliverTo(t, r, reportOf(over.Add(5*time.Minute+time.Second)))
	if f.last() != "[]" {
		t.Errorf("after that it is still told: %s", f.last())
	}
}

// An alert that fires again within the five minutes is not also sent as resolved.
func TestAFindingThatComesBack(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}})
	at := now()
	deliverTo(t, r, reportOf(at, storm(at)))
	deliverTo(t, r, reportOf(at.Add(time.Second)))
	deliverTo(t, r, reportOf(at.Add(time.Minute), storm(at.Add(time.Minute))))
	if got := names(f.fires(at.Add(2 * time.Minute))); got != rs {
		t.Errorf("fires: %q", got)
	}
}

// The severity is a label, so a finding that gets worse is another alert, and the old
// one is resolved.
func TestASeverityThatRises(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}})
	at, worse := now(), storm(now())
	mild := worse
	mild.Severity = report.Warning
	deliverTo(t, r, reportOf(at, mild))
	worse.LevelSince = at.Add(20 * time.Second)
	deliverTo(t, r, reportOf(at.Add(20*time.Second), worse))
	list := decoded(t, f.last())
	if len(list) != 2 || list[0].Labels["severity"] != "critical" || !list[0].StartsAt.Equal(worse.LevelSince) ||
		list[1].Labels["severity"] != "warning" || !list[1].EndsAt.Equal(at.Add(20*time.Second)) {
		t.Errorf("%s", f.last())
	}
}

// The start of an alert does not change while it fires, even if its impact does.
func TestStartsAtStays(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}})
	at := now()
	deliverTo(t, r, reportOf(at, storm(at)))
	changed := storm(at)
	changed.Impact, changed.LevelSince = report.DegradedPerformance, at.Add(time.Minute)
	deliverTo(t, r, reportOf(at.Add(time.Minute), changed))
	if a := f.fires(at)[rs]; !a.StartsAt.Equal(at) || a.Annotations["impact"] != "degraded_performance" {
		t.Errorf("%+v", a)
	}
}

// The start of an alert is never later than now, and never missing: Alertmanager
// would reject the former and accept the latter.
func TestABeginningThatCannotBe(t *testing.T) {
	for _, since := range []time.Time{{}, now().Add(time.Hour)} {
		f := newFake(t)
		at := now()
		deliverTo(t, newReporter(t, alertmanager.Config{URLs: []string{f.URL}}), reportOf(at, storm(since)))
		if a := f.fires(at)[rs]; !a.StartsAt.Equal(at) {
			t.Errorf("begun %s it is told as begun %s", since, a.StartsAt)
		}
	}
}

func TestTheEndOfNodewatchIsNoRecovery(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}, Every: 30 * time.Second})
	at := now()
	deliverTo(t, r, reportOf(at, storm(at), saturated(at)))
	last := reportOf(at.Add(10*time.Second), storm(at))
	last.Final = "nodewatch stops"
	deliverTo(t, r, last)
	if got := names(f.fires(at.Add(2*time.Minute - time.Second))); got != rs+", NodewatchNicSaturated eth0" {
		t.Errorf("after the last report there fires %q", got)
	}
	if got := names(f.fires(at.Add(2*time.Minute + 10*time.Second))); got != "" {
		t.Errorf("it never expires: %q", got)
	}
}

func TestABlindFindingKeepsFiring(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}})
	at := now()
	deliverTo(t, r, reportOf(at, storm(at)))
	blind := storm(at)
	blind.State, blind.LastSeen = report.Blind, at.Add(time.Minute)
	deliverTo(t, r, reportOf(at.Add(time.Hour), blind))
	a, fires := f.fires(at.Add(time.Hour))[rs]
	if !fires || a.Annotations["blind"] == "" {
		t.Errorf("fires: %v, annotations %v", fires, a.Annotations)
	}
}

// Maintenance silences findings, so their alerts are resolved; the alert's text
// states that the end was not observed.
func TestMaintenance(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}})
	at := now()
	deliverTo(t, r, reportOf(at, storm(at)))
	quiet := reportOf(at.Add(time.Second))
	quiet.Maintenance = &report.Maintenance{Since: quiet.At, Until: at.Add(time.Hour), By: "ann", Reason: "new cable"}
	deliverTo(t, r, quiet)
	if a := f.taken[rs]; !a.EndsAt.Equal(quiet.At) || a.Annotations["maintenance"] == "" {
		t.Errorf("%+v", a)
	}
}

func TestWatchdog(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}, Watchdog: true})
	at := now()
	for _, p := range []report.Report{reportOf(at), reportOf(at.Add(time.Minute), storm(at)), reportOf(at.Add(2 * time.Minute))} {
		deliverTo(t, r, p)
		if _, fires := f.fires(p.At)["NodewatchWatchdog "]; !fires {
			t.Errorf("at %s it does not fire", p.At)
		}
	}
}

func TestTheTestIsHarmless(t *testing.T) {
	f := newFake(t)
	r := newReporter(t, alertmanager.Config{URLs: []string{f.URL}})
	p := reportOf(now(), storm(now()))
	p.Test = true
	answer, err := r.Test(t.Context(), p)
	if err != nil || answer != f.URL+": 200 OK" {
		t.Errorf("%q, %v", answer, err)
	}
	a := f.taken["NodewatchTest "]
	if len(f.taken) != 1 || a.Labels["severity"] != "info" || a.Labels["switch"] != "sw1" ||
		a.Annotations["summary"] != "TEST from nodewatch on node2: please ignore" || a.EndsAt.Sub(p.At) != time.Minute {
		t.Errorf("%+v", f.taken)
	}
	deliverTo(t, r, reportOf(p.At.Add(time.Second)))
	if f.last() != "[]" {
		t.Errorf("the test is remembered as a finding: %s", f.last())
	}
}
