package incident

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
)

func planned() Maintenance {
	m := Maintenance{ID: 1, Ref: "a", Title: "Migration", Impacting: true, Starts: noon, Ends: noon.Add(time.Hour),
		Published: noon.Add(-time.Hour)}
	m.Post(Update{Status: Scheduled, At: noon.Add(-time.Hour), Created: noon.Add(-time.Hour)})
	return m
}

func nobody(string) bool { return false }

func TestAMaintenanceBeginsAndEnds(t *testing.T) {
	m := planned()
	for _, c := range []struct {
		at     time.Duration
		status Status
	}{{-time.Second, Scheduled}, {0, InProgress}, {30 * time.Minute, InProgress}, {time.Hour, Completed}, {2 * time.Hour, Completed}} {
		if list := Advance([]Maintenance{m}, nil, nobody, noon.Add(c.at)); len(list) == 1 && !m.Over() {
			m = list[0]
		}
		if m.Status != c.status {
			t.Errorf("after %s: %s, want %s", c.at, m.Status, c.status)
		}
	}
	want := uptime.Window{From: noon, To: noon.Add(time.Hour)}
	if w, is := m.Window(); !is || w != want {
		t.Errorf("%v %v", w, is)
	}
	if list := Advance([]Maintenance{planned()}, nil, nobody, noon.Add(3*time.Hour)); len(list) != 1 || list[0].Status != Completed ||
		!list[0].Began.Equal(noon) || !list[0].Finished.Equal(noon.Add(time.Hour)) {
		t.Errorf("no hub was running: %+v", list)
	}
	draft := planned()
	draft.Published = time.Time{}
	if list := Advance([]Maintenance{draft}, nil, nobody, noon); len(list) != 0 {
		t.Errorf("a draft: %+v", list)
	}
}

// Only the time of published work with an impact is excluded, and only while the work
// took place.
func TestWindows(t *testing.T) {
	for name, change := range map[string]func(*Maintenance){
		"no impact":         func(m *Maintenance) { m.Impacting = false; m.Post(Update{Status: InProgress, At: noon}) },
		"not begun":         func(m *Maintenance) {},
		"cancelled before":  func(m *Maintenance) { m.Post(Update{Status: Cancelled, At: noon}) },
		"a draft":           func(m *Maintenance) { m.Published = time.Time{}; m.Post(Update{Status: InProgress, At: noon}) },
		"announced by node": func(m *Maintenance) { m.Node = "rl1/node2"; m.Post(Update{Status: InProgress, At: noon}) },
	} {
		m := planned()
		change(&m)
		if w, is := m.Window(); is {
			t.Errorf("%s: %v", name, w)
		}
	}
	m := planned()
	m.Post(Update{Status: InProgress, At: noon.Add(-time.Minute)})
	m.Post(Update{Status: Completed, At: noon.Add(time.Minute)})
	want := uptime.Window{From: noon.Add(-time.Minute), To: noon.Add(time.Minute)}
	if w, _ := m.Window(); w != want {
		t.Errorf("early: %v", w)
	}
}

// A node under maintenance announces it, extends it and ends it; if the node is
// silent, its maintenance ends at the planned time.
func TestANodeAnnouncesMaintenance(t *testing.T) {
	a := Announced{Node: "canary/node2", Name: "Node 2", Components: []string{"node-2"}, Since: noon, Until: noon.Add(time.Hour)}
	list := Advance(nil, []Announced{a}, nobody, noon.Add(time.Second))
	if len(list) != 1 || list[0].Status != InProgress || !list[0].Public() || !cmp.Equal(list[0].Components, []string{"node-2"}) {
		t.Fatalf("%+v", list)
	}
	m := list[0]
	if text := m.Ref + m.Title + m.Updates[0].Body; strings.Contains(text, "canary") {
		t.Errorf("%s names the node", text)
	}
	if list := Advance([]Maintenance{m}, []Announced{a}, nobody, noon.Add(time.Minute)); len(list) != 0 {
		t.Errorf("nothing is new: %+v", list)
	}
	a.Until = noon.Add(2 * time.Hour)
	list = Advance([]Maintenance{m}, []Announced{a}, nobody, noon.Add(time.Minute))
	if len(list) != 1 || !list[0].Ends.Equal(a.Until) {
		t.Fatalf("%+v", list)
	}
	m = list[0]
	if list := Advance([]Maintenance{m}, nil, nobody, noon.Add(time.Hour)); len(list) != 0 {
		t.Errorf("silent: %+v", list)
	}
	reporting := func(node string) bool { return node == a.Node }
	if list := Advance([]Maintenance{m}, nil, reporting, noon.Add(time.Hour)); len(list) != 1 || list[0].Status != Completed {
		t.Errorf("ended: %+v", list)
	}
	if list := Advance([]Maintenance{m}, nil, nobody, noon.Add(2*time.Hour)); len(list) != 1 || list[0].Status != Completed {
		t.Errorf("over: %+v", list)
	}
	a.Components = nil
	if list := Advance(nil, []Announced{a}, nobody, noon); len(list) != 0 {
		t.Errorf("a node that customers do not see: %+v", list)
	}
}

func TestADraftOfAPostmortem(t *testing.T) {
	i := Incident{Started: noon, Resolved: noon.Add(10 * time.Minute)}
	i.Post(Update{Status: Investigating, Body: "Slow.\n\nVery.", At: noon.Add(time.Minute)})
	i.Post(Update{Status: Resolved, Body: "Over.", At: noon.Add(10 * time.Minute)})
	s := storage("n2", 0, major, 240, degraded, 300, ok)
	got := Draft(i, []Record{{Component: "n2", Name: "N*2", Line: s.Line}}, time.UTC, noon.Add(time.Hour))
	for _, want := range []string{
		"- **2026-11-30 12:00:00 UTC** N\\*2: major outage.\n- **2026-11-30 12:01:00 UTC** Published: Slow. Very.\n- **2026-11-30 12:04:00 UTC** N\\*2: degraded performance.\n- **2026-11-30 12:05:00 UTC** N\\*2: operational.\n",
		"From 2026-11-30 12:00 UTC to 2026-11-30 12:10 UTC (10 min).\n\n- N\\*2: major outage for 4 min, degraded performance for 1 min.\n",
		"## Root cause\n\nTO WRITE", "## Resolution", "## Preventive measures",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "canary") {
		t.Errorf("it holds a reason:\n%s", got)
	}
	long := storage("n2")
	for n := range 1000 {
		long.Line = append(long.Line, uptime.Change{At: noon.Add(time.Duration(n) * time.Second), State: []Signal{s}[0].Line[1+n%2].State})
	}
	if got := Draft(i, []Record{{Line: long.Line}}, time.UTC, noon); !strings.Contains(got, "more.\n") || len(got) > 20000 {
		t.Errorf("%d bytes", len(got))
	}
}
