package judge

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

var sceneStart = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// A trialRun is a Judge with test rules, whose results the test sets.
type trialRun struct {
	t     *testing.T
	j     *Judge
	at    time.Time
	found map[string][]rule.Result // by rule
	last  View

	setting bool // the results of the rules are settings
}

// fake returns a rule that returns the results set by the test.
func (tr *trialRun) fake(id string, hold, keep time.Duration, needs ...string) rule.Rule {
	return rule.Rule{
		ID: id, Title: id, Component: report.ComponentNetwork, For: rule.Always(hold), KeepFiringFor: rule.Always(keep), Needs: needs,
		Check: func(rule.Input) []rule.Result {
			list := slices.Clone(tr.found[id])
			for i := range list {
				list[i].Setting = list[i].Setting || tr.setting
			}
			return list
		},
	}
}

// newTrial begins with two sources, bond and host, that have both reported.
func newTrial(t *testing.T, rules func(*trialRun) []rule.Rule) *trialRun {
	tr := &trialRun{t: t, at: sceneStart, found: map[string][]rule.Result{}}
	tr.j = New(rule.RuleSet{Rules: rules(tr), Runbook: "https://example.org/rules"})
	tr.observe(node.Started{Node: "node2", Version: "test", Sources: []node.Source{{Name: node.SourceBond}, {Name: node.SourceHost}}})
	tr.observe(node.SawHost{Reading: node.Reading[host.State]{At: tr.at}})
	tr.visibility(nil)
	return tr
}

func (tr *trialRun) observe(o node.Observation) {
	tr.t.Helper()
	if _, judged := tr.j.Take(node.Entry{At: tr.at, Saw: node.Name(o), Obs: o}); judged {
		tr.t.Fatal("an observation was judged")
	}
}

// visibility makes the bond source readable, or unreadable for the given reason.
func (tr *trialRun) visibility(e *node.Error) {
	tr.observe(node.SawLinks{Reading: node.Reading[bond.Links]{At: tr.at, Err: e}})
}

// tick advances the time by d and evaluates the rules.
func (tr *trialRun) tick(d time.Duration) report.Report {
	tr.t.Helper()
	tr.at = tr.at.Add(d)
	v, judged := tr.j.Take(node.Entry{At: tr.at})
	if !judged {
		tr.t.Fatal("nothing was judged")
	}
	tr.last = v
	return v.Report
}

// shows summarizes the findings of the report.
func shows(r report.Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%s %s %s %s since %.0f seen %.0f", f.Rule, f.Subject, f.Severity, f.State,
			f.Since.Sub(sceneStart).Seconds(), f.LastSeen.Sub(sceneStart).Seconds()))
	}
	return all
}

func (tr *trialRun) want(r report.Report, want ...string) {
	tr.t.Helper()
	if diff := cmp.Diff(want, shows(r)); diff != "" {
		tr.t.Errorf("at %.0f s: findings (-want +got):\n%s", tr.at.Sub(sceneStart).Seconds(), diff)
	}
}

func warning(subject string) rule.Result {
	return rule.Result{Subject: subject, Severity: report.Warning, Impact: report.Operational, Summary: "a warning"}
}

func critical(subject string) rule.Result {
	return rule.Result{Subject: subject, Severity: report.Critical, Impact: report.MajorOutage, Summary: "a storm"}
}

func oneRule(hold, keep time.Duration, needs ...string) func(*trialRun) []rule.Rule {
	return func(tr *trialRun) []rule.Rule { return []rule.Rule{tr.fake("a", hold, keep, needs...)} }
}

func TestHoldNeedsAnUnbrokenView(t *testing.T) {
	tr := newTrial(t, oneRule(10*time.Second, 0))
	tr.found["a"] = []rule.Result{warning("x")}
	tr.want(tr.tick(time.Second))
	tr.want(tr.tick(9 * time.Second))
	tr.found["a"] = nil
	tr.want(tr.tick(time.Second))
	tr.found["a"] = []rule.Result{warning("x")}
	tr.want(tr.tick(time.Second))
	tr.want(tr.tick(9 * time.Second))
	tr.want(tr.tick(time.Second), "a x warning seen since 12 seen 22")
}

