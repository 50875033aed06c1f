package judge

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// withGuests maps one krbd disk for each of the given number of running VMs.
func (tr *trialRun) withGuests(n int) {
	var mapped []rbd.Mapped
	var guests []rbd.Guest
	for i := range n {
		mapped = append(mapped, rbd.Mapped{ID: i, Device: fmt.Sprintf("rbd%d", i), Major: 252, Minor: uint32(16 * i), Pool: "rbd",
			Image: fmt.Sprintf("vm-%d", 100+i), ClientID: 4})
		guests = append(guests, rbd.Guest{Name: fmt.Sprintf("vm%d", 100+i), ID: fmt.Sprint(i + 1), Kind: "vm", State: "running",
			Disks: []rbd.Disk{{Target: "vda", Path: fmt.Sprintf("/dev/rbd%d", i), Major: 252, Minor: uint32(16 * i)}}})
	}
	tr.observe(node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{At: tr.at, Value: mapped}})
	if guests != nil {
		tr.observe(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{At: tr.at, Value: rbd.Guests{Guests: guests}}})
	}
}

func devices(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("rbd%d", i))
	}
	return list
}

// The impact is computed from the affected guests as a share of all running guests.
func TestImpactIsComputedFromTheGuestsHit(t *testing.T) {
	for name, c := range map[string]struct {
		hits  rule.Hits
		after time.Duration
		want  report.Impact
		hit   int
	}{
		"half are stalled":          {rule.Hits{Stalled: devices(5)}, 0, report.MajorOutage, 5},
		"fewer, at first":           {rule.Hits{Stalled: devices(4)}, 29 * time.Second, report.Operational, 4},
		"fewer":                     {rule.Hits{Stalled: devices(4)}, 30 * time.Second, report.PartialOutage, 4},
		"fewer in a session loop":   {rule.Hits{Stalled: devices(4), Loop: true}, 15 * time.Second, report.PartialOutage, 4},
		"fewer in a loop, at first": {rule.Hits{Stalled: devices(4), Loop: true}, 5 * time.Second, report.DegradedPerformance, 4},
		"I/O errors":                {rule.Hits{Failed: devices(1)}, 0, report.PartialOutage, 1},
		"I/O errors of half":        {rule.Hits{Failed: devices(5)}, 0, report.MajorOutage, 5},
		"slow":                      {rule.Hits{Slow: devices(10)}, 0, report.DegradedPerformance, 10},
		"paused":                    {rule.Hits{StalledGuests: []string{"vm109"}}, 0, report.PartialOutage, 1},
		"paused, and half with a stall": {rule.Hits{Stalled: devices(4), StalledGuests: []string{"vm103", "vm109"}}, 0,
			report.MajorOutage, 5},
		"a disk of nobody that runs": {rule.Hits{Failed: []string{"rbd99"}}, 0, report.Operational, 0},
		"nothing":                    {rule.Hits{}, time.Hour, report.Operational, 0},
	} {
		tr := newTrial(t, oneRule(0, 0))
		tr.withGuests(10)
		x := warning("x")
		x.Hits = c.hits
		tr.found["a"] = []rule.Result{x}
		tr.tick(time.Second)
		f := tr.tick(c.after).Findings[0]
		hit, total := 0, 10
		if f.Guests != nil {
			hit, total = f.Guests.Hit, f.Guests.Total
		}
		if f.Impact != c.want || hit != c.hit || total != 10 {
			t.Errorf("%s: got %s, %d of %d guests; want %s, %d of 10", name, f.Impact, hit, total, c.want, c.hit)
		}
		for _, comp := range tr.last.Report.Components {
			if comp.Name == report.ComponentGuests && hit > 0 && (comp.Status != c.want || comp.Guests.Hit != hit) {
				t.Errorf("%s: guests are %s", name, comp.Status)
			}
		}
	}
}

// The time counts from the last completion, if the rule knows it.
func TestAStallCountsFromTheLastCompletion(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.withGuests(10)
	x := warning("x")
	x.Hits = rule.Hits{Stalled: devices(1), Since: tr.at.Add(-29 * time.Second)}
	tr.found["a"] = []rule.Result{x}
	if f := tr.tick(time.Second).Findings[0]; f.Impact != report.PartialOutage {
		t.Errorf("got %s", f.Impact)
	}
}

