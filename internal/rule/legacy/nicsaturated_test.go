package legacy

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

func TestNICSaturated(t *testing.T) {
	for what, c := range map[string]struct {
		rx, tx  float64 // Gbit/s of eth1
		seconds int
		want    string
	}{
		"calm":               {1, 1, 20, ""},
		"14 of 2x10 summed":  {7, 7, 20, ""}, // both ways together are above one line rate: that is no full NIC
		"rx just below":      {8.9, 0, 20, ""},
		"rx, too short":      {9.4, 0, 4, ""},
		"rx, five seconds":   {9.4, 0.2, 5, "warning/operational eth1: eth1 of bond0 is full: rx 9.4 Gbit/s, 94 % of 10G, for 5 s; the other slave of bond0 is at 3 %"},
		"rx at the share":    {9.0, 0, 5, "warning/operational eth1: eth1 of bond0 is full: rx 9.0 Gbit/s, 90 % of 10G, for 5 s; the other slave of bond0 is at 3 %"},
		"tx":                 {0.2, 9.8, 30, "warning/operational eth1: eth1 of bond0 is full: tx 9.8 Gbit/s, 98 % of 10G, for 30 s; the other slave of bond0 is at 3 %"},
		"both, for a minute": {9.5, 9.6, 90, "warning/operational eth1: eth1 of bond0 is full: rx 9.5 Gbit/s, 95 % of 10G, for 60 s; tx 9.6 Gbit/s, 96 % of 10G, for 60 s; the other slave of bond0 is at 3 %"},
	} {
		t.Run(what, func(t *testing.T) {
			sc := newScene(over(lacpBond(bond.Layer2))).carry("eth0", 0.3, 0.1).pass(1) // the first reading has no rate
			got := onlyOne(t, sc.carry("eth1", c.rx, c.tx).pass(c.seconds).check(nicSaturated()))
			if said(got) != c.want {
				t.Errorf("got  %q\nwant %q", said(got), c.want)
			}
			if got != nil && !got.Since.Equal(sc.at.Add(-time.Duration(min(c.seconds, 60))*time.Second)) {
				t.Errorf("got since %s at %s, want %d s before", got.Since, sc.at, c.seconds)
			}
		})
	}
}

// Readings are kept for a minute; what is raised remembers more.
func TestNICSaturatedForLong(t *testing.T) {
	sc := newScene(over(lacpBond(bond.Layer2))).pass(1).carry("eth1", 9.5, 0.1).pass(30)
	raised := onlyOne(t, sc.check(nicSaturated()))
	got := onlyOne(t, sc.pass(600).check(nicSaturated(), *raised))
	if want := "rx 9.5 Gbit/s, 95 % of 10G, for 10 min;"; !strings.Contains(got.Summary, want) || !got.Since.Equal(raised.Since) {
		t.Errorf("got %q since %s, want %q since %s", got.Summary, got.Since, want, raised.Since)
	}
	got = onlyOne(t, sc.carry("eth1", 0.1, 9.5).pass(20).check(nicSaturated(), *raised)) // the other way now
	if want := "tx 9.5 Gbit/s, 95 % of 10G, for 20 s;"; !strings.Contains(got.Summary, want) {
		t.Errorf("got %q, want %q", got.Summary, want)
	}
}

func TestNICSaturatedOfThreeSlaves(t *testing.T) {
	b := lacpBond(bond.Layer34)
	third := b.Slaves[1]
	third.Name, third.Index = "eth2", 4
	b.Slaves = append(b.Slaves, third)
	got := onlyOne(t, newScene(over(b)).pass(1).carry("eth0", 1, 0).carry("eth1", 9.5, 0).carry("eth2", 2, 4).pass(6).check(nicSaturated()))
	if want := "the other slaves of bond0 are at 40 % at most"; !strings.HasSuffix(got.Summary, want) {
		t.Errorf("got %q, want %q", got.Summary, want)
	}
}

func TestNICSaturatedBreaks(t *testing.T) {
	full := func() *scene {
		return newScene(over(lacpBond(bond.Layer2))).pass(1).carry("eth1", 9.5, 0).pass(4)
	}
	if got := full().carry("eth1", 8, 0).pass(1).carry("eth1", 9.5, 0).pass(4).check(nicSaturated()); len(got) != 0 {
		t.Errorf("got %q with a second below in between, want nothing", said(&got[0]))
	}
	sc := full()
	sc.at = sc.at.Add(6 * time.Second) // no reading came
	if got := sc.pass(4).check(nicSaturated()); len(got) != 0 {
		t.Errorf("got %q with six seconds unread in between, want nothing", said(&got[0]))
	}
	sc = full().pass(10)
	sc.blind(node.SourceNIC)
	if got := sc.check(nicSaturated()); len(got) != 0 {
		t.Errorf("got %q while counters cannot be read, want nothing", said(&got[0]))
	}
	sc = full().pass(10)
	sc.s = sc.s.Take(node.Entry{At: sc.at.Add(6 * time.Second)})
	if got := sc.check(nicSaturated()); len(got) != 0 {
		t.Errorf("got %q of readings six seconds old, want nothing", said(&got[0]))
	}
}

func TestNICSaturatedOutsideOfBonds(t *testing.T) {
	links := bond.Links{NICs: []bond.NIC{{Name: "eth5", Index: 5, Up: true, Speed: 25000}, {Name: "eth6", Index: 6, Up: true}}}
	sc := newScene(links).pass(1).carry("eth5", 24, 0).carry("eth6", 24, 24).pass(6)
	got := onlyOne(t, sc.check(nicSaturated())) // eth6's speed is not known: it cannot be judged
	if want := "warning/operational eth5: eth5 is full: rx 24.0 Gbit/s, 96 % of 25G, for 6 s; it is in no bond"; said(got) != want {
		t.Errorf("got  %q\nwant %q", said(got), want)
	}
}

func TestNICSaturatedSaysWhatIsBehindItAndWhatIsNot(t *testing.T) {
	sc := newScene(over(lacpBond(bond.Layer2))).mapped(3, "192.0.2.2").pass(1).carry("eth1", 9.5, 0).pass(8)
	got := onlyOne(t, sc.check(nicSaturated()))
	if all := strings.Join(factsOf(got.Evidence), "\n"); !strings.Contains(all, "it carries the traffic of 3 krbd disks") || !strings.Contains(all, "beside it: rx 0 %, tx 0 % of its line rate") {
		t.Errorf("got evidence\n%s", all)
	}
	const none = "it drops nothing for lack of buffers: full, but not overrun"
	if all := strings.Join(factsOf(got.Against), "\n"); !strings.Contains(all, none) {
		t.Errorf("got against\n%s", all)
	}
	sc.traffic["eth1"].missed = 100
	got = onlyOne(t, sc.pass(1).check(nicSaturated()))
	if all := strings.Join(factsOf(got.Against), "\n"); strings.Contains(all, none) {
		t.Errorf("it drops, but against it stands\n%s", all)
	}
}