func TestKeepOutlastsAGap(t *testing.T) {
	tr := newTrial(t, oneRule(0, 10*time.Second))
	tr.found["a"] = []rule.Result{warning("x")}
	tr.want(tr.tick(time.Second), "a x warning seen since 1 seen 1")
	tr.found["a"] = nil
	tr.want(tr.tick(9*time.Second), "a x warning seen since 1 seen 1")
	tr.found["a"] = []rule.Result{warning("x")}
	tr.want(tr.tick(time.Second), "a x warning seen since 1 seen 11")
	tr.found["a"] = nil
	tr.want(tr.tick(9*time.Second), "a x warning seen since 1 seen 11")
	tr.want(tr.tick(time.Second))
}

func TestARuleMayKnowSinceWhen(t *testing.T) {
	tr := newTrial(t, oneRule(5*time.Second, 0))
	early := warning("x")
	early.Since = sceneStart.Add(-time.Minute)
	tr.found["a"] = []rule.Result{early}
	tr.tick(time.Second)
	tr.want(tr.tick(5*time.Second), "a x warning seen since -60 seen 6")
	early.Since = sceneStart.Add(time.Minute) // a raised finding keeps its start
	tr.found["a"] = []rule.Result{early}
	tr.want(tr.tick(time.Second), "a x warning seen since -60 seen 7")
}

func TestEachSeverityRisesAndFallsInItsOwnTime(t *testing.T) {
	tr := newTrial(t, func(tr *trialRun) []rule.Rule {
		r := tr.fake("a", 0, 0)
		r.For = rule.Timing{Warning: 5 * time.Second, Critical: 8 * time.Second}
		r.KeepFiringFor = rule.Timing{Warning: 20 * time.Second, Critical: 10 * time.Second}
		return []rule.Rule{r}
	})
	tr.found["a"] = []rule.Result{critical("x")}
	tr.want(tr.tick(time.Second))
	tr.want(tr.tick(5*time.Second), "a x warning seen since 1 seen 6")
	tr.want(tr.tick(3*time.Second), "a x critical seen since 1 seen 9")
	tr.found["a"] = []rule.Result{warning("x")}
	r := tr.tick(9 * time.Second)
	tr.want(r, "a x critical seen since 1 seen 18")
	if r.Findings[0].Impact != report.MajorOutage || r.Findings[0].Summary != "a storm" {
		t.Errorf("got %s %q while it is kept, want those of the storm", r.Findings[0].Impact, r.Findings[0].Summary)
	}
	r = tr.tick(time.Second)
	tr.want(r, "a x warning seen since 1 seen 19")
	if f := r.Findings[0]; f.Impact != report.Operational || !f.LevelSince.Equal(tr.at) || f.Summary != "a warning" {
		t.Errorf("got %s since %s %q", f.Impact, f.LevelSince, f.Summary)
	}
	tr.found["a"] = nil
	tr.want(tr.tick(19*time.Second), "a x warning seen since 1 seen 19")
	tr.want(tr.tick(time.Second))
}

func TestImpactFallsAfterKeepToo(t *testing.T) {
	tr := newTrial(t, oneRule(0, 10*time.Second))
	worse := warning("x")
	worse.Impact = report.DegradedPerformance
	tr.found["a"] = []rule.Result{worse}
	tr.tick(time.Second)
	tr.found["a"] = []rule.Result{warning("x")}
	if r := tr.tick(9 * time.Second); r.Findings[0].Impact != report.DegradedPerformance {
		t.Errorf("got impact %s within the keep time", r.Findings[0].Impact)
	}
	if r := tr.tick(time.Second); r.Findings[0].Impact != report.Operational {
		t.Errorf("got impact %s after the keep time", r.Findings[0].Impact)
	}
}

