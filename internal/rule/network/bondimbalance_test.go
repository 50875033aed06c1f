package network

import (
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

func TestBondImbalance(t *testing.T) {
	type rates [2]float64 // Gbit/s: rx, tx
	idle := rates{0.001, 0.001}
	for name, c := range map[string]struct {
		bond       bond.Bond
		eth0, eth1 rates
		want       string
	}{
		"idle":                                {nodetest.LACPBond(bond.Layer2), idle, rates{0, 0}, ""},
		"even":                                {nodetest.LACPBond(bond.Layer34), rates{5, 5}, rates{5, 5}, ""},
		"30 to 70, as layer3+4 may by chance": {nodetest.LACPBond(bond.Layer34), rates{3, 3}, rates{7, 7}, ""},
		"just below the threshold":            {nodetest.LACPBond(bond.Layer34), rates{1, 1}, rates{5, 5}, ""},
		"rx above, tx even: the switch's side": {nodetest.LACPBond(bond.Layer34), rates{0.2, 1}, rates{7.8, 1},
			"warning/operational bond0: bond0 (802.3ad, 2x10G) is out of balance on the switch side: receives 98 % of 8 Gbit/s on eth1; what it sends is distributed"},
		"rx above, tx within what chance gives": {nodetest.LACPBond(bond.Layer34), rates{0.2, 0.6}, rates{7.8, 1.4},
			"warning/operational bond0: bond0 (802.3ad, 2x10G) is out of balance on the switch side: receives 98 % of 8 Gbit/s on eth1; what it sends is distributed"},
		"rx above, tx less so": {nodetest.LACPBond(bond.Layer34), rates{0.2, 1.6}, rates{7.8, 0.4},
			"warning/operational bond0: bond0 (802.3ad, 2x10G) is out of balance on the switch side: receives 98 % of 8 Gbit/s on eth1; what it sends is less uneven"},
		"rx above, hardly any tx": {nodetest.LACPBond(bond.Layer34), rates{0, 0}, rates{8, 0},
			"warning/operational bond0: bond0 (802.3ad, 2x10G) is out of balance on the switch side: receives 100 % of 8 Gbit/s on eth1, and sends little"},
		"rx above, a little tx as uneven": {nodetest.LACPBond(bond.Layer2), rates{0, 0}, rates{8, 0.1},
			"warning/operational bond0: bond0 (802.3ad, 2x10G) is out of balance: receives 100 % of 8 Gbit/s on eth1, and what little it sends is as uneven"},
		"tx above": {nodetest.LACPBond(bond.Layer2), rates{2, 9}, rates{2, 0.1},
			"warning/operational bond0: bond0 (802.3ad, 2x10G) is out of balance: sends 99 % of 9.1 Gbit/s on eth0 (xmit_hash_policy layer2)"},
		"both": {nodetest.LACPBond(bond.Layer2), rates{9, 8}, rates{0, 0},
			"warning/operational bond0: bond0 (802.3ad, 2x10G) is out of balance both ways: receives 100 % of 9 Gbit/s on eth0, sends 100 % of 8 Gbit/s on eth0"},
		"below the floor": {nodetest.LACPBond(bond.Layer2), rates{2.4, 2.4}, rates{0, 0}, ""},
		"above the floor": {nodetest.LACPBond(bond.Layer2), rates{2.6, 0}, rates{0, 0},
			"warning/operational bond0: bond0 (802.3ad, 2x10G) is out of balance on the switch side: receives 100 % of 2.6 Gbit/s on eth0, and sends little"},
		"active-backup":                         {nodetest.PlainBond(bond.ActiveBackup, bond.Layer2), rates{9, 9}, rates{0, 0}, ""},
		"broadcast":                             {nodetest.PlainBond(bond.Broadcast, bond.Layer2), rates{9, 9}, rates{0, 0}, ""},
		"balance-tlb receives on one by design": {nodetest.PlainBond(bond.BalanceTLB, bond.Layer2), rates{9, 2}, rates{0, 0}, ""},
		"balance-alb":                           {nodetest.PlainBond(bond.BalanceALB, bond.Layer2), rates{9, 9}, rates{0, 0}, ""},
		"balance-rr must be even": {nodetest.PlainBond(bond.BalanceRR, ""), rates{1, 9}, rates{1, 0.1},
			"warning/operational bond0: bond0 (balance-rr, 2x10G) is out of balance: sends 99 % of 9.1 Gbit/s on eth0 (mode balance-rr)"},
	} {
		t.Run(name, func(t *testing.T) {
			sc := nodetest.New(nodetest.Over(c.bond)).Carry("eth0", c.eth0[0], c.eth0[1]).Carry("eth1", c.eth1[0], c.eth1[1]).Pass(31)
			got := ruletest.OnlyOne(t, ruletest.Check(sc, bondImbalance()))
			if ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
			if got != nil && !strings.Contains(strings.Join(ruletest.FactsOf(got.Against), "\n"),
				"a few large connections cannot be balanced") {
				t.Errorf("nothing said of few connections: %q", ruletest.FactsOf(got.Against))
			}
		})
	}
}

func TestBondImbalanceNeedsTheWholeWindow(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Carry("eth0", 9, 9)
	if got := ruletest.Check(sc.Pass(25), bondImbalance()); len(got) != 0 {
		t.Errorf("got %q after 25 s of readings, want nothing", ruletest.Said(&got[0]))
	}
	if got := ruletest.Check(sc.Pass(6), bondImbalance()); len(got) != 1 {
		t.Error("got nothing after 31 s, want a finding")
	}
}

func TestBondImbalanceOfThreeSlaves(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	third := b.Slaves[1]
	third.Name, third.Index = "eth2", 4
	b.Slaves = append(b.Slaves, third)
	for rate, want := range map[float64]int{4: 0, 7: 0, 9: 1} { // Gbit/s of 10; the threshold is 80 %
		sc := nodetest.New(nodetest.Over(b)).Carry("eth0", 0, rate).Carry("eth1", 0, (10-rate)/2).Carry("eth2", 0, (10-rate)/2).Pass(31)
		if got := ruletest.Check(sc, bondImbalance()); len(got) != want {
			t.Errorf("%.0f of 10 Gbit/s on one of three: got %d findings, want %d", rate, len(got), want)
		}
	}
}

func TestBondImbalanceLeavesOutSlavesThatCarryNothing(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	b.Slaves[1].MIIStatus, b.Slaves[1].Carrier, b.Slaves[1].Speed = "DOWN", false, 0
	sc := nodetest.New(nodetest.Over(b)).Carry("eth0", 9, 9).Pass(31)
	if got := ruletest.Check(sc, bondImbalance()); len(got) != 0 {
		t.Errorf("got %q with one slave left, want nothing", ruletest.Said(&got[0]))
	}
}

func TestBondImbalanceOfUnknownSpeed(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer2)
	b.Slaves[0].Speed, b.Slaves[1].Speed = 0, 0
	for rate, want := range map[float64]int{2.4: 0, 2.6: 1} {
		sc := nodetest.New(nodetest.Over(b)).Carry("eth0", rate, 0).Pass(31)
		if got := ruletest.Check(sc, bondImbalance()); len(got) != want {
			t.Errorf("%.1f Gbit/s on one of two slaves: got %d findings, want %d", rate, len(got), want)
		}
	}
}

func TestBondImbalanceAdvisesWhoCanFixIt(t *testing.T) {
	rx := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Carry("eth1", 9, 0.1).Pass(31),
		bondImbalance()))
	tx := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Carry("eth1", 0.1, 9).Pass(31),
		bondImbalance()))
	set := "ip link set dev bond0 type bond xmit_hash_policy layer3+4"
	if got := strings.Join(ruletest.CommandsOf(rx.Advice), "\n"); strings.Contains(got, set) {
		t.Errorf("receiving side: got %q, which changes only what is sent", got)
	}
	if got := strings.Join(ruletest.CommandsOf(tx.Advice), "\n"); !strings.Contains(got, set) {
		t.Errorf("sending side: got %q, want %q", got, set)
	}
}
