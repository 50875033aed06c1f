package presence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// A hub stores what the store does of one node.
type hub struct {
	node  presence.Node
	lines map[string]uptime.Timeline
	sent  map[string]native.Transition
}

func (h *hub) take(b native.Body, now time.Time) {
	for _, x := range b.Transitions {
		h.sent[x.ID] = x
	}
	before := presence.Before{Node: h.node, Lines: map[string]uptime.Timeline{}}
	for id, line := range h.lines {
		before.Lines[id] = line[len(line)-1:]
	}
	if presence.CatchesUp(h.node, b, now) {
		before.Lines = h.lines
		for _, x := range h.sent { // the order does not matter
			before.Transitions = append(before.Transitions, x)
		}
	}
	for _, r := range presence.Rewrites(before, b, now) {
		h.lines[r.Component] = h.lines[r.Component].Replace(r.From, r.Changes)
	}
	h.node = presence.Node{Arrived: now, Interval: 30 * s, TTL: 100 * s, Stopped: b.Final != nil}
}

func (h *hub) judge(now time.Time) {
	for _, x := range presence.Silences([]presence.Node{h.node}, nil, now) {
		h.node.Recorded = x.Reason
		for id := range h.lines {
			h.lines[id] = h.lines[id].Replace(x.Changes[0].At, x.Changes)
		}
	}
}

// An agent observes findings of two components, and queues transitions.
type agent struct {
	started time.Time
	n       uint64
	raised  map[report.Ref]report.Finding
	states  map[string]native.Component
	queue   []native.Transition
}

var components = []string{"network", "storage"}

// start starts a run. The queue persists between runs.
func (a *agent) start(now time.Time) {
	a.started, a.n, a.raised, a.states = now, 0, map[report.Ref]report.Finding{}, map[string]native.Component{}
	for _, id := range components {
		a.states[id] = native.Component{ID: id, Status: report.Operational, State: report.Seen, Since: now}
	}
}

// change raises, changes or clears a finding.
func (a *agent) change(now time.Time, ref report.Ref, component string, to report.Impact) {
	was, raised := a.raised[ref]
	if raised && was.Impact == to || !raised && to == "" {
		return
	}
	a.n++
	x := native.Transition{ID: fmt.Sprint(a.started.Unix(), "/", a.n), Run: a.started,
		Transition: report.Transition{N: a.n, At: now, Rule: ref.Rule, Subject: ref.Subject, Component: report.ComponentName(component),
			From: "clear", To: "warning", Impact: to}}
	if raised {
		x.From = "warning"
		if to != "" {
			x.ImpactFrom = was.Impact
		}
	}
	if to == "" {
		x.To, x.Impact = "clear", was.Impact
		delete(a.raised, ref)
	} else {
		a.raised[ref] = report.Finding{Rule: ref.Rule, Subject: ref.Subject, Component: report.ComponentName(component), Impact: to,
			LevelSince: now}
	}
	a.queue = append(a.queue, x)
	worst := native.Component{ID: component, Status: report.Operational, State: report.Seen, Since: now}
	for ref, f := range a.raised {
		if f.Component == report.ComponentName(component) && (f.Impact.Rank() > worst.Status.Rank() || f.Impact == worst.Status &&
			ref.Rule < worst.Reason) {
			worst.Status, worst.Reason = f.Impact, ref.Rule
		}
	}
	if was := a.states[component]; was.Status == worst.Status {
		worst.Since = was.Since
	}
	a.states[component] = worst
}

// body returns the next report, with at most n transitions.
func (a *agent) body(now time.Time, n int) native.Body {
	b := native.Body{Agent: native.Agent{Started: a.started}, SentAt: now}
	for _, id := range components {
		b.Components = append(b.Components, a.states[id])
	}
	for _, f := range a.raised {
		b.Findings = append(b.Findings, f)
	}
	n = min(n, len(a.queue))
	b.Transitions, b.Waiting = a.queue[:n], len(a.queue)-n
	a.queue = a.queue[n:]
	return b
}

// seeds is the number of simulations; a few are enough to show a violation.
const seeds = uint64(6)

// A second is the true state in one second.
type second struct {
	alive bool
	state map[string]report.Impact
}