func TestALostSourceIsNotRecovery(t *testing.T) {
	tr := newTrial(t, oneRule(0, 10*time.Second, node.SourceBond))
	tr.found["a"] = []rule.Result{critical("x")}
	tr.tick(time.Second)
	tr.found["a"] = nil
	tr.visibility(&node.Error{Kind: node.Stalled, Text: "stuck", Since: tr.at})
	r := tr.tick(time.Hour)
	tr.want(r, "a x critical blind since 1 seen 1")
	if c := r.Components[1]; c.Name != "network" || c.Status != report.MajorOutage {
		t.Errorf("got component %+v, want what is raised to hold it", c)
	}
	tr.visibility(nil)
	tr.want(tr.tick(time.Second), "a x critical seen since 1 seen 1") // a rate needs enough samples before "not observed" counts
	tr.want(tr.tick(8*time.Second), "a x critical seen since 1 seen 1")
	tr.want(tr.tick(time.Second))
}

func TestBlindAndSeenAgainIsOneFinding(t *testing.T) {
	tr := newTrial(t, oneRule(time.Second, 5*time.Second, node.SourceBond))
	tr.found["a"] = []rule.Result{warning("x")}
	tr.tick(time.Second)
	tr.tick(time.Second)
	tr.visibility(&node.Error{Kind: node.Failed, Text: "no", Since: tr.at})
	tr.want(tr.tick(time.Minute), "a x warning blind since 1 seen 2")
	tr.visibility(nil)
	r := tr.tick(time.Second)
	tr.want(r, "a x warning seen since 1 seen 63")
	var steps []string
	for _, tn := range r.Transitions {
		steps = append(steps, fmt.Sprintf("%d %s>%s %s", tn.N, tn.From, tn.To, tn.State))
	}
	if diff := cmp.Diff([]string{"1 clear>warning seen", "2 warning>warning blind", "3 warning>warning seen"}, steps); diff != "" {
		t.Errorf("transitions (-want +got):\n%s", diff)
	}
}

func TestWhatNoNeededSourceSeesIsNotRaised(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0, node.SourceBond))
	tr.visibility(&node.Error{Kind: node.Failed, Text: "no", Since: tr.at})
	tr.found["a"] = []rule.Result{critical("x")} // based on the previous reading
	tr.want(tr.tick(time.Second))
	tr.visibility(nil)
	tr.want(tr.tick(time.Second), "a x critical seen since 2 seen 2")
}

func TestOneBlindSourceOfTwoDoesNotStopARule(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0, node.SourceBond, node.SourceHost))
	tr.visibility(&node.Error{Kind: node.Failed, Text: "no", Since: tr.at})
	tr.found["a"] = []rule.Result{critical("x")}
	tr.want(tr.tick(time.Second), "a x critical seen since 1 seen 1")
	tr.found["a"] = nil // but it cannot report the end
	tr.want(tr.tick(time.Hour), "a x critical blind since 1 seen 1")
}

func TestARuleMayReportThatItIsBlind(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	blind := critical("x")
	blind.Blind = true
	tr.found["a"] = []rule.Result{blind}
	tr.want(tr.tick(time.Second)) // nothing was raised
	tr.found["a"] = []rule.Result{warning("x")}
	tr.tick(time.Second)
	tr.found["a"] = []rule.Result{blind}
	tr.want(tr.tick(time.Minute), "a x warning blind since 2 seen 2")
	tr.found["a"] = nil
	tr.want(tr.tick(time.Second))
}

func TestRepeatedSubjectsCountOnceAtTheirWorst(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	for _, list := range [][]rule.Result{{critical("x"), warning("x")}, {warning("x"), critical("x")}} {
		tr.found["a"] = list
		if r := tr.tick(time.Second); len(r.Findings) != 1 || r.Findings[0].Severity != report.Critical || len(r.Transitions) != 1 {
			t.Errorf("got %v with %d transitions, want the critical one and one transition", shows(r), len(r.Transitions))
		}
	}
}