func TestWhereGuestsAreUnknownDevicesCount(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.withGuests(10)
	tr.observe(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{At: tr.at}})
	x := warning("x")
	x.Hits = rule.Hits{Stalled: devices(5)}
	tr.found["a"] = []rule.Result{x}
	if f := tr.tick(time.Second).Findings[0]; f.Impact != report.MajorOutage || f.Guests != nil {
		t.Errorf("got %s, %+v", f.Impact, f.Guests)
	}
}

func TestGuestsAreNamedUpToALimit(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	tr.withGuests(report.MaxNames + 5)
	x := warning("x")
	x.Hits = rule.Hits{Stalled: devices(report.MaxNames + 5)}
	tr.found["a"] = []rule.Result{x}
	if g := tr.tick(time.Second).Findings[0].Guests; g.Hit != report.MaxNames+5 || len(g.Names) != report.MaxNames {
		t.Errorf("got %d hit, %d named", g.Hit, len(g.Names))
	}
}

// explaining returns a rule a that explains b, and a rule b.
func explaining(tr *trialRun) []rule.Rule {
	a, b := tr.fake("a", 0, 0, node.SourceBond), tr.fake("b", 0, 0)
	a.Explains = []string{"b"}
	b.Component = report.ComponentStorage
	return []rule.Rule{b, a}
}

