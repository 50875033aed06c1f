package legacy

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// lose takes the link of a slave away as the kernel shows it.
func lose(s *bond.Slave) {
	s.Carrier, s.MIIStatus, s.Speed, s.Duplex, s.State = false, "DOWN", 0, "", "BACKUP"
}

func TestBondDegraded(t *testing.T) {
	const name = "bond0 (802.3ad, 2x10G)"
	for what, c := range map[string]struct {
		change func(*bond.Bond)
		want   string
	}{
		"healthy":                   {func(*bond.Bond) {}, ""},
		"a slave without link":      {func(b *bond.Bond) { lose(&b.Slaves[1]) }, "warning/operational bond0: bond0 (802.3ad, 2 slaves): eth1 has no link; 1 of 2 slaves carry traffic"},
		"MII down with link":        {func(b *bond.Bond) { b.Slaves[1].MIIStatus = "DOWN" }, "warning/operational bond0: " + name + ": eth1 is down by the bond's own check (MII status); 1 of 2 slaves carry traffic"},
		"going down: not yet":       {func(b *bond.Bond) { b.Slaves[1].MIIStatus = "GOING_DOWN" }, ""},
		"coming back: not yet":      {func(b *bond.Bond) { b.Slaves[1].MIIStatus = "GOING_BACK" }, ""},
		"another speed":             {func(b *bond.Bond) { b.Slaves[1].Speed = 1000 }, "warning/operational bond0: bond0 (802.3ad, 10G+1G): eth1 runs at 1G, another slave at 10G; 2 of 2 slaves carry traffic"},
		"half duplex":               {func(b *bond.Bond) { b.Slaves[0].Duplex = "half" }, "warning/operational bond0: " + name + ": eth0 runs at half duplex; 2 of 2 slaves carry traffic"},
		"unknown speed":             {func(b *bond.Bond) { b.Slaves[0].Speed = 0 }, "warning/operational bond0: bond0 (802.3ad, 2 slaves): eth0 is up at a speed that is not known; 2 of 2 slaves carry traffic"},
		"no speeds, hardware":       {func(b *bond.Bond) { b.Slaves[0].Speed, b.Slaves[1].Speed = 0, 0 }, "warning/operational bond0: bond0 (802.3ad, 2 slaves): eth0 is up at a speed that is not known, eth1 is up at a speed that is not known; 2 of 2 slaves carry traffic"},
		"no active aggregator":      {func(b *bond.Bond) { b.AD = nil }, "warning/operational bond0: " + name + ": bond0 has no active aggregator; 2 of 2 slaves carry traffic"},
		"no speeds, virtual NICs":   {func(b *bond.Bond) { virtual(b); b.Slaves[0].Speed, b.Slaves[1].Speed = 0, 0 }, ""},
		"no link, a VLAN stands on": {func(b *bond.Bond) { lose(&b.Slaves[0]); lose(&b.Slaves[1]); b.Up = false }, "critical/partial_outage bond0: bond0 (802.3ad, 2 slaves) is down: none of its slaves carries traffic; bond0.20 stands on it"},
		"an empty bond, down":       {func(b *bond.Bond) { b.Slaves, b.Up, b.AD = nil, false, nil }, ""},
		"set down by an operator":   {func(b *bond.Bond) { b.Up = false }, ""},
	} {
		t.Run(what, func(t *testing.T) {
			b := lacpBond(bond.Layer34)
			c.change(&b)
			if got := onlyOne(t, newScene(over(b)).pass(1).check(bondDegraded())); said(got) != c.want {
				t.Errorf("got  %q\nwant %q", said(got), c.want)
			}
		})
	}
}

func virtual(b *bond.Bond) {
	for i := range b.Slaves {
		b.Slaves[i].Driver = "virtio_net"
	}
}