// play simulates hours of a node that is cut off, crashes and has findings, all
// determined by seed; delivery determines how its reports are delivered and judged.
func play(seed uint64, restarts bool, delivery *rand.Rand) (*hub, []second) {
	r := rand.New(rand.NewPCG(seed, 1))
	h := &hub{lines: map[string]uptime.Timeline{}, sent: map[string]native.Transition{}}
	a := &agent{}
	a.start(noon.Add(-time.Hour))
	alive, cut := true, false
	var truth []second
	pause, until, burst, batch := 0, 0, 0, 1+delivery.IntN(4)
	for i := range 2400 {
		now := at(time.Duration(i) * s)
		switch dice := r.IntN(1000); {
		case i < 30 || i > 2200: // no fault at the beginning and the end
			cut = false
			if !alive {
				alive = true
				a.start(now)
			}
		case dice < 4 && i >= until && (cut || i < 2000): // longer than the TTL: a shorter interruption is not a silence
			cut, until = !cut, i+130
		case dice < 6 && restarts && alive && i < 1800:
			alive, pause = false, 120+r.IntN(200)
		}
		if pause--; !alive && pause <= 0 {
			alive = true
			a.start(now)
		}
		changed := false
		if alive && r.IntN(25) == 0 {
			c := components[r.IntN(2)]
			to := []report.Impact{"", "", report.Operational, report.DegradedPerformance, report.PartialOutage,
				report.MajorOutage}[r.IntN(6)]
			before := len(a.queue)
			a.change(now, report.Ref{Rule: c + fmt.Sprint(r.IntN(3)), Subject: fmt.Sprint(r.IntN(2))}, c, to)
			changed = len(a.queue) > before
		}
		// The queue is sent at once. The times of the reports do not depend on their content.
		if !alive || cut {
			burst = 100
		} else if burst--; changed || i%30 == 0 || burst > 0 {
			h.take(a.body(now, batch), now)
		}
		if delivery.IntN(20) == 0 {
			h.judge(now)
		}
		x := second{alive: alive, state: map[string]report.Impact{}}
		for id, c := range a.states {
			x.state[id] = c.Status
		}
		truth = append(truth, x)
	}
	return h, truth
}

// In whatever order the queue arrives and whenever silence is judged, the record is the
// same, and it is true, even for the time in which the node was cut off.
func TestTheRecordOfACutOffNodeIsTheTruth(t *testing.T) {
	corrected := time.Duration(0)
	for seed := range seeds {
		var first *hub
		for variant := range uint64(2) {
			h, truth := play(seed, false, rand.New(rand.NewPCG(seed, variant+2)))
			for _, id := range components {
				for i, x := range truth {
					got, _ := h.lines[id].At(at(time.Duration(i)*s + s - time.Millisecond))
					if got.State != x.state[id] {
						t.Fatalf("seed %d, variant %d: %s is %s at second %d, recorded as %+v\n%v", seed, variant, id, x.state[id], i, got,
							words(h.lines[id]))
					}
				}
				for _, i := range h.lines[id].Between(noon, at(2400*s)) {
					if i.Backfilled {
						corrected += i.Length()
					}
				}
			}
			if first == nil {
				first = h
			}
			for _, id := range components {
				if from, differs := first.lines[id].Differs(h.lines[id]); differs {
					t.Fatalf("seed %d: another order gives another record of %s from %v on:\n%v\n%v", seed, id, from,
						words(first.lines[id]), words(h.lines[id]))
				}
			}
		}
	}
	if corrected < time.Hour {
		t.Errorf("only %v were corrected", corrected)
	}
}

// While no agent ran, the state is unknown, and never operational. The record of the
// time in which an agent ran is true.
func TestADeadNodeIsNeverGreen(t *testing.T) {
	dead, known := 0, 0
	for seed := range seeds {
		var first *hub
		for variant := range uint64(2) {
			h, truth := play(seed, true, rand.New(rand.NewPCG(seed, variant+2)))
			for _, id := range components {
				for i, x := range truth {
					got, _ := h.lines[id].At(at(time.Duration(i)*s + s - time.Millisecond))
					switch {
					case !x.alive:
						dead++
						if got.State != report.Unknown {
							t.Fatalf("seed %d: %s is recorded as %+v at second %d, when nobody watched\n%v", seed, id, got, i,
								words(h.lines[id]))
						}
					case got.State == report.Unknown:
					case got.State != x.state[id]:
						t.Fatalf("seed %d: %s is %s at second %d, recorded as %+v\n%v", seed, id, x.state[id], i, got, words(h.lines[id]))
					default:
						known++
					}
				}
				list := h.lines[id].Between(noon, at(2400*s))
				all := time.Duration(0)
				for _, length := range uptime.Sum(list) {
					all += length
				}
				if all != 2400*s {
					t.Fatalf("seed %d: the states last %v of %v", seed, all, 2400*s)
				}
			}
			if first == nil {
				first = h
			}
			for _, id := range components {
				if from, differs := first.lines[id].Differs(h.lines[id]); differs {
					t.Fatalf("seed %d: another order gives another record of %s from %v on:\n%v\n%v", seed, id, from,
						words(first.lines[id]), words(h.lines[id]))
				}
			}
		}
	}
	if dead < 1000 || known < dead {
		t.Errorf("%d seconds without an agent, %d known ones", dead, known)
	}
}

