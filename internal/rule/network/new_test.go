package network

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// storage returns a node with krbd on an LACP bond with layer3+4.
func storage(disks int) *nodetest.Node {
	return nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer34))).MapDisks(disks, "192.0.2.2").Pass(2)
}

func want(t *testing.T, got []rule.Result, text string) {
	t.Helper()
	if r := ruletest.OnlyOne(t, got); ruletest.Said(r) != text {
		t.Errorf("got  %q\nwant %q", ruletest.Said(r), text)
	}
}

// A bond that an ifreload removes for seconds is an info; one that stays removed cuts
// krbd off.
func TestBondGone(t *testing.T) {
	sc := storage(3)
	want(t, ruletest.Check(sc, bondGone()), "")
	sc.Links = bond.Links{}
	sc.SeeLinks()
	want(t, ruletest.Check(sc.Pass(3), bondGone()),
		"info/operational bond0: bond0 has disappeared at 02:00:02; its slaves were eth0 and eth1")
	want(t, ruletest.Check(sc.Pass(20), bondGone()),
		"critical/major_outage bond0: bond0 has disappeared at 02:00:02; its slaves were eth0 and eth1; 3 krbd disks have no link to the cluster")
	sc.Links = nodetest.Over(nodetest.LACPBond(bond.Layer34))
	sc.SeeLinks()
	want(t, ruletest.Check(sc.Pass(1), bondGone()), "")
}

func TestBondGoneIsIntendedAfterAnHour(t *testing.T) {
	sc := storage(0)
	sc.Links = bond.Links{}
	sc.SeeLinks()
	want(t, ruletest.Check(sc.Pass(30), bondGone()),
		"warning/operational bond0: bond0 has disappeared at 02:00:02; its slaves were eth0 and eth1")
	want(t, ruletest.Check(sc.Pass(3600), bondGone()), "")
}

func TestNICDown(t *testing.T) {
	alone := func(up bool, disks int) *nodetest.Node {
		l := bond.Links{NICs: []bond.NIC{{Name: "eth0", Index: 2, Up: up, Speed: 10000, Duplex: "full"}},
			Addresses: []bond.Address{{IP: "192.0.2.2", Bits: 24, Index: 2}}}
		return nodetest.New(l).MapDisks(disks, "192.0.2.2").Pass(1)
	}
	want(t, ruletest.Check(alone(true, 3), nicDown()), "")
	want(t, ruletest.Check(alone(false, 0), nicDown()), "")
	sc := alone(false, 3)
	sc.Log(kmsg.Count{Class: kmsg.NICDown, Device: "eth0", N: 1, Text: "ixgbe 0000:01:00.0 eth0: NIC Link is Down"})
	want(t, ruletest.Check(sc, nicDown()), "critical/major_outage eth0: eth0 has no link: 3 krbd disks cannot reach the cluster")
	if got := ruletest.Check(sc, nicDown())[0]; !strings.Contains(strings.Join(ruletest.FactsOf(got.Evidence), "\n"), "NIC Link is Down") {
		t.Errorf("the kernel's line is missing in %+v", got.Evidence)
	}
}

func TestSlaveMissing(t *testing.T) {
	sc := storage(3)
	want(t, ruletest.Check(sc, slaveMissing()), "")
	b := &sc.Links.Bonds[0]
	b.Slaves = b.Slaves[:1]
	sc.SeeLinks()
	want(t, ruletest.Check(sc.Pass(1), slaveMissing()),
		"warning/operational bond0: bond0 (802.3ad) has lost its slave eth1: 1 slave left (eth0)")
}

// One slave since nodewatch started is a setting, not a loss.
func TestSlaveMissingFromTheStart(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	b.Slaves = b.Slaves[:1]
	single := func(disks int) []rule.Result {
		return ruletest.Check(nodetest.New(nodetest.Over(b)).MapDisks(disks, "192.0.2.2").Pass(1), slaveMissing())
	}
	want(t, single(0), "")
	want(t, single(3), "info/operational bond0: bond0 (802.3ad) has one slave, eth0, and no redundancy; it carries the traffic of 3 krbd disks")
}

func TestLinkSpeed(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*bond.Slave)
		want   string
	}{
		"as it was":              {func(*bond.Slave) {}, ""},
		"no link: bond-degraded": {func(s *bond.Slave) { nodetest.Lose(s) }, ""},
		"slower": {func(s *bond.Slave) { s.Speed = 1000 },
			"warning/operational eth1: eth1 of bond0 runs at 1G; earlier it ran at 10G"},
		"half duplex": {func(s *bond.Slave) { s.Duplex = "half" },
			"warning/operational eth1: eth1 of bond0 runs at half duplex"},
		"unknown speed": {func(s *bond.Slave) { s.Speed = 0 },
			"warning/operational eth1: eth1 of bond0 has a link of unknown speed"},
	} {
		t.Run(what, func(t *testing.T) {
			sc := storage(3)
			c.change(&sc.Links.Bonds[0].Slaves[1])
			sc.SeeLinks()
			want(t, ruletest.Check(sc.Pass(1), linkSpeed()), c.want)
		})
	}
}

func TestLinkSpeedOfUnequalSlaves(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	b.Slaves[0].Speed = 25000
	want(t, ruletest.Check(nodetest.New(nodetest.Over(b)).Pass(1), linkSpeed()),
		"warning/operational eth1: eth1 of bond0 runs at 10G, eth0 at 25G")
	for i := range b.Slaves {
		b.Slaves[i].Speed, b.Slaves[i].Driver = 0, "virtio_net"
	}
	want(t, ruletest.Check(nodetest.New(nodetest.Over(b)).Pass(1), linkSpeed()), "")
}