func TestNothingIsJudgedBeforeSourcesSpokeOrTheGraceIsOver(t *testing.T) {
	begin := func() *Judge {
		j := New(rule.RuleSet{})
		j.Take(node.Entry{At: sceneStart, Obs: node.Started{Node: "node2",
			Sources: []node.Source{{Name: node.SourceBond}, {Name: node.SourceHost}}}})
		j.Take(node.Entry{At: sceneStart, Obs: node.SawLinks{Reading: node.Reading[bond.Links]{At: sceneStart}}})
		return j
	}
	judged := func(j *Judge, after time.Duration) bool {
		_, is := j.Take(node.Entry{At: sceneStart.Add(after)})
		return is
	}
	j := begin()
	if judged(j, grace-time.Millisecond) {
		t.Error("judged while host had not spoken")
	}
	if !judged(j, grace) {
		t.Error("not judged when the grace was over")
	}
	j = begin()
	j.Take(node.Entry{At: sceneStart, Obs: node.SawHost{Reading: node.Reading[host.State]{Err: &node.Error{Kind: node.Failed,
		Since: sceneStart}}}})
	if !judged(j, time.Second) {
		t.Error("not judged though every source has spoken, be it that it is blind")
	}
}

func TestNoDataIsUnknownNeverOperational(t *testing.T) {
	j := New(all.Default())
	var sources []node.Source
	for _, name := range []string{node.SourceBond, node.SourceNIC, node.SourceKrbd, node.SourceIO, node.SourceKmsg, node.SourceLibvirt,
		node.SourceQEMU, node.SourceHost, node.SourceCeph} {
		sources = append(sources, node.Source{Name: name})
	}
	j.Take(node.Entry{At: sceneStart, Obs: node.Started{Sources: sources}})
	v, judged := j.Take(node.Entry{At: sceneStart.Add(grace)})
	if !judged {
		t.Fatal("nothing was judged")
	}
	for _, c := range v.Report.Components {
		if want := report.Unknown; c.Name != report.ComponentNodewatch && c.Status != want {
			t.Errorf("%s: got %s, want %s", c.Name, c.Status, want)
		}
	}
	if v.Report.Status != report.Unknown {
		t.Errorf("got status %s, want unknown", v.Report.Status)
	}
}

func TestTheClusterAloneDoesNotMakeTheNodeUnknown(t *testing.T) {
	for _, kind := range []node.ErrorKind{node.Absent, node.Denied, node.Failed} {
		j := New(rule.RuleSet{})
		good := []node.Observation{
			node.SawLinks{Reading: node.Reading[bond.Links]{At: sceneStart}},
			node.SawCounters{Reading: node.Reading[[]bond.Counters]{At: sceneStart}},
			node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{At: sceneStart}},
			node.SawIO{Reading: node.Reading[[]rbd.IO]{At: sceneStart}},
			node.SawKernel{Reading: node.Reading[kmsg.Batch]{At: sceneStart}},
			node.SawLibvirt{Reading: node.Reading[rbd.Guests]{At: sceneStart}},
			node.SawHost{Reading: node.Reading[host.State]{At: sceneStart}},
		}
		for _, o := range append(good, node.SawCluster{Reading: node.Reading[ceph.Cluster]{Err: &node.Error{Kind: kind,
			Since: sceneStart}}}) {
			j.Take(node.Entry{At: sceneStart, Obs: o})
		}
		v, _ := j.Take(node.Entry{At: sceneStart.Add(time.Second)})
		if v.Report.Status != report.Operational {
			t.Errorf("%s: got status %s", kind, v.Report.Status)
		}
		for _, c := range v.Report.Components {
			if c.Name == report.ComponentCluster && c.Status != report.Unknown || c.Name == report.ComponentStorage &&
				c.Status != report.Operational {
				t.Errorf("%s: got %s %s", kind, c.Name, c.Status)
			}
		}
	}
}

