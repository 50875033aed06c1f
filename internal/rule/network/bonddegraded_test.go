package network

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

func TestBondDegraded(t *testing.T) {
	const name = "bond0 (802.3ad, 2x10G)"
	for what, c := range map[string]struct {
		change func(*bond.Bond)
		want   string
	}{
		"healthy": {func(*bond.Bond) {}, ""},
		"a slave without link": {func(b *bond.Bond) { nodetest.Lose(&b.Slaves[1]) },
			"warning/operational bond0: bond0 (802.3ad, 2 slaves): eth1 has no link; 1 of 2 slaves carry traffic"},
		"MII down with link": {func(b *bond.Bond) { b.Slaves[1].MIIStatus = "DOWN" },
			"warning/operational bond0: " + name +
				": eth1 is down according to the bond's link monitoring (MII status); 1 of 2 slaves carry traffic"},
		"going down: not yet":  {func(b *bond.Bond) { b.Slaves[1].MIIStatus = "GOING_DOWN" }, ""},
		"coming back: not yet": {func(b *bond.Bond) { b.Slaves[1].MIIStatus = "GOING_BACK" }, ""},
		"another speed":        {func(b *bond.Bond) { b.Slaves[1].Speed = 1000 }, ""},                    // link-speed
		"half duplex":          {func(b *bond.Bond) { b.Slaves[0].Duplex = "half" }, ""},                 // link-speed
		"unknown speed":        {func(b *bond.Bond) { b.Slaves[0].Speed = 0 }, ""},                       // link-speed
		"no speeds, hardware":  {func(b *bond.Bond) { b.Slaves[0].Speed, b.Slaves[1].Speed = 0, 0 }, ""}, // link-speed
		"no active aggregator": {func(b *bond.Bond) { b.AD = nil },
			"critical/partial_outage bond0: " + name +
				" is down: no active aggregator, so no slave carries traffic; it is used by bond0.20"},
		"no speeds, virtual NICs": {func(b *bond.Bond) { virtual(b); b.Slaves[0].Speed, b.Slaves[1].Speed = 0, 0 }, ""},
		"no link, a VLAN uses": {func(b *bond.Bond) { nodetest.Lose(&b.Slaves[0]); nodetest.Lose(&b.Slaves[1]); b.Up = false },
			"critical/partial_outage bond0: bond0 (802.3ad, 2 slaves) is down: all slaves are down; it is used by bond0.20"},
		"an empty bond, down":     {func(b *bond.Bond) { b.Slaves, b.Up, b.AD = nil, false, nil }, ""},
		"set down by an operator": {func(b *bond.Bond) { b.Up = false }, ""},
	} {
		t.Run(what, func(t *testing.T) {
			b := nodetest.LACPBond(bond.Layer34)
			c.change(&b)
			if got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(b)).Pass(1),
				bondDegraded())); ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
		})
	}
}

func virtual(b *bond.Bond) {
	for i := range b.Slaves {
		b.Slaves[i].Driver = "virtio_net"
	}
}

func TestBondDegradedByWhatUsesIt(t *testing.T) {
	for what, c := range map[string]struct {
		disks int
		links func(bond.Bond) bond.Links
		want  string
	}{
		"krbd": {3, func(b bond.Bond) bond.Links { return nodetest.Over(b) },
			"critical/major_outage bond0: bond0 (802.3ad, 2 slaves) is down: all slaves are down; 3 krbd disks cannot reach the cluster"},
		"a VLAN": {0, func(b bond.Bond) bond.Links { return nodetest.Over(b) },
			"critical/partial_outage bond0: bond0 (802.3ad, 2 slaves) is down: all slaves are down; it is used by bond0.20"},
		"nothing": {0, func(b bond.Bond) bond.Links { return bond.Links{Bonds: []bond.Bond{b}} },
			"info/operational bond0: bond0 (802.3ad, 2 slaves) is down: all slaves are down; it is not in use"},
	} {
		t.Run(what, func(t *testing.T) {
			b := nodetest.LACPBond(bond.Layer34)
			nodetest.Lose(&b.Slaves[0])
			nodetest.Lose(&b.Slaves[1])
			b.Up, b.AD = false, nil
			if got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(c.links(b)).MapDisks(c.disks, "192.0.2.2").Pass(1),
				bondDegraded())); ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
		})
	}
}

func TestBondDegradedSetDownUnderKrbd(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	b.Up = false // set down by min_links or an operator
	got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(b)).MapDisks(2, "192.0.2.2").Pass(1), bondDegraded()))
	if want := "critical/major_outage bond0: bond0 (802.3ad, 2x10G) is down: no slave carries traffic; 2 krbd disks cannot reach the cluster"; ruletest.Said(got) != want {
		t.Errorf("got  %q\nwant %q", ruletest.Said(got), want)
	}
}

// Failures between two readings are included in the kernel's count.
func TestBondDegradedCountsFlaps(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	b.Slaves[1].LinkFailures = 41 // failures of the months before
	sc := nodetest.New(nodetest.Over(b)).Pass(1)
	if got := ruletest.Check(sc, bondDegraded()); len(got) != 0 {
		t.Fatalf("got %q for failures of before, want nothing", ruletest.Said(&got[0]))
	}
	rise := func(to uint32) { sc.Links.Bonds[0].Slaves[1].LinkFailures = to; sc.SeeLinks(); sc.Pass(1) }
	rise(42)
	if got := ruletest.Check(sc, bondDegraded()); len(got) != 0 {
		t.Errorf("got %q for one failure, want nothing", ruletest.Said(&got[0]))
	}
	rise(43)
	sc.Log(kmsg.Count{Class: kmsg.BondSlaveDown, Device: "bond0/eth1", N: 2,
		Text: "bond0: (slave eth1): link status definitely down, disabling slave"})
	got := ruletest.OnlyOne(t, ruletest.Check(sc, bondDegraded()))
	if want := "warning/operational bond0: bond0 (802.3ad, 2x10G): eth1 lost its link 2 times in the last 10 min; 2 of 2 slaves carry traffic"; ruletest.Said(got) != want {
		t.Errorf("got  %q\nwant %q", ruletest.Said(got), want)
	}
	if all := strings.Join(ruletest.FactsOf(got.Evidence), "\n"); !strings.Contains(all, "link status definitely down, disabling slave") {
		t.Errorf("the kernel's words are missing in\n%s", all)
	}
	if got := ruletest.Check(sc.Pass(11*60), bondDegraded()); len(got) != 0 {
		t.Errorf("got %q ten minutes later, want nothing", ruletest.Said(&got[0]))
	}
	rise(1) // enslaved again
	rise(2)
	if got := ruletest.Check(sc, bondDegraded()); len(got) != 0 {
		t.Errorf("got %q, want the count of a slave that was enslaved again to begin again", ruletest.Said(&got[0]))
	}
}

func TestBondDegradedNamesTheCommands(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	nodetest.Lose(&b.Slaves[1])
	got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(b)).Pass(1), bondDegraded()))
	all := strings.Join(ruletest.CommandsOf(got.Advice), "\n")
	for _, want := range []string{"cat /proc/net/bonding/bond0", "ethtool eth1", "ethtool -m eth1",
		"journalctl -k --since -30min -g bond0"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if r := bondDegraded(); r.For.Warning > 10*time.Second || r.KeepFiringFor.Warning < 10*time.Second {
		t.Errorf("for %s, keep firing for %s: a lost slave must show soon and not flicker", r.For.Warning, r.KeepFiringFor.Warning)
	}
}
