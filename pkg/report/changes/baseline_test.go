package changes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/changes"
)

var start = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

// settle is the time after which a run has warmed up.
const settle = 3 * time.Minute

// A scene is a node whose Reports a test creates.
type scene struct{ r report.Report }

func newScene(started time.Time) *scene {
	return &scene{report.Report{
		Node: "node2", Site: "rl1", Boot: "b1", Started: started, At: started.Add(time.Minute),
		Components: []report.Component{{Name: "storage", State: report.Seen}, {Name: "network", State: report.Seen}},
	}}
}

// set sets the level of a finding with a transition; "" clears it.
func (s *scene) set(rule, subject string, to report.Severity, impact report.Impact) {
	from, level := report.Clear, to
	s.r.At = s.r.At.Add(time.Second)
	list := []report.Finding{}
	for _, f := range s.r.Findings {
		if f.Rule == rule && f.Subject == subject {
			from = f.Severity
			continue
		}
		list = append(list, f)
	}
	if to == "" {
		level, impact = report.Clear, report.Operational
	} else {
		list = append(list, report.Finding{
			Rule: rule, Subject: subject, Component: "storage", Severity: to, Impact: impact, State: report.Seen,
			Since: s.r.At, Summary: rule + " is " + string(level),
		})
	}
	s.r.Findings = list
	n := uint64(1)
	if len(s.r.Transitions) > 0 {
		n = s.r.Transitions[len(s.r.Transitions)-1].N + 1
	}
	s.r.Transitions = append(s.r.Transitions[:len(s.r.Transitions):len(s.r.Transitions)], report.Transition{
		N: n, At: s.r.At, Rule: rule, Subject: subject, Component: "storage", From: from, To: level, Impact: impact,
		Summary: rule + " is " + string(level),
	})
	s.r.Transitions = s.r.Transitions[max(0, len(s.r.Transitions)-200):]
}