func TestBondDegradedByWhatStandsOnIt(t *testing.T) {
	for what, c := range map[string]struct {
		disks int
		links func(bond.Bond) bond.Links
		want  string
	}{
		"krbd":    {3, func(b bond.Bond) bond.Links { return over(b) }, "critical/major_outage bond0: bond0 (802.3ad, 2 slaves) is down: none of its slaves carries traffic; 3 krbd disks cannot reach the cluster"},
		"a VLAN":  {0, func(b bond.Bond) bond.Links { return over(b) }, "critical/partial_outage bond0: bond0 (802.3ad, 2 slaves) is down: none of its slaves carries traffic; bond0.20 stands on it"},
		"nothing": {0, func(b bond.Bond) bond.Links { return bond.Links{Bonds: []bond.Bond{b}} }, "info/operational bond0: bond0 (802.3ad, 2 slaves) is down: none of its slaves carries traffic; nothing stands on it"},
	} {
		t.Run(what, func(t *testing.T) {
			b := lacpBond(bond.Layer34)
			lose(&b.Slaves[0])
			lose(&b.Slaves[1])
			b.Up, b.AD = false, nil
			if got := onlyOne(t, newScene(c.links(b)).mapped(c.disks, "192.0.2.2").pass(1).check(bondDegraded())); said(got) != c.want {
				t.Errorf("got  %q\nwant %q", said(got), c.want)
			}
		})
	}
}

func TestBondDegradedSetDownUnderKrbd(t *testing.T) {
	b := lacpBond(bond.Layer34)
	b.Up = false // min_links, or an operator
	got := onlyOne(t, newScene(over(b)).mapped(2, "192.0.2.2").pass(1).check(bondDegraded()))
	if want := "critical/major_outage bond0: bond0 (802.3ad, 2x10G) is down: none of its slaves carries traffic; 2 krbd disks cannot reach the cluster"; said(got) != want {
		t.Errorf("got  %q\nwant %q", said(got), want)
	}
}

// Failures that no reading saw are in the kernel's count.
func TestBondDegradedCountsFlaps(t *testing.T) {
	b := lacpBond(bond.Layer34)
	b.Slaves[1].LinkFailures = 41 // of the months before
	sc := newScene(over(b)).pass(1)
	if got := sc.check(bondDegraded()); len(got) != 0 {
		t.Fatalf("got %q for failures of before, want nothing", said(&got[0]))
	}
	rise := func(to uint32) { sc.links.Bonds[0].Slaves[1].LinkFailures = to; sc.seeLinks(); sc.pass(1) }
	rise(42)
	if got := sc.check(bondDegraded()); len(got) != 0 {
		t.Errorf("got %q for one failure, want nothing", said(&got[0]))
	}
	rise(43)
	sc.logged(kmsg.Count{Class: kmsg.BondSlaveDown, Device: "bond0/eth1", N: 2, Text: "bond0: (slave eth1): link status definitely down, disabling slave"})
	got := onlyOne(t, sc.check(bondDegraded()))
	if want := "warning/operational bond0: bond0 (802.3ad, 2x10G): eth1 keeps losing its link: 2 times in the last 10 min; 2 of 2 slaves carry traffic"; said(got) != want {
		t.Errorf("got  %q\nwant %q", said(got), want)
	}
	if all := strings.Join(factsOf(got.Evidence), "\n"); !strings.Contains(all, "link status definitely down, disabling slave") {
		t.Errorf("the kernel's words are missing in\n%s", all)
	}
	if got := sc.pass(11 * 60).check(bondDegraded()); len(got) != 0 {
		t.Errorf("got %q ten minutes later, want nothing", said(&got[0]))
	}
	rise(1) // enslaved anew
	rise(2)
	if got := sc.check(bondDegraded()); len(got) != 0 {
		t.Errorf("got %q, want the count of a slave that was enslaved anew to begin again", said(&got[0]))
	}
}

func TestBondDegradedNamesTheCommands(t *testing.T) {
	b := lacpBond(bond.Layer34)
	lose(&b.Slaves[1])
	got := onlyOne(t, newScene(over(b)).pass(1).check(bondDegraded()))
	all := strings.Join(commandsOf(got.Advice), "\n")
	for _, want := range []string{"cat /proc/net/bonding/bond0", "ethtool eth1", "ethtool -m eth1", "journalctl -k --since -30min -g bond0"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if r := bondDegraded(); r.Hold > 10*time.Second || r.Keep < 10*time.Second {
		t.Errorf("got hold %s keep %s: a lost slave must show soon and not flicker", r.Hold, r.Keep)
	}
}