func TestTransitionsAreNumberedAndBounded(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	var r report.Report
	for n := range keptTransitions + 50 {
		tr.found["a"] = nil
		if n%2 == 0 {
			tr.found["a"] = []rule.Result{warning(fmt.Sprintf("x%d", n))} // a repeatedly raised finding would flap
		}
		r = tr.tick(time.Second)
	}
	if len(r.Transitions) != keptTransitions {
		t.Fatalf("got %d transitions, want the last %d", len(r.Transitions), keptTransitions)
	}
	for i, tn := range r.Transitions {
		if want := uint64(51 + i); tn.N != want {
			t.Fatalf("transition %d has number %d, want %d", i, tn.N, want)
		}
	}
	last := r.Transitions[keptTransitions-1]
	if last.From != "warning" || last.To != "clear" || last.Impact != report.Operational || last.Component != "network" ||
		last.Summary != "a warning" {
		t.Errorf("got %+v", last)
	}
}

func TestWhatIsClearedHurtsNobody(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.found["a"] = []rule.Result{critical("x")}
	tr.tick(time.Second)
	tr.found["a"] = nil
	r := tr.tick(time.Second)
	if last := r.Transitions[1]; last.From != "critical" || last.To != "clear" || last.Impact != report.Operational ||
		last.Summary != "a storm" {
		t.Errorf("got %+v", last)
	}
}

func TestReportsAreNotChangedByLaterOnes(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.found["a"] = []rule.Result{warning("x")}
	first := tr.tick(time.Second)
	before, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 * keptTransitions {
		tr.found["a"] = []rule.Result{warning("x"), critical(fmt.Sprint(n % 7))}
		tr.tick(time.Second)
	}
	after, _ := json.Marshal(first)
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("the first report changed (-then +now):\n%s", diff)
	}
}

func TestARuleThatIsSwitchedOffClears(t *testing.T) {
	j := New(all.Default())
	take := func(after time.Duration, o node.Observation) report.Report {
		v, _ := j.Take(node.Entry{At: sceneStart.Add(after), Obs: o})
		return v.Report
	}
	take(0, node.Started{Sources: []node.Source{{Name: node.SourceHost}}})
	take(0, node.SawHost{Reading: node.Reading[host.State]{Err: &node.Error{Kind: node.Failed, Text: "no", Since: sceneStart}}})
	take(time.Second, nil)
	if r := take(20*time.Second, nil); len(r.Findings) != 1 || r.Findings[0].Rule != "source-stalled" {
		t.Fatalf("got %v, want source-stalled", shows(r))
	}
	take(21*time.Second, node.Settings{Off: []string{"source-stalled"}})
	r := take(22*time.Second, nil)
	if len(r.Findings) != 0 {
		t.Errorf("got %v after it was switched off, want nothing", shows(r))
	}
	if last := r.Transitions[len(r.Transitions)-1]; last.To != "clear" {
		t.Errorf("got transition %+v, want one to clear", last)
	}
}

func TestARestartOnTheTapeForgets(t *testing.T) {
	tr := newTrial(t, oneRule(0, time.Hour))
	tr.found["a"] = []rule.Result{warning("x")}
	tr.tick(time.Second)
	tr.found["a"] = nil
	tr.observe(node.Started{Node: "node2", Sources: []node.Source{{Name: node.SourceBond}}})
	if _, judged := tr.j.Take(node.Entry{At: tr.at}); judged {
		t.Error("judged at once after a restart, before the source has spoken")
	}
	tr.visibility(nil)
	r := tr.tick(time.Second)
	if len(r.Findings) != 0 || len(r.Transitions) != 0 {
		t.Errorf("got %v and %v, want what a new daemon would say", shows(r), r.Transitions)
	}
	if len(r.Sources) != 1 {
		t.Errorf("got %d sources, want those of the new daemon", len(r.Sources))
	}
}