// silent returns the Report without the named rule's findings, as a filter would.
func (s *scene) silent(rule string) report.Report {
	r := s.r
	r.Findings = nil
	for _, f := range s.r.Findings {
		if f.Rule != rule {
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

// words returns the changes in short form.
func words(list []changes.Change) []string {
	out := []string{}
	for _, c := range list {
		out = append(out, strings.TrimSpace(strings.Join([]string{string(c.Kind), c.Rule, c.Subject}, " "))+": "+string(c.From)+" > "+
			string(c.To))
	}
	return out
}

// receive compares the Report with the Baseline, and returns the reported changes.
func receive(t *testing.T, reported changes.Baseline, r report.Report, want ...string) changes.Baseline {
	t.Helper()
	list, next := reported.Diff(r)
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, words(list)); diff != "" {
		t.Errorf("what is told (-want +got):\n%s", diff)
	}
	if again, same := next.Diff(r); len(again) > 0 || !cmp.Equal(next, same) {
		t.Errorf("the same Report tells more: %v", words(again))
	}
	return next
}

func TestEachChangeIsReportedOnce(t *testing.T) {
	s := newScene(start)
	reported := receive(t, changes.Baseline{}, s.r)
	s.set("crc", "osd3", report.Warning, report.Operational)
	reported = receive(t, reported, s.r, "raised crc osd3: clear > warning")
	s.set("crc", "osd3", report.Critical, report.MajorOutage)
	reported = receive(t, reported, s.r, "worse crc osd3: warning > critical")
	s.r.Findings[0].State = report.Blind
	reported = receive(t, reported, s.r, "blind crc osd3: critical > critical")
	s.r.Findings[0].State = report.Seen
	reported = receive(t, reported, s.r, "seen crc osd3: critical > critical")
	s.set("crc", "osd3", report.Critical, report.DegradedPerformance)
	reported = receive(t, reported, s.r, "milder crc osd3: critical > critical")
	s.set("crc", "osd3", report.Info, report.DegradedPerformance)
	reported = receive(t, reported, s.r, "milder crc osd3: critical > info")
	s.set("crc", "osd3", "", "")
	reported = receive(t, reported, s.r, "cleared crc osd3: info > clear")
	if len(reported.Findings) != 0 {
		t.Errorf("still remembered: %v", reported.Findings)
	}
}

func TestTheMostUrgentComesFirst(t *testing.T) {
	s := newScene(start)
	s.set("gone", "", report.Critical, report.MajorOutage)
	s.set("softer", "", report.Critical, report.MajorOutage)
	reported := receive(t, changes.Baseline{}, s.r, "raised gone: clear > critical", "raised softer: clear > critical")
	s.set("gone", "", "", "")
	s.set("softer", "", report.Warning, report.Operational)
	s.set("a-warning", "", report.Warning, report.Operational)
	s.set("z-outage", "", report.Critical, report.MajorOutage)
	s.set("brief", "", report.Critical, report.PartialOutage)
	s.set("brief", "", "", "")
	receive(t, reported, s.r, "raised z-outage: clear > critical", "raised a-warning: clear > warning", "milder softer: critical > warning",
		"passed brief: critical > clear", "cleared gone: critical > clear")
}

// A finding that is acknowledged or under maintenance is not cleared.
func TestSilenceIsNotRecovery(t *testing.T) {
	s := newScene(start)
	s.set("crc", "", report.Critical, report.MajorOutage)
	reported := receive(t, changes.Baseline{}, s.r, "raised crc: clear > critical")
	reported = receive(t, reported, s.silent("crc"))
	loud := receive(t, reported, s.r, "raised crc: critical > critical")
	receive(t, loud, s.r)
	s.set("crc", "", "", "")
	receive(t, reported, s.r, "cleared crc: critical > clear")

	s = newScene(start)
	s.set("crc", "", report.Critical, report.MajorOutage)
	reported = receive(t, changes.Baseline{}, s.r, "raised crc: clear > critical")
	s.r.Maintenance = &report.Maintenance{}
	reported = receive(t, reported, s.silent("crc"))
	s.set("crc", "", report.Warning, report.Operational)
	reported = receive(t, reported, s.silent("crc"))
	s.set("crc", "", "", "")
	receive(t, reported, s.r, "cleared crc: critical > clear")
}

// A finding that falls below the reader's filter is milder, not cleared.
func TestBelowTheFilter(t *testing.T) {
	s := newScene(start)
	s.set("crc", "", report.Critical, report.MajorOutage)
	reported := receive(t, changes.Baseline{}, s.r, "raised crc: clear > critical")
	s.set("crc", "", report.Info, report.Operational)
	filter := report.Filter{Severity: report.Warning}
	reported = receive(t, reported, filter.Apply(s.r), "milder crc: critical > info")
	s.set("crc", "", "", "")
	receive(t, reported, filter.Apply(s.r))
}

func TestARestartRepeatsNothing(t *testing.T) {
	s := newScene(start)
	s.set("stays", "", report.Critical, report.MajorOutage)
	s.set("goes", "", report.Warning, report.Operational)
	s.set("silenced", "", report.Warning, report.Operational)
	reported := receive(t, changes.Baseline{}, s.r, "raised stays: clear > critical", "raised goes: clear > warning",
		"raised silenced: clear > warning")

	s = newScene(start.Add(time.Hour))
	reported = receive(t, reported, s.r) // too early to report anything as cleared
	s.set("stays", "", report.Critical, report.MajorOutage)
	s.set("silenced", "", report.Warning, report.Operational)
	reported = receive(t, reported, s.silent("silenced"))
	s.r.At = s.r.Started.Add(settle)
	s.r.Components[0].State = report.Blind
	reported = receive(t, reported, s.silent("silenced")) // not visible, so it may still be raised
	s.r.Components, s.r.Maintenance = []report.Component{{Name: "storage", State: report.Seen}}, &report.Maintenance{}
	reported = receive(t, reported, s.silent("silenced")) // everything is silenced
	s.r.Maintenance = nil
	reported = receive(t, reported, s.silent("silenced"), "cleared goes: warning > clear")
	receive(t, reported, s.r, "raised silenced: warning > warning")
}

// After more transitions than the ring holds, a missing finding is cleared.
func TestARingThatRanOver(t *testing.T) {
	s := newScene(start)
	s.set("crc", "", report.Critical, report.MajorOutage)
	reported := receive(t, changes.Baseline{}, s.r, "raised crc: clear > critical")
	s.set("crc", "", "", "")
	for range 101 {
		s.set("flap", "", report.Warning, report.Operational)
		s.set("flap", "", "", "")
	}
	receive(t, reported, s.r, "passed flap: warning > clear", "cleared crc: critical > clear")
}

// Transitions that a filter removed from the ring are not lost: nothing counts as
// cleared because of them.
func TestAFilteredRing(t *testing.T) {
	s := newScene(start)
	filter := report.Filter{NotRules: []string{"other"}}
	s.set("crc", "", report.Critical, report.MajorOutage)
	reported := receive(t, changes.Baseline{}, filter.Apply(s.r), "raised crc: clear > critical")
	for range 110 {
		s.set("other", "", report.Warning, report.Operational)
		s.set("other", "", "", "")
		reported = receive(t, reported, filter.Apply(s.r))
	}
	s.set("other", "", report.Warning, report.Operational)
	s.set("third", "", report.Info, report.Operational)
	reported = receive(t, reported, filter.Apply(s.silent("crc")), "raised third: clear > info")
	s.set("crc", "", "", "")
	receive(t, reported, filter.Apply(s.r), "cleared crc: critical > clear")
}

// A finding silenced before the ring overflowed stays silenced.
func TestARingThatRanOverASilence(t *testing.T) {
	s := newScene(start)
	s.set("crc", "", report.Critical, report.MajorOutage)
	reported := receive(t, changes.Baseline{}, s.r, "raised crc: clear > critical")
	reported = receive(t, reported, s.silent("crc"))
	for range 101 {
		s.set("flap", "", report.Warning, report.Operational)
		s.set("flap", "", "", "")
	}
	receive(t, reported, s.silent("crc"), "passed flap: warning > clear")
}

// A maintenance that begins at the moment a finding gets milder also silences that
// change.
func TestAMaintenanceSilencesAtOnce(t *testing.T) {
	s := newScene(start)
	s.set("crc", "", report.Critical, report.MajorOutage)
	reported := receive(t, changes.Baseline{}, s.r, "raised crc: clear > critical")
	s.set("crc", "", report.Warning, report.Operational)
	s.r.Maintenance = &report.Maintenance{}
	receive(t, reported, s.silent("crc"))
}

func TestAFirstReportHasNoHistory(t *testing.T) {
	s := newScene(start)
	s.set("brief", "", report.Critical, report.MajorOutage)
	s.set("brief", "", "", "")
	receive(t, changes.Baseline{}, s.r)
}

func TestAnEventIsBounded(t *testing.T) {
	s := newScene(start)
	for i := range 140 {
		s.set("crc", string(rune('a'+i%26))+string(rune('a'+i/26)), report.Warning, report.Operational)
	}
	list, next := changes.Baseline{}.Diff(s.r)
	e := next.Event(s.r, list)
	if len(e.Changes) != 100 || e.More != 40 || e.Raised != 140 || e.ID != "b1/140/0" {
		t.Errorf("%d changes and %d more, %d raised, id %s", len(e.Changes), e.More, e.Raised, e.ID)
	}
}

// An event without changes has an empty list of them, not null.
func TestAnEventWithoutChanges(t *testing.T) {
	if e := (changes.Baseline{}).Event(newScene(start).r, nil); e.Changes == nil {
		t.Error("null")
	}
}

// A long summary is truncated for storage, at a character boundary.
func TestALongSummary(t *testing.T) {
	s := newScene(start)
	s.set("crc", "", report.Warning, report.Operational)
	s.r.Findings[0].Summary = "x" + strings.Repeat("é", 400)
	_, next := changes.Baseline{}.Diff(s.r)
	if got := next.Findings[0].Summary; got != "x"+strings.Repeat("é", 249) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// explain marks a finding as explained by another one, or as no longer explained.
func (s *scene) explain(rule, subject string, by ...report.Ref) {
	s.r.Findings = slices.Clone(s.r.Findings)
	for i := range s.r.Findings {
		if f := &s.r.Findings[i]; f.Rule == rule && f.Subject == subject {
			f.ExplainedBy = by
		}
	}
}

// A finding that another one explains is not reported; if it was reported before, it
// stays unchanged and is cleared when it clears.
func TestWhatIsExplainedIsNotReported(t *testing.T) {
	s := newScene(start)
	reported := receive(t, changes.Baseline{}, s.r)
	s.set("stalled", "", report.Warning, report.PartialOutage)
	reported = receive(t, reported, s.r, "raised stalled: clear > warning")
	s.set("storm", "", report.Critical, report.MajorOutage)
	s.set("crc", "", report.Warning, report.Operational)
	s.set("stalled", "", report.Critical, report.MajorOutage)
	s.explain("stalled", "", report.Ref{Rule: "storm"})
	s.explain("crc", "", report.Ref{Rule: "storm"})
	reported = receive(t, reported, s.r, "raised storm: clear > critical")
	s.set("stalled", "", "", "")
	reported = receive(t, reported, s.r, "cleared stalled: warning > clear")
	s.set("storm", "", "", "")
	s.explain("crc", "") // it is still raised, and no longer explained
	reported = receive(t, reported, s.r, "raised crc: clear > warning", "cleared storm: critical > clear")
	s.set("crc", "", "", "")
	receive(t, reported, s.r, "cleared crc: warning > clear")
}
