package incident

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const (
	ok       = report.Operational
	degraded = report.DegradedPerformance
	partial  = report.PartialOutage
	major    = report.MajorOutage
	unknown  = report.Unknown
)

// A world contains the incidents so far, stored as the store does.
type world struct {
	policy Policy
	list   []Incident
}

// usualPolicy returns the policy of a configuration that sets none.
func usualPolicy() Policy {
	return Policy{After: time.Minute, CloseAfter: 10 * time.Minute, ReopenWithin: 15 * time.Minute, Zone: time.UTC}
}

// step runs one evaluation.
func (w *world) step(signals []Signal, now time.Time) (changed int) {
	list := Step(w.policy, w.list, signals, now)
	for _, i := range list {
		n := slices.IndexFunc(w.list, func(k Incident) bool { return k.ID == i.ID })
		if i.ID == 0 {
			i.ID = int64(len(w.list) + 1)
			w.list = append(w.list, i)
		} else {
			w.list[n] = i
		}
	}
	return len(list)
}

// until runs an evaluation every five seconds until a time.
func (w *world) until(signals []Signal, from, to time.Duration) {
	for d := from; d <= to; d += 5 * time.Second {
		w.step(signals, noon.Add(d))
	}
}

// storage returns a component's record of storage: states, each from a second after
// noon on.
func storage(id string, at ...any) Signal {
	s := Signal{Component: id, Name: strings.ToUpper(id), Group: "rl1", Place: "RL1", Kind: Storage,
		Line: uptime.Timeline{{At: noon.Add(-time.Hour), State: ok}}}
	for n := 0; n < len(at); n += 2 {
		s.Line = append(s.Line, uptime.Change{At: noon.Add(time.Duration(at[n].(int)) * time.Second), State: at[n+1].(report.Impact),
			Reason: "canary-rule"})
	}
	return s
}

// said returns the statuses and texts of an incident's updates, each with its second.
func said(i Incident) (list []string) {
	for _, u := range i.Updates {
		list = append(list, fmt.Sprintf("%d %s: %s", int(u.At.Sub(noon).Seconds()), u.Status, u.Body))
	}
	return list
}