func TestComponentsShowTheWorstAndNameTheRest(t *testing.T) {
	tr := newTrial(t, func(tr *trialRun) []rule.Rule {
		return []rule.Rule{tr.fake("a", 0, 0), tr.fake("b", 0, 0), tr.fake("c", 0, 0)}
	})
	hurts := warning("y")
	hurts.Impact, hurts.Summary = report.DegradedPerformance, "it hurts"
	red := critical("x")
	red.Impact, red.Summary = report.Operational, "red, but nobody feels it"
	tr.found["a"], tr.found["b"], tr.found["c"] = []rule.Result{red}, []rule.Result{hurts}, []rule.Result{warning("1"), warning("2")}
	c := tr.tick(time.Second).Components[1]
	if c.Status != report.DegradedPerformance || c.Summary != "it hurts (and a, c)" {
		t.Errorf("got %s: %q", c.Status, c.Summary)
	}
	since := c.Since
	hurts.Summary = "it still hurts"
	tr.found["b"] = []rule.Result{hurts}
	if c = tr.tick(time.Minute).Components[1]; !c.Since.Equal(since) || c.Summary != "it still hurts (and a, c)" {
		t.Errorf("got %s since %s: %q", c.Status, c.Since, c.Summary)
	}
}

func TestAnUnknownComponentNamesWhatIsRaised(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.found["a"] = []rule.Result{warning("x")}
	tr.visibility(&node.Error{Kind: node.Stalled, Text: "stuck", Since: tr.at})
	c := tr.tick(time.Second).Components[1]
	if c.Status != report.Unknown || c.Summary != "unknown: bond: stuck (and a)" {
		t.Errorf("got %s: %q", c.Status, c.Summary)
	}
}

func TestFindingsAreSortedWorstFirst(t *testing.T) {
	tr := newTrial(t, func(tr *trialRun) []rule.Rule { return []rule.Rule{tr.fake("b", 0, 0), tr.fake("a", 0, 0)} })
	tr.found["a"] = []rule.Result{warning("2"), critical("1")}
	tr.found["b"] = []rule.Result{warning("9"), warning("10")}
	tr.want(tr.tick(time.Second),
		"a 1 critical seen since 1 seen 1", "b 10 warning seen since 1 seen 1", "b 9 warning seen since 1 seen 1",
		"a 2 warning seen since 1 seen 1")
}

func TestListsAreEmptyRatherThanMissing(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.found["a"] = []rule.Result{warning("x")}
	r := tr.tick(time.Second)
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	f := r.Findings[0]
	if f.Evidence == nil || f.Against == nil || f.Advice == nil || r.Transitions == nil || r.Sources == nil {
		t.Errorf("a list is null in %s", raw)
	}
	if f.Runbook != "https://example.org/rules#a" || f.Component != "network" || f.Rule != "a" {
		t.Errorf("got %+v", f)
	}
}

// A transition contains the previous impact if the finding was raised and its impact
// has changed.
func TestTransitionsSayWhatTheImpactWas(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	hurts := critical("x")
	hurts.Impact = report.DegradedPerformance
	for _, seen := range [][]rule.Result{{warning("x")}, {hurts}, {critical("x")}, nil} {
		tr.found["a"] = seen
		tr.tick(time.Second)
	}
	tr.found["a"] = []rule.Result{warning("y")}
	tr.tick(time.Second)
	tr.found["a"] = nil
	var got []string
	for _, tn := range tr.tick(time.Second).Transitions {
		got = append(got, fmt.Sprintf("%s %s: %s to %s", tn.From, tn.To, tn.ImpactFrom, tn.Impact))
	}
	want := []string{
		"clear warning:  to operational", "warning critical: operational to degraded_performance",
		"critical critical: degraded_performance to major_outage",
		"critical clear: major_outage to operational", "clear warning:  to operational", "warning clear:  to operational",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