func TestWhatExplainsAFinding(t *testing.T) {
	all := func(x *rule.Result) {}
	for name, c := range map[string]struct {
		a, b rule.Result
		as   func(*rule.Result)
		want bool
	}{
		"as bad":             {critical(""), critical("y"), all, true},
		"worse":              {critical(""), warning("y"), all, true},
		"milder":             {warning(""), critical("y"), all, false},
		"less impact":        {rule.Result{Severity: report.Critical, Summary: "a"}, critical("y"), all, false},
		"of these subjects":  {critical(""), warning("y"), func(x *rule.Result) { x.Explains = []string{"", "y"} }, true},
		"of others":          {critical(""), warning("y"), func(x *rule.Result) { x.Explains = []string{"z"} }, false},
		"of none: it is new": {critical(""), warning("y"), func(x *rule.Result) { x.Explains = []string{} }, false},
	} {
		tr := newTrial(t, explaining)
		c.as(&c.a)
		tr.found["a"], tr.found["b"] = []rule.Result{c.a}, []rule.Result{c.b}
		r := tr.tick(time.Second)
		var got []report.Ref
		for _, f := range r.Findings {
			if f.Rule == "b" {
				got = f.ExplainedBy
			}
		}
		var want []report.Ref
		if c.want {
			want = []report.Ref{{Rule: "a"}}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if h, _ := r.Headline(); c.want && (h.Rule != "a" || r.Findings[0].Rule != "a") {
			t.Errorf("%s: the headline is %s, the first %s", name, h.Rule, r.Findings[0].Rule)
		}
	}
}

// A finding that is still observed when the incident it was part of ends stays raised, and
// clears as soon as it is no longer observed; a minute later its normal timing applies again.
func TestWhatOutlastsItsIncidentClearsAtOnce(t *testing.T) {
	for _, c := range []struct {
		observed time.Duration // how long the finding is observed after the end of the explanation
		left     int
	}{{2 * time.Second, 0}, {partFor + 2*time.Second, 1}} {
		tr := newTrial(t, func(tr *trialRun) []rule.Rule {
			rules := explaining(tr)
			rules[0].KeepFiringFor = rule.Always(10 * time.Minute)
			return rules
		})
		tr.found["a"], tr.found["b"] = []rule.Result{critical("")}, []rule.Result{warning("y")}
		tr.tick(time.Second)
		tr.found["a"] = nil
		if r := tr.tick(time.Second); len(r.Findings) != 1 || r.Findings[0].Rule != "b" {
			t.Fatalf("what is still observed has gone: %+v", r.Findings)
		}
		for range c.observed / time.Second {
			tr.tick(time.Second)
		}
		tr.found["b"] = nil
		if r := tr.tick(time.Second); len(r.Findings) != c.left {
			t.Errorf("%s after the end: got %+v", c.observed, r.Findings)
		}
	}
}

// A blind finding explains nothing new, and an acknowledged finding explains nothing.
func TestOnlyWhatIsSeenAndPagesExplains(t *testing.T) {
	tr := newTrial(t, explaining)
	tr.found["a"], tr.found["b"] = []rule.Result{warning("x")}, []rule.Result{warning("y")}
	if r := tr.tick(time.Second); len(r.Findings[1].ExplainedBy) != 1 {
		t.Fatalf("got %+v", r.Findings)
	}
	tr.override(acceptance("warning", sceneStart.Add(time.Hour)))
	if r := tr.tick(time.Second); len(r.Findings[0].ExplainedBy)+len(r.Findings[1].ExplainedBy) != 0 {
		t.Errorf("what is acknowledged explains: %+v", r.Findings)
	}
	tr.override(acceptance("warning", sceneStart.Add(time.Millisecond)))
	tr.visibility(stuck)
	tr.found["b"] = []rule.Result{warning("y"), warning("z")}
	r := tr.tick(time.Second)
	explained := map[string]bool{}
	for _, f := range r.Findings {
		explained[f.Subject] = len(f.ExplainedBy) > 0
	}
	if !explained["y"] {
		t.Errorf("what went blind no longer explains what had begun before: %+v", r.Findings)
	}
	if explained["z"] {
		t.Errorf("what is blind explains what is new: %+v", r.Findings)
	}
}

// cause is a concluded cause.
type cause string

func (c cause) String() string { return string(c) }

func TestAnIncidentIsRememberedUntilAcknowledged(t *testing.T) {
	for _, acknowledge := range []bool{false, true} {
		tr := newTrial(t, oneRule(0, 0))
		tr.withGuests(10)
		if r := tr.tick(time.Second); r.Incident != nil {
			t.Fatalf("got %+v", r.Incident)
		}
		begin := tr.at.Add(time.Second)
		storm := critical("x")
		storm.Hits, storm.Cause = rule.Hits{Stalled: devices(6)}, cause("saturation")
		tr.found["a"] = []rule.Result{storm}
		tr.tick(time.Second)
		mild := warning("x")
		mild.Hits = rule.Hits{Slow: devices(2)}
		tr.found["a"] = []rule.Result{mild}
		tr.tick(time.Minute)
		end := tr.at
		tr.found["a"] = []rule.Result{warning("x")}
		r := tr.tick(incidentQuiet - time.Second)
		if r.Incident == nil || !r.Incident.End.IsZero() {
			t.Fatalf("got %+v before it has ended", r.Incident)
		}
		r = tr.tick(time.Second)
		want := &report.Incident{Begin: begin, End: end, Peak: report.MajorOutage, Severity: report.Critical, Headline: "a storm",
			Finding: report.Ref{Rule: "a", Subject: "x"}, Cause: "saturation",
			Guests: &report.Guests{Hit: 6, Total: 10, Names: []string{"vm100", "vm101", "vm102", "vm103", "vm104", "vm105"}}}
		if diff := cmp.Diff(want, r.Incident); diff != "" {
			t.Errorf("incident (-want +got):\n%s", diff)
		}
		if acknowledge {
			w := acceptance("info", tr.at.Add(time.Hour))
			w.Accepted[0].Rule, w.Accepted[0].At = IncidentOver, tr.at
			tr.override(w)
			if r = tr.tick(time.Second); r.Incident != nil {
				t.Errorf("got %+v after it was acknowledged", r.Incident)
			}
			continue
		}
		if r = tr.tick(incidentShown - incidentQuiet - time.Second); r.Incident == nil {
			t.Error("it was forgotten within a day")
		}
		if r = tr.tick(time.Second); r.Incident != nil {
			t.Errorf("got %+v after a day", r.Incident)
		}
	}
}

// A pause of less than ten minutes does not end an incident.
func TestLaterFindingsJoinAnIncident(t *testing.T) {
	tr := newTrial(t, oneRule(0, 0))
	var begin time.Time
	for i := range 3 {
		tr.found["a"] = []rule.Result{critical("x")}
		tr.tick(time.Second)
		if i == 0 {
			begin = tr.at
		}
		tr.found["a"] = nil
		tr.tick(incidentQuiet - time.Second)
	}
	if in := tr.last.Report.Incident; in == nil || !in.Begin.Equal(begin) || !in.End.IsZero() {
		t.Errorf("got %+v", in)
	}
}