func TestTheStagesOfAnIncident(t *testing.T) {
	for _, c := range []struct {
		name    string
		signals []Signal
		until   time.Duration
		titles  []string
		want    []string // updates of the last incident
	}{
		{"degraded opens after a minute", []Signal{storage("n2", 0, degraded)}, 70 * time.Second,
			[]string{"Storage problems: N2 (RL1)"}, []string{
				"60 investigating: Storage on N2 (RL1) is slow. This began at 2026-11-30 12:00 UTC. We are investigating.",
			}},
		{"less than a minute opens nothing", []Signal{storage("n2", 0, degraded, 55, ok)}, 5 * time.Minute, nil, nil},
		{"major opens at once, recovery closes", []Signal{storage("n2", 0, major, 300, ok)}, 20 * time.Minute,
			[]string{"Storage problems: N2 (RL1)"}, []string{
				"0 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. This began at 2026-11-30 12:00 UTC. We are investigating.",
				"360 monitoring: Storage responds again since 2026-11-30 12:05 UTC. We keep watching for 10 min.",
				"900 resolved: Resolved. It lasted 5 min, from 2026-11-30 12:00 UTC to 2026-11-30 12:05 UTC.",
			}},
		{"worse at once, better at most every five minutes", []Signal{storage("n2", 0, degraded, 100, major, 120, degraded)},
			8 * time.Minute, []string{"Storage problems: N2 (RL1)"}, []string{
				"60 investigating: Storage on N2 (RL1) is slow. This began at 2026-11-30 12:00 UTC. We are investigating.",
				"100 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. We are still investigating.",
				"400 investigating: Some of it has improved. Storage on N2 (RL1) is slow.",
			}},
		{"a second node joins, a third one's short trouble does not",
			[]Signal{storage("n2", 0, major), storage("n3", 10, degraded), storage("n4", 20, degraded, 40, ok)}, 100 * time.Second,
			[]string{"Storage problems: N2 and N3 (RL1)"}, []string{
				"0 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. This began at 2026-11-30 12:00 UTC. We are investigating.",
				"70 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. Storage on N3 (RL1) is slow. We are still investigating.",
			}},
		{"many are counted", []Signal{storage("n1", 0, major), storage("n2", 0, major), storage("n3", 0, major), storage("n4", 0, major)},
			0, []string{"Storage problems: 4 components of RL1"}, []string{
				"0 investigating: Storage on 4 components of RL1 does not respond. Servers there may hang. This began at 2026-11-30 12:00 UTC. We are investigating.",
			}},
		{"silence is no recovery", []Signal{storage("n2", 0, major, 30, unknown, 3000, ok)}, 65 * time.Minute,
			[]string{"Storage problems: N2 (RL1)"}, []string{
				"0 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. This began at 2026-11-30 12:00 UTC. We are investigating.",
				"3060 monitoring: Storage responds again since 2026-11-30 12:50 UTC. We keep watching for 10 min.",
				"3600 resolved: Resolved. It lasted 50 min, from 2026-11-30 12:00 UTC to 2026-11-30 12:50 UTC.",
			}},
		{"silence between troubles does not begin them again", []Signal{storage("n2", 0, degraded, 30, unknown, 40, degraded)},
			60 * time.Second, []string{"Storage problems: N2 (RL1)"}, []string{
				"60 investigating: Storage on N2 (RL1) is slow. This began at 2026-11-30 12:00 UTC. We are investigating.",
			}},
		{"reopened within 15 minutes", []Signal{storage("n2", 0, major, 10, ok, 1500, major)}, 1505 * time.Second,
			[]string{"Storage problems: N2 (RL1)"}, []string{
				"0 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. This began at 2026-11-30 12:00 UTC. We are investigating.",
				"70 monitoring: Storage responds again since 2026-11-30 12:00 UTC. We keep watching for 10 min.",
				"610 resolved: Resolved. It lasted 10 s, from 2026-11-30 12:00 UTC to 2026-11-30 12:00 UTC.",
				"1500 investigating: The problem has returned. Storage on N2 (RL1) does not respond. Servers there may hang. We are investigating.",
			}},
		{"a new one after 15 minutes", []Signal{storage("n2", 0, major, 10, ok, 1515, major)}, 1520 * time.Second,
			[]string{"Storage problems: N2 (RL1)", "Storage problems: N2 (RL1)"}, []string{
				"1515 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. This began at 2026-11-30 12:25 UTC. We are investigating.",
			}},
		{"silence alone opens nothing", []Signal{storage("n2", 0, unknown)}, time.Hour, nil, nil},
		{"nor does maintenance, which does not close either", []Signal{storage("n2", 0, major, 10, report.UnderMaintenance)}, time.Hour,
			[]string{"Storage problems: N2 (RL1)"}, []string{
				"0 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. This began at 2026-11-30 12:00 UTC. We are investigating.",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{policy: usualPolicy()}
			w.until(c.signals, -time.Minute, c.until)
			var titles []string
			for _, i := range w.list {
				titles = append(titles, i.Title)
			}
			if diff := cmp.Diff(c.titles, titles); diff != "" {
				t.Fatal(diff)
			}
			if len(w.list) == 0 {
				return
			}
			if diff := cmp.Diff(c.want, said(w.list[len(w.list)-1])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// After a person has taken over an incident, it is not changed automatically, and no
// other incident is opened for the same trouble, even after the person has resolved
// it.
func TestWhatAPersonTookOverIsLeftAlone(t *testing.T) {
	w := world{policy: usualPolicy()}
	signals := []Signal{storage("n2", 0, major, 5000, ok, 6000, major)}
	w.until(signals, 0, time.Minute)
	w.list[0].Owner = "kim"
	before := w.list[0]
	w.until(signals, time.Minute, 10*time.Minute)
	w.list[0].Post(Update{Status: Resolved, At: noon.Add(11 * time.Minute), Author: "kim"})
	w.until(signals, 12*time.Minute, 80*time.Minute)
	if len(w.list) != 1 || len(w.list[0].Updates) != len(before.Updates)+1 {
		t.Fatalf("%d incidents: %q", len(w.list), said(w.list[0]))
	}
	w.until(signals, 95*time.Minute, 101*time.Minute) // trouble that began afterwards
	if len(w.list) != 2 || w.list[1].Owner != "" {
		t.Fatalf("%d incidents, want a new one", len(w.list))
	}
}

// One storm on one node is one incident, whatever kinds of trouble it causes, in any
// order; the worst kind names it.
func TestAllTroubleOfAComponentIsOneIncident(t *testing.T) {
	of := func(kind Kind, at ...any) Signal {
		s := storage("n2", at...)
		s.Kind = kind
		return s
	}
	w := world{policy: usualPolicy()}
	signals := []Signal{of(Network, 0, degraded, 500, ok), of(Guests, 100, major, 400, ok), of(Storage, 90, major, 300, ok),
		of(Host, 95, degraded, 600, ok)}
	w.until(signals, 0, 80*time.Second)
	if len(w.list) != 1 || w.list[0].Title != "Network problems: N2 (RL1)" || w.list[0].AfterCare != Network.afterCare() {
		t.Fatalf("%+v", w.list)
	}
	w.until(signals, 80*time.Second, time.Hour)
	if len(w.list) != 1 || w.list[0].Title != "Storage problems: N2 (RL1)" || w.list[0].AfterCare != Storage.afterCare() ||
		w.list[0].Open() {
		t.Fatalf("%d incidents: %+v", len(w.list), w.list)
	}
	want := []string{
		"60 investigating: The network of N2 (RL1) is slow or loses packets. This began at 2026-11-30 12:00 UTC. We are investigating.",
		"90 investigating: Storage on N2 (RL1) does not respond. Servers there may hang. We are still investigating.",
	}
	if got := said(w.list[0]); !slices.Equal(got[:2], want) || !strings.HasPrefix(got[len(got)-1],
		"1200 resolved: Resolved. It lasted 10 min,") {
		t.Errorf("%q", got)
	}
}

// A person's own incident covers the components that it names, and no others.
func TestAPersonsIncidentComesFirst(t *testing.T) {
	w := world{policy: usualPolicy(), list: []Incident{{ID: 1, Status: Identified, Published: noon,
		Components: []Affected{{Component: "n2", Impact: major}}}}}
	w.until([]Signal{storage("n2", 0, major), storage("n3", 0, major)}, 0, time.Minute)
	if len(w.list) != 2 || w.list[1].Names("n2") || !w.list[1].Names("n3") {
		t.Errorf("%+v", w.list)
	}
}

func TestADraftWhereApprovalIsWanted(t *testing.T) {
	w := world{policy: usualPolicy()}
	s := storage("n2", 0, major, 60, ok)
	s.Approval = true
	w.until([]Signal{s}, 0, time.Hour)
	if len(w.list) != 1 || w.list[0].Public() || w.list[0].Open() || len(w.list[0].Updates) != 3 {
		t.Errorf("%+v", w.list)
	}
}

// An incident ends when its components are no longer configured.
func TestComponentsThatAreGone(t *testing.T) {
	w := world{policy: usualPolicy()}
	w.until([]Signal{storage("n2", 0, major)}, 0, time.Minute)
	w.until(nil, time.Minute, time.Hour)
	if len(w.list) != 1 || w.list[0].Open() {
		t.Errorf("%+v", w.list)
	}
}

// A component that flaps for a day makes a bounded number of updates.
func TestFlapping(t *testing.T) {
	var at []any
	for n := 0; n < 86400; n += 400 {
		at = append(at, n, major, n+200, ok)
	}
	w := world{policy: usualPolicy()}
	signals := []Signal{storage("n2", at...)}
	for d := time.Duration(0); d < 25*time.Hour; d += 20 * time.Second {
		w.step(signals, noon.Add(d))
	}
	if len(w.list) != 1 || len(w.list[0].Updates) > maxUpdates+1 || w.list[0].Open() {
		t.Errorf("%d incidents, the first with %d updates", len(w.list), len(w.list[0].Updates))
	}
}

// For any records: no trouble has two incidents at once, no incident opens too early or
// is announced too late, none closes without a recovery, a second evaluation at the
// same time changes nothing, and no text contains a reason.
func TestPropertiesOfTheMachine(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 14))
		states := []report.Impact{ok, ok, ok, degraded, partial, major, unknown, report.UnderMaintenance}
		var signals []Signal
		for n := range 4 {
			s := storage(fmt.Sprintf("n%d", n/2))
			s.Kind = []Kind{Storage, Network}[n%2]
			for at := 0; at < 7200; at += 1 + random.IntN(900) {
				s.Line = append(s.Line, uptime.Change{At: noon.Add(time.Duration(at) * time.Second),
					State: states[random.IntN(len(states))], Reason: "canary-rule"})
			}
			signals = append(signals, s)
		}
		w := world{policy: usualPolicy()}
		for d := time.Duration(0); d < 3*time.Hour; d += 10 * time.Second {
			now := noon.Add(d)
			before := slices.Clone(w.list)
			w.step(signals, now)
			if n := w.step(signals, now); n != 0 {
				t.Fatalf("seed %d, %s: looking again changes %d", seed, d, n)
			}
			for n, i := range w.list {
				was := Incident{}
				if n < len(before) {
					was = before[n]
				}
				opened := n >= len(before) || !was.Open() && i.Open()
				if n >= len(before) {
					for _, k := range before {
						shared := slices.ContainsFunc(i.Components, func(a Affected) bool { return k.Names(a.Component) })
						if shared && (k.Open() || now.Sub(k.Resolved) < w.policy.ReopenWithin) {
							t.Fatalf("seed %d, %s: duplicates %s", seed, d, k.Ref)
						}
					}
				}
				ripe, calm := false, true
				for _, s := range signals {
					if !i.Names(s.Component) {
						continue
					}
					if x := signalState(s, now); x.now == major || x.bad() && now.Sub(x.since) >= w.policy.After {
						ripe = true
					}
					for _, x := range s.Line.Between(now.Add(-w.policy.CloseAfter), now) {
						calm = calm && x.State == ok
					}
				}
				if opened && !ripe {
					t.Fatalf("seed %d, %s: opened without trouble", seed, d)
				}
				if was.Open() && was.ID != 0 && !i.Open() && !calm {
					t.Fatalf("seed %d, %s: closed without %s of recovery: %q", seed, d, w.policy.CloseAfter, said(i))
				}
			}
			for _, s := range signals { // trouble that lasts long is announced
				x := signalState(s, now)
				if x.bad() && (x.now == major || now.Sub(x.since) >= w.policy.After) &&
					!slices.ContainsFunc(w.list, func(i Incident) bool { return i.Open() && i.Names(s.Component) }) {
					t.Fatalf("seed %d, %s: %s has no incident", seed, d, s.Component)
				}
			}
		}
		for _, i := range w.list {
			if text := i.Title + strings.Join(said(i), ""); strings.Contains(text, "canary") {
				t.Fatalf("a text holds a reason: %s", text)
			}
			if !slices.IsSortedFunc(i.Updates, func(a, b Update) int { return a.At.Compare(b.At) }) {
				t.Fatal("updates are not in order")
			}
		}
	}
}

// The names of components are text, not Markdown.
func TestNamesAreEscaped(t *testing.T) {
	if got := plain(`<b>[x](javascript:y)*_`); got != `\<b\>\[x\](javascript:y)\*\_` {
		t.Error(got)
	}
}

// An update that is added later is inserted at its time, and the latest update
// decides.
func TestAnEarlierUpdate(t *testing.T) {
	i := Incident{}
	i.Post(Update{Status: Resolved, At: noon})
	i.Post(Update{Status: Identified, At: noon.Add(-time.Minute)})
	if i.Status != Resolved || i.Updates[0].Status != Identified || i.Open() {
		t.Errorf("%+v", i)
	}
}
