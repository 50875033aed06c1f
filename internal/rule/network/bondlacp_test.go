package network

import (
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

func state(s bond.PortState) *bond.PortState { return &s }

func TestBondLACP(t *testing.T) {
	const name = "warning/operational bond0: bond0 (802.3ad, 2x10G): "
	for what, c := range map[string]struct {
		change func(*bond.Bond)
		want   string
	}{
		"healthy, fast": {func(*bond.Bond) {}, ""},
		"healthy, slow": {func(b *bond.Bond) {
			b.Slaves[0].Actor, b.Slaves[0].Partner = state(0x3d), state(0x3d)
		}, ""},
		"a passive partner": {func(b *bond.Bond) { b.Slaves[0].Partner = state(0x3c) }, ""},
		// As the kernel shows it against a switch without LACP: actor 0x4f and 0x47, partner 0.
		"the switch speaks no LACP": {func(b *bond.Bond) {
			b.AD.PartnerMAC, b.AD.Ports = "00:00:00:00:00:00", 1
			b.Slaves[0].Actor, b.Slaves[0].Partner = state(0x4f), state(0)
			b.Slaves[1].Actor, b.Slaves[1].Partner, b.Slaves[1].Aggregator, b.Slaves[1].State = state(0x47), state(0), 2, "BACKUP"
		}, name + "the switch does not answer LACP (partner MAC 00:00:00:00:00:00); 1 of 2 slaves carry traffic"},
		"one port heard nothing": {func(b *bond.Bond) {
			b.Slaves[1].Actor, b.Slaves[1].Aggregator, b.Slaves[1].State = state(0x47), 2, "BACKUP"
		}, name + "eth1 receives no LACP from the switch (defaulted); 1 of 2 slaves carry traffic"},
		"one port expired": {func(b *bond.Bond) { b.Slaves[1].Actor = state(0xbf) },
			name + "eth1 has not received LACP from the switch in time (expired); 2 of 2 slaves carry traffic"},
		"the switch hears nothing": {func(b *bond.Bond) { b.Slaves[1].Partner = state(0xbf) },
			name + "eth1 is not received by the switch (the partner reports active,short_timeout,aggregating,in_sync,collecting,distributing,expired); 2 of 2 slaves carry traffic"},
		"another aggregator": {func(b *bond.Bond) { b.Slaves[1].Aggregator = 2 },
			name + "eth1 is in aggregator 2, the active one is 1: it carries no traffic; 1 of 2 slaves carry traffic"},
		"not taken in": {func(b *bond.Bond) { b.Slaves[1].Partner = state(0x07) },
			name + "eth1 is not added to the bundle by the switch (the partner reports active,short_timeout,aggregating); 2 of 2 slaves carry traffic"},
		"this host churns": {func(b *bond.Bond) { b.Slaves[1].ActorChurn = "churned" },
			name + "eth1 is churning: this host cannot add it to the bundle; 2 of 2 slaves carry traffic"},
		"the switch churns": {func(b *bond.Bond) { b.Slaves[1].PartnerChurn = "churned" },
			name + "eth1 is churning: the switch cannot add it to the bundle; 2 of 2 slaves carry traffic"},
		"a port without link is bond-degraded's": {func(b *bond.Bond) {
			nodetest.Lose(&b.Slaves[1])
			b.Slaves[1].Actor = state(0x47)
			b.Slaves[1].Aggregator = 2
		}, ""},
		"not in another mode": {func(b *bond.Bond) {
			b.Mode = bond.BalanceXOR
			b.Slaves[1].Actor, b.Slaves[1].Aggregator, b.AD.PartnerMAC = state(0x47), 2, "00:00:00:00:00:00"
		}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			b := nodetest.LACPBond(bond.Layer34)
			c.change(&b)
			if got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(b)).Pass(1),
				bondLACP())); ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
		})
	}
}

func TestBondLACPAdvisesAPassiveBond(t *testing.T) {
	b := nodetest.LACPBond(bond.Layer34)
	b.LACPActive, b.AD.PartnerMAC = "off", "00:00:00:00:00:00"
	got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(b)).Pass(1), bondLACP()))
	if all := strings.Join(ruletest.CommandsOf(got.Advice), "\n"); !strings.HasPrefix(all,
		"ip link set dev bond0 type bond lacp_active on\n") {
		t.Errorf("got commands\n%s", all)
	}
}

func TestBondLACPOnOpenVSwitch(t *testing.T) {
	yes, no := true, false
	for what, c := range map[string]struct {
		active  string
		current *bool
		want    string
	}{
		"current":    {"on", &yes, ""},
		"not said":   {"on", nil, ""},
		"without":    {"", &no, ""},
		"not heard":  {"on", &no, "warning/operational bond0: bond0 (balance-tcp, 2x10G): eth1 receives no LACP from the switch (lacp_current false); 1 of 2 slaves carry traffic"},
		"is passive": {"off", &no, "warning/operational bond0: bond0 (balance-tcp, 2x10G): eth1 receives no LACP from the switch (lacp_current false); 1 of 2 slaves carry traffic"},
	} {
		b := nodetest.OVSBond(bond.BalanceTCP)
		b.LACPActive, b.Slaves[1].LACPCurrent, b.Slaves[1].State = c.active, c.current, "BACKUP"
		sc := nodetest.New(bond.Links{})
		sc.See(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Value: []bond.Bond{b}, At: sc.At}})
		got := ruletest.OnlyOne(t, ruletest.Check(sc, bondLACP()))
		if ruletest.Said(got) != c.want {
			t.Errorf("%s: got %q, want %q", what, ruletest.Said(got), c.want)
		}
		if begin := "ovs-vsctl set port bond0 lacp=active"; got != nil &&
			(ruletest.CommandsOf(got.Advice)[0] == begin) != (c.active == "off") {
			t.Errorf("%s: got commands %q", what, ruletest.CommandsOf(got.Advice))
		}
	}
}
