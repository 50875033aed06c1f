package presence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const s, m = time.Second, time.Minute

func at(d time.Duration) time.Time { return noon.Add(d) }

// node returns a node whose latest report arrived at noon.
func node() presence.Node {
	return presence.Node{Site: "rl1", Arrived: noon, Interval: 30 * s, TTL: 100 * s}
}

// words returns the changes of a timeline, to the second.
func words(line uptime.Timeline) (list []string) {
	for _, c := range line {
		w := c.At.Format("15:04:05") + " " + string(c.State)
		if c.Reason != "" {
			w += " " + c.Reason
		}
		if c.Backfilled {
			w += " backfilled"
		}
		list = append(list, w)
	}
	return list
}

func TestPhase(t *testing.T) {
	for _, c := range []struct {
		after, listening time.Duration // listening 0: no gap
		want             presence.Phase
	}{
		{0, 0, presence.Reporting}, {45 * s, 0, presence.Reporting}, {46 * s, 0, presence.Late}, {100 * s, 0, presence.Late},
		{101 * s, 0, presence.Silent},
		{60 * s, 50 * s, presence.Reporting}, {10 * m, 10 * m, presence.Waiting}, {10*m + 100*s, 10 * m, presence.Waiting},
		{10*m + 101*s, 10 * m, presence.Silent},
		{46 * s, -m, presence.Late},
	} {
		var listening time.Time
		if c.listening != 0 {
			listening = at(c.listening)
		}
		if got := node().Phase(listening, at(c.after)); got != c.want {
			t.Errorf("%v after the report, listening since %v: %s, want %s", c.after, c.listening, got, c.want)
		}
	}
	n := node()
	n.Stopped = true
	if got := n.Phase(time.Time{}, at(time.Hour)); got != presence.Ended {
		t.Error(got)
	}
}

// A node is silent once its TTL has passed while a hub was listening; a time without
// a hub is a gap of the hubs.
func TestRecord(t *testing.T) {
	gap := func(from, to time.Duration) presence.Gap { return presence.Gap{Begin: at(from), End: at(to)} }
	for name, c := range map[string]struct {
		gaps  []presence.Gap
		after time.Duration
		want  []string
	}{
		"in time":           {nil, 100 * s, nil},
		"silent":            {nil, 101 * s, []string{"12:00:00 unknown no_report"}},
		"a short gap":       {[]presence.Gap{gap(30*s, m)}, 90 * s, nil},
		"a gap, just ended": {[]presence.Gap{gap(20*s, 10*m)}, 10 * m, []string{"12:00:00 unknown hub_gap"}},
		"a gap, grace":      {[]presence.Gap{gap(20*s, 10*m)}, 11 * m, []string{"12:00:00 unknown hub_gap"}},
		"a gap, no report": {[]presence.Gap{gap(20*s, 10*m)}, 12 * m,
			[]string{"12:00:00 unknown hub_gap", "12:10:00 unknown no_report"}},
		"silent before the gap": {[]presence.Gap{gap(5*m, 10*m)}, 12 * m,
			[]string{"12:00:00 unknown no_report", "12:05:00 unknown hub_gap", "12:10:00 unknown no_report"}},
		"two gaps": {[]presence.Gap{gap(20*s, 5*m), gap(6*m, 10*m)}, 20 * m,
			[]string{"12:00:00 unknown hub_gap", "12:10:00 unknown no_report"}},
		"a gap before the report":  {[]presence.Gap{gap(-5*m, -m)}, 5 * m, []string{"12:00:00 unknown no_report"}},
		"it ended with the report": {[]presence.Gap{gap(-5*m, 0)}, 5 * m, []string{"12:00:00 unknown no_report"}},
	} {
		if diff := cmp.Diff(c.want, words(node().Record(c.gaps, at(c.after)))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Nodes that fall silent together with their whole site have a common reason. It
// stays while other nodes of the site report again.
func TestAWholeSite(t *testing.T) {
	recorded := map[int]string{}
	judge := func(nodes []presence.Node, now time.Time) {
		for i := range nodes {
			nodes[i].Recorded = recorded[i]
		}
		for _, x := range presence.Silences(nodes, nil, now) {
			recorded[x.Node] = x.Reason
		}
		if again := presence.Silences(withRecorded(nodes, recorded), nil, now); len(again) > 0 {
			t.Errorf("it is recorded twice: %v", again)
		}
	}
	nodes := []presence.Node{node(), node(), node(), node(), node()}
	nodes[1].Arrived = at(20 * s)
	nodes[2].Arrived = at(-time.Hour) // long before
	nodes[3].Stopped = true
	nodes[4].Site = "rl2" // alone
	judge(nodes, at(110*s))
	if diff := cmp.Diff(map[int]string{0: "no_report", 2: "no_report", 3: "stopped", 4: "no_report"}, recorded); diff != "" {
		t.Error(diff)
	}
	judge(nodes, at(3*m))
	if diff := cmp.Diff(map[int]string{0: "site_no_report", 1: "site_no_report", 2: "no_report", 3: "stopped", 4: "no_report"},
		recorded); diff != "" {
		t.Error(diff)
	}
	nodes[0].Arrived = at(4 * m)
	delete(recorded, 0)
	judge(nodes, at(5*m))
	if recorded[0] != "" || recorded[1] != "site_no_report" {
		t.Error(fmt.Sprint(recorded))
	}
}

func withRecorded(nodes []presence.Node, recorded map[int]string) []presence.Node {
	list := append([]presence.Node(nil), nodes...)
	for i := range list {
		list[i].Recorded = recorded[i]
	}
	return list
}
