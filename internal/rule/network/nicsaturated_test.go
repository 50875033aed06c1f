package network

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

func TestNICSaturated(t *testing.T) {
	for what, c := range map[string]struct {
		rx, tx  float64 // Gbit/s on eth1
		seconds int
		want    string
	}{
		"calm":              {1, 1, 20, ""},
		"14 of 2x10 summed": {7, 7, 20, ""}, // the sum of both directions is above one line rate, but neither is full
		"rx just below":     {8.9, 0, 20, ""},
		"rx, too short":     {9.4, 0, 4, ""},
		"rx, five seconds": {9.4, 0.2, 5,
			"warning/operational eth1: eth1 of bond0 is saturated: rx 9.4 Gbit/s, 94 % of 10G, for 5 s; the other slave of bond0 is at 3 %"},
		"rx at the share": {9.0, 0, 5,
			"warning/operational eth1: eth1 of bond0 is saturated: rx 9 Gbit/s, 90 % of 10G, for 5 s; the other slave of bond0 is at 3 %"},
		"tx": {0.2, 9.8, 30,
			"warning/operational eth1: eth1 of bond0 is saturated: tx 9.8 Gbit/s, 98 % of 10G, for 30 s; the other slave of bond0 is at 3 %"},
		"both, for a minute": {9.5, 9.6, 90,
			"warning/operational eth1: eth1 of bond0 is saturated: rx 9.5 Gbit/s, 95 % of 10G, for 1 min 30 s; tx 9.6 Gbit/s, 96 % of 10G, for 1 min 30 s; the other slave of bond0 is at 3 %"},
	} {
		t.Run(what, func(t *testing.T) {
			// the first reading has no rate
			sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Carry("eth0", 0.3, 0.1).Pass(1)
			got := ruletest.OnlyOne(t, ruletest.Check(sc.Carry("eth1", c.rx, c.tx).Pass(c.seconds), nicSaturated()))
			if ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
			if got != nil && !got.Since.Equal(sc.At.Add(-time.Duration(c.seconds)*time.Second)) {
				t.Errorf("got since %s at %s, want %d s before", got.Since, sc.At, c.seconds)
			}
		})
	}
}

// Readings are kept for a minute; the start of a saturation is kept for longer.
func TestNICSaturatedForLong(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Pass(1).Carry("eth1", 9.5, 0.1).Pass(30)
	raised := ruletest.OnlyOne(t, ruletest.Check(sc, nicSaturated()))
	got := ruletest.OnlyOne(t, ruletest.Check(sc.Pass(600), nicSaturated()))
	if want := "rx 9.5 Gbit/s, 95 % of 10G, for 10 min 30 s;"; !strings.Contains(got.Summary, want) || !got.Since.Equal(raised.Since) {
		t.Errorf("got %q since %s, want %q since %s", got.Summary, got.Since, want, raised.Since)
	}
	got = ruletest.OnlyOne(t, ruletest.Check(sc.Carry("eth1", 0.1, 9.5).Pass(20), nicSaturated())) // now the other direction
	if want := "tx 9.5 Gbit/s, 95 % of 10G, for 20 s;"; !strings.Contains(got.Summary, want) {
		t.Errorf("got %q, want %q", got.Summary, want)
	}
}

func TestNICSaturatedOfThreeSlaves(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	third := b.Slaves[1]
	third.Name, third.Index = "eth2", 4
	b.Slaves = append(b.Slaves, third)
	got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(b)).Pass(1).Carry("eth0", 1, 0).Carry("eth1", 9.5, 0).Carry("eth2",
		2, 4).Pass(6), nicSaturated()))
	if want := "the other slaves of bond0 are at 40 % at most"; !strings.HasSuffix(got.Summary, want) {
		t.Errorf("got %q, want %q", got.Summary, want)
	}
}

func TestNICSaturatedBreaks(t *testing.T) {
	full := func() *nodetest.Node {
		return nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Pass(1).Carry("eth1", 9.5, 0).Pass(4)
	}
	if got := ruletest.Check(full().Carry("eth1", 8, 0).Pass(1).Carry("eth1", 9.5, 0).Pass(4), nicSaturated()); len(got) != 0 {
		t.Errorf("got %q with a second below in between, want nothing", ruletest.Said(&got[0]))
	}
	sc := full()
	sc.At = sc.At.Add(6 * time.Second) // no reading arrived
	if got := ruletest.Check(sc.Pass(4), nicSaturated()); len(got) != 0 {
		t.Errorf("got %q with six seconds unread in between, want nothing", ruletest.Said(&got[0]))
	}
	if got := ruletest.Check(full().Pass(10).Wait(6*time.Second), nicSaturated()); len(got) != 0 {
		t.Errorf("got %q of readings six seconds old, want nothing", ruletest.Said(&got[0]))
	}
}

func TestNICSaturatedOutsideOfBonds(t *testing.T) {
	links := bond.Links{NICs: []bond.NIC{{Name: "eth5", Index: 5, Up: true, Speed: 25000}, {Name: "eth6", Index: 6, Up: true}}}
	sc := nodetest.New(links).Pass(1).Carry("eth5", 24, 0).Carry("eth6", 24, 24).Pass(6)
	got := ruletest.OnlyOne(t, ruletest.Check(sc, nicSaturated())) // eth6's speed is unknown, so it cannot be judged
	if want := "warning/operational eth5: eth5 is saturated: rx 24 Gbit/s, 96 % of 25G, for 6 s; it is in no bond"; ruletest.Said(got) != want {
		t.Errorf("got  %q\nwant %q", ruletest.Said(got), want)
	}
}

func TestNICSaturatedNamesWhatUsesIt(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).MapDisks(3, "192.0.2.2").Pass(1).Carry("eth1", 9.5, 0).Pass(8)
	got := ruletest.OnlyOne(t, ruletest.Check(sc, nicSaturated()))
	if all := strings.Join(ruletest.FactsOf(got.Evidence), "\n"); !strings.Contains(all, "it carries the traffic of 3 krbd disks") ||
		!strings.Contains(all, "eth0 carries rx 0 %, tx 0 % of its line rate") {
		t.Errorf("got evidence\n%s", all)
	}
	const none = "it drops no frames: saturated but not overloaded"
	if all := strings.Join(ruletest.FactsOf(got.Against), "\n"); !strings.Contains(all, none) {
		t.Errorf("got against\n%s", all)
	}
	sc.Traffic["eth1"].Missed = 100
	got = ruletest.OnlyOne(t, ruletest.Check(sc.Pass(1), nicSaturated()))
	if all := strings.Join(ruletest.FactsOf(got.Against), "\n"); strings.Contains(all, none) {
		t.Errorf("it drops, but against it stands\n%s", all)
	}
}
