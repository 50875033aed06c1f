package network

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestBondHashLayer2ByModeAndPolicy(t *testing.T) {
	yes, no := true, false
	tlb := func(dynamic *bool) bond.Bond {
		b := nodetest.PlainBond(bond.BalanceTLB, bond.Layer2)
		b.DynamicLB = dynamic
		return b
	}
	single := nodetest.LACPBond(bond.Layer2)
	single.Slaves = single.Slaves[:1]
	down := nodetest.LACPBond(bond.Layer2)
	down.Up = false
	for name, c := range map[string]struct {
		bond bond.Bond
		want bool
	}{
		"802.3ad layer2":               {nodetest.LACPBond(bond.Layer2), true},
		"802.3ad vlan+srcmac":          {nodetest.LACPBond(bond.VLANSrcMAC), true},
		"802.3ad layer2+3":             {nodetest.LACPBond(bond.Layer23), false},
		"802.3ad layer3+4":             {nodetest.LACPBond(bond.Layer34), false},
		"802.3ad encap3+4":             {nodetest.LACPBond(bond.Encap34), false},
		"802.3ad an unknown policy":    {nodetest.LACPBond("7"), false},
		"balance-xor layer2":           {nodetest.PlainBond(bond.BalanceXOR, bond.Layer2), true},
		"balance-tlb without dynamics": {tlb(&no), true},
		"balance-tlb with dynamics":    {tlb(&yes), false},
		"balance-tlb, not said":        {tlb(nil), false},
		"balance-alb":                  {nodetest.PlainBond(bond.BalanceALB, bond.Layer2), false},
		"balance-rr":                   {nodetest.PlainBond(bond.BalanceRR, bond.Layer2), false},
		"broadcast":                    {nodetest.PlainBond(bond.Broadcast, bond.Layer2), false},
		"active-backup":                {nodetest.PlainBond(bond.ActiveBackup, bond.Layer2), false},
		"one slave":                    {single, false},
		"down":                         {down, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(nodetest.Over(c.bond)).Pass(1), bondHashLayer2()))
			if (got != nil) != c.want {
				t.Fatalf("got %q, want a finding: %v", ruletest.Said(got), c.want)
			}
			if got != nil && (got.Severity != report.Info || got.Impact != "" || got.Subject != "bond0") {
				t.Errorf("got %q, want info about bond0", ruletest.Said(got))
			}
		})
	}
}

func TestBondHashLayer2ByWhatItCarries(t *testing.T) {
	other := nodetest.Over(nodetest.LACPBond(bond.Layer2))
	other.NICs = []bond.NIC{{Name: "eth9", Index: 9, Up: true, Speed: 10000}}
	other.Addresses = append(other.Addresses, bond.Address{IP: "198.51.100.2", Bits: 24, Index: 9})
	const bare = "bond0 (802.3ad, 2x10G) does not distribute what this host sends: layer2 hashes MAC addresses"
	for name, c := range map[string]struct {
		disks int
		addr  string
		want  string
		fact  string // text of the evidence for or against
	}{
		"no krbd":           {0, "", "info/operational bond0: " + bare, "no krbd disk is mapped"},
		"krbd on this bond": {3, "192.0.2.2", "", ""},
		"krbd on another NIC": {3, "198.51.100.2", "info/operational bond0: " + bare,
			"none of the 3 krbd disks of this node uses it: their traffic leaves through eth9"},
		"krbd, its link unknown": {3, "203.0.113.9", "warning/operational bond0: " + bare +
			"; it may carry the traffic of 3 krbd disks", "the link that carries the traffic of 3 krbd disks is not known"},
		"krbd, no address (old sysfs)": {1, "", "warning/operational bond0: " + bare + "; it may carry the traffic of 1 krbd disk",
			"is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ruletest.OnlyOne(t, ruletest.Check(nodetest.New(other).MapDisks(c.disks, c.addr).Pass(1), bondHashLayer2()))
			if ruletest.Said(got) != c.want {
				t.Fatalf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
			if got == nil {
				return
			}
			if all := strings.Join(append(ruletest.FactsOf(got.Evidence), ruletest.FactsOf(got.Against)...),
				"\n"); !strings.Contains(all, c.fact) {
				t.Errorf("no fact %q in\n%s", c.fact, all)
			}
			if want := []string{"cat /proc/net/bonding/bond0",
				"ip link set dev bond0 type bond xmit_hash_policy layer3+4"}; !slices.Equal(ruletest.CommandsOf(got.Advice), want) {
				t.Errorf("got commands %q, want %q", ruletest.CommandsOf(got.Advice), want)
			}
		})
	}
}

func TestBondHashLayer2OnOpenVSwitch(t *testing.T) {
	for mode, want := range map[bond.Mode]bool{bond.BalanceSLB: true, bond.BalanceTCP: false, bond.ActiveBackup: false} {
		sc := nodetest.New(bond.Links{})
		sc.See(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Value: []bond.Bond{nodetest.OVSBond(mode)}, At: sc.At}})
		got := ruletest.OnlyOne(t, ruletest.Check(sc, bondHashLayer2()))
		if (got != nil) != want {
			t.Errorf("%s: got %q, want a finding: %v", mode, ruletest.Said(got), want)
		}
	}
}

func TestBondHashLayer2OutlivesAFlap(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2)))
	raised := ruletest.OnlyOne(t, ruletest.Check(sc, bondHashLayer2()))
	sc.Links.Bonds[0].Up = false
	sc.SeeLinks()
	if got := ruletest.OnlyOne(t, ruletest.Check(sc, bondHashLayer2(),
		rule.Raised{Finding: report.Finding{Subject: raised.Subject}})); got == nil {
		t.Error("a link that flaps has changed no policy, yet the finding is gone")
	}
	sc.Links.Bonds[0].HashPolicy = bond.Layer34
	sc.SeeLinks()
	if got := ruletest.OnlyOne(t, ruletest.Check(sc, bondHashLayer2(),
		rule.Raised{Finding: report.Finding{Subject: raised.Subject}})); got != nil {
		t.Errorf("got %q after the policy was changed, want nothing", ruletest.Said(got))
	}
}

func TestBondHashLayer2AllowsForSettingUp(t *testing.T) {
	if r := bondHashLayer2(); r.For.Info < 5*time.Second || r.KeepFiringFor.Info != time.Minute {
		t.Errorf("for %s, keep firing for %s: a bond begins as layer2, and an ifreload takes it away for seconds", r.For.Info,
			r.KeepFiringFor.Info)
	}
}