func TestNICErrors(t *testing.T) {
	sc := storage(3).Carry("eth1", 1, 1)
	sc.Traffic["eth1"].CRC = 800
	want(t, ruletest.Check(sc.Pass(10), nicErrors()), "") // a burst
	sc.Pass(20)
	got := ruletest.OnlyOne(t, ruletest.Check(sc, nicErrors()))
	if got == nil || got.Subject != "eth1" || got.Severity != report.Warning ||
		!strings.HasPrefix(got.Summary, "eth1 of bond0 receives corrupted frames: up to 800 frames/s") {
		t.Errorf("got %q", ruletest.Said(got))
	}
	if !strings.Contains(got.Advice[0].Do, "cable") {
		t.Errorf("first advice %q", got.Advice[0].Do)
	}
	sc.Traffic["eth1"].CRC = 0
	want(t, ruletest.Check(sc.Pass(11*60), nicErrors()), "")
}

func TestNICFault(t *testing.T) {
	sc := storage(3)
	want(t, ruletest.Check(sc, nicFault()), "")
	sc.Log(kmsg.Count{Class: kmsg.NICReset, Device: "eth0", N: 1, Text: "i40e 0000:3b:00.0 eth0: reset"})
	want(t, ruletest.Check(sc, nicFault()),
		"info/operational eth0: eth0 of bond0 is faulty: the kernel reports 1 reset, the latest at 02:00:02")
	sc.Pass(1).Log(kmsg.Count{Class: kmsg.NICHang, Device: "eth0", N: 3, Text: "NETDEV WATCHDOG: eth0 (i40e): transmit queue 31 timed out"})
	want(t, ruletest.Check(sc, nicFault()),
		"warning/operational eth0: eth0 of bond0 is faulty: the kernel reports 3 transmit hangs and 1 reset, the latest at 02:00:03")
	want(t, ruletest.Check(sc.Pass(31*60), nicFault()), "")
}

// The switch's distribution is measured, whatever the policy of the host.
func TestBondSpreadReceive(t *testing.T) {
	sc := storage(8).Carry("eth0", 4, 0.5).Carry("eth1", 0.02, 0.5).Pass(40)
	got := ruletest.OnlyOne(t, ruletest.Check(sc, bondSpread()))
	if got == nil || got.Severity != report.Warning || !strings.Contains(got.Summary, "the switch sends 99.5 % of 4 Gbit/s on eth0") ||
		!strings.Contains(got.Advice[0].Do, "On the switch") {
		t.Fatalf("got %q", ruletest.Said(got))
	}
}

func TestBondSpreadIsNotRaised(t *testing.T) {
	for what, sc := range map[string]*nodetest.Node{
		"even":                     storage(8).Carry("eth0", 4, 4).Carry("eth1", 4, 4),
		"little":                   storage(8).Carry("eth0", 1, 0.1).Carry("eth1", 0, 0.1),
		"one connection, by ports": storage(8).Carry("eth0", 0.1, 6).Carry("eth1", 0.1, 0.1),
		"no krbd":                  storage(0).Carry("eth0", 4, 0.5).Carry("eth1", 0.02, 0.5),
		"layer2: another rule's": nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).MapDisks(8,
			"192.0.2.2").Pass(2).Carry("eth0", 4, 4).Carry("eth1", 0, 0),
		"active-backup": nodetest.New(nodetest.Over(nodetest.PlainBond(bond.ActiveBackup, bond.Layer34))).MapDisks(8,
			"192.0.2.2").Pass(2).Carry("eth0", 4, 4).Carry("eth1", 0, 0),
	} {
		if got := ruletest.Check(sc.Pass(40), bondSpread()); len(got) != 0 {
			t.Errorf("%s: got %q", what, ruletest.Said(&got[0]))
		}
	}
	byAddress := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer23))).MapDisks(8, "192.0.2.2").Pass(2).Carry("eth0", 0.1,
		6).Carry("eth1", 0.1, 0.1)
	if got := ruletest.OnlyOne(t, ruletest.Check(byAddress.Pass(40), bondSpread())); got == nil ||
		!strings.Contains(got.Summary, "xmit_hash_policy layer2+3") {
		t.Errorf("layer2+3 with few peers: got %q", ruletest.Said(got))
	}
}

// A bond without any slave is reported even if this lasts less time than a finding
// takes to be raised.
func TestBondDegradedForAMoment(t *testing.T) {
	sc := storage(3)
	for i := range sc.Links.Bonds[0].Slaves {
		sc.Links.Bonds[0].Slaves[i].LinkFailures++
	}
	sc.SeeLinks()
	want(t, ruletest.Check(sc.Pass(1), bondDegraded()),
		"info/operational bond0: bond0 (802.3ad, 2x10G) had no active slave for a moment at 02:00:02")
	want(t, ruletest.Check(sc.Pass(11*60), bondDegraded()), "")
}

func TestEachResultNamesItsSource(t *testing.T) {
	sc := nodetest.New(bond.Links{})
	b := nodetest.OVSBond(bond.BalanceSLB)
	b.LACPActive = ""
	sc.See(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Value: []bond.Bond{b}, At: sc.At, Every: time.Second}})
	for _, r := range ruletest.Check(sc, bondHashLayer2()) {
		if len(r.RestsOn) != 1 || r.RestsOn[0] != node.SourceOVS {
			t.Errorf("a bond of Open vSwitch rests on %v", r.RestsOn)
		}
	}
}