// While a node is silent, the record is unknown from its latest report on, whatever the
// state was.
func TestSilenceIsNeverGreen(t *testing.T) {
	for seed := range uint64(20) {
		h, _ := play(seed, true, rand.New(rand.NewPCG(seed, 2)))
		last := h.node.Arrived
		h.judge(last.Add(100 * s))
		if h.node.Recorded != "" {
			t.Fatal("it is silent before its TTL has passed")
		}
		h.judge(last.Add(101 * s))
		for id, line := range h.lines {
			want := uptime.Timeline{{At: last.Add(time.Millisecond), State: report.Unknown, Reason: presence.NoReport}}
			if diff := cmp.Diff(want, line.From(last.Add(time.Millisecond))); diff != "" {
				t.Errorf("%s: %s", id, diff)
			}
		}
	}
}

// From a node that lost transitions, only the start of its present state is used.
func TestLostTransitions(t *testing.T) {
	h := &hub{lines: map[string]uptime.Timeline{}, sent: map[string]native.Transition{}}
	a := &agent{}
	a.start(noon.Add(-time.Hour))
	h.take(a.body(noon, 9), noon)
	a.change(at(5*m), report.Ref{Rule: "r"}, "storage", report.MajorOutage)
	b := a.body(at(10*m), 9)
	b.Dropped = 3
	h.take(b, at(10*m))
	if diff := cmp.Diff([]string{"12:00:00 operational", "12:00:00 unknown no_report", "12:05:00 major_outage r backfilled",
		"12:10:00 major_outage r"}, words(h.lines["storage"])); diff != "" {
		t.Error(diff)
	}
}

// The times of a wrong clock are corrected by its offset.
func TestBackfillCorrectsTheClock(t *testing.T) {
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
		h := &hub{lines: map[string]uptime.Timeline{}, sent: map[string]native.Transition{}}
		a := &agent{}
		a.start(noon.Add(skew - time.Hour))
		h.take(a.body(noon.Add(skew), 9), noon)
		a.change(at(2*m+skew), report.Ref{Rule: "r"}, "storage", report.MajorOutage)
		a.change(at(5*m+skew), report.Ref{Rule: "r"}, "storage", "")
		h.take(a.body(at(10*m+skew), 9), at(10*m))
		want := []string{"12:00:00 operational", "12:00:00 operational backfilled", "12:02:00 major_outage r backfilled",
			"12:05:00 operational backfilled", "12:10:00 operational"}
		if diff := cmp.Diff(want, words(h.lines["storage"])); diff != "" {
			t.Errorf("%v: %s", skew, diff)
		}
	}
}

// The test covers a component that the node no longer lists, and a shutdown without
// components.
func TestSilenceAndComponentsThatAreNotListed(t *testing.T) {
	h := &hub{lines: map[string]uptime.Timeline{}, sent: map[string]native.Transition{}}
	a := &agent{}
	a.start(noon.Add(-time.Hour))
	h.take(a.body(noon, 9), noon)
	b := a.body(at(10*m), 9)
	b.Components = slices.DeleteFunc(b.Components, func(c native.Component) bool { return c.ID == "network" })
	h.take(b, at(10*m))
	if diff := cmp.Diff([]string{"12:00:00 operational", "12:00:00 operational backfilled", "12:10:00 unknown not_reported"},
		words(h.lines["network"])); diff != "" {
		t.Error(diff)
	}
	b = a.body(at(11*m), 9)
	b.Components, b.Final = nil, &native.Final{Reason: "reboot"}
	h.take(b, at(11*m))
	h.judge(at(13 * m))
	if diff := cmp.Diff([]string{"12:00:00 operational", "12:00:00 operational backfilled", "12:10:00 operational",
		"12:11:00 unknown stopped"}, words(h.lines["storage"])); diff != "" {
		t.Error(diff)
	}
}

// A run that remembers the start of a state did not watch before its own start.
func TestANewRunDidNotWatchBefore(t *testing.T) {
	h := &hub{lines: map[string]uptime.Timeline{}, sent: map[string]native.Transition{}}
	a := &agent{}
	a.start(noon.Add(-time.Hour))
	h.take(a.body(noon, 9), noon)
	a.start(at(8 * m))
	b := a.body(at(10*m), 9)
	for i := range b.Components {
		b.Components[i].Since = noon.Add(-time.Hour)
	}
	h.take(b, at(10*m))
	if diff := cmp.Diff([]string{"12:00:00 operational", "12:00:00 unknown no_report", "12:08:00 operational backfilled",
		"12:10:00 operational"}, words(h.lines["storage"])); diff != "" {
		t.Error(diff)
	}
}
