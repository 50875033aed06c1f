package legacy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestBondHashLayer2ByModeAndPolicy(t *testing.T) {
	yes, no := true, false
	tlb := func(dynamic *bool) bond.Bond {
		b := plainBond(bond.BalanceTLB, bond.Layer2)
		b.DynamicLB = dynamic
		return b
	}
	single := lacpBond(bond.Layer2)
	single.Slaves = single.Slaves[:1]
	down := lacpBond(bond.Layer2)
	down.Up = false
	for name, c := range map[string]struct {
		bond bond.Bond
		want bool
	}{
		"802.3ad layer2":               {lacpBond(bond.Layer2), true},
		"802.3ad vlan+srcmac":          {lacpBond(bond.VLANSrcMAC), true},
		"802.3ad layer2+3":             {lacpBond(bond.Layer23), false},
		"802.3ad layer3+4":             {lacpBond(bond.Layer34), false},
		"802.3ad encap3+4":             {lacpBond(bond.Encap34), false},
		"802.3ad an unknown policy":    {lacpBond("7"), false},
		"balance-xor layer2":           {plainBond(bond.BalanceXOR, bond.Layer2), true},
		"balance-tlb without dynamics": {tlb(&no), true},
		"balance-tlb with dynamics":    {tlb(&yes), false},
		"balance-tlb, not said":        {tlb(nil), false},
		"balance-alb":                  {plainBond(bond.BalanceALB, bond.Layer2), false},
		"balance-rr":                   {plainBond(bond.BalanceRR, bond.Layer2), false},
		"broadcast":                    {plainBond(bond.Broadcast, bond.Layer2), false},
		"active-backup":                {plainBond(bond.ActiveBackup, bond.Layer2), false},
		"one slave":                    {single, false},
		"down":                         {down, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := onlyOne(t, newScene(over(c.bond)).pass(1).check(bondHashLayer2()))
			if (got != nil) != c.want {
				t.Fatalf("got %q, want a finding: %v", said(got), c.want)
			}
			if got != nil && (got.Severity != report.Info || got.Impact != report.Operational || got.Subject != "bond0") {
				t.Errorf("got %q, want info about bond0", said(got))
			}
		})
	}
}

func TestBondHashLayer2ByWhatItCarries(t *testing.T) {
	other := over(lacpBond(bond.Layer2))
	other.NICs = []bond.NIC{{Name: "eth9", Index: 9, Up: true, Speed: 10000}}
	other.Addresses = append(other.Addresses, bond.Address{IP: "198.51.100.2", Bits: 24, Index: 9})
	const bare = "bond0 (802.3ad, 2x10G) does not spread what this host sends: layer2 hashes MAC addresses only: all traffic to one server, or through one router, shares a slave"
	for name, c := range map[string]struct {
		disks int
		addr  string
		want  string
		fact  string // of the evidence for or against
	}{
		"no krbd":                      {0, "", "info/operational bond0: " + bare, "no krbd disk is mapped"},
		"krbd on this bond":            {3, "192.0.2.2", "", ""},
		"krbd on another NIC":          {3, "198.51.100.2", "info/operational bond0: " + bare, "none of the 3 krbd disks of this node is behind it: their traffic leaves through eth9"},
		"krbd, its link unknown":       {3, "203.0.113.9", "warning/operational bond0: " + bare + "; it may carry the traffic of 3 krbd disks, which cannot be told", "the link that carries the traffic of 3 krbd disks cannot be told"},
		"krbd, no address (old sysfs)": {1, "", "warning/operational bond0: " + bare + "; it may carry the traffic of 1 krbd disk, which cannot be told", "cannot be told"},
	} {
		t.Run(name, func(t *testing.T) {
			got := onlyOne(t, newScene(other).mapped(c.disks, c.addr).pass(1).check(bondHashLayer2()))
			if said(got) != c.want {
				t.Fatalf("got  %q\nwant %q", said(got), c.want)
			}
			if got == nil {
				return
			}
			if all := strings.Join(append(factsOf(got.Evidence), factsOf(got.Against)...), "\n"); !strings.Contains(all, c.fact) {
				t.Errorf("no fact %q in\n%s", c.fact, all)
			}
			if want := []string{"cat /proc/net/bonding/bond0", "ip link set dev bond0 type bond xmit_hash_policy layer3+4"}; !slices.Equal(commandsOf(got.Advice), want) {
				t.Errorf("got commands %q, want %q", commandsOf(got.Advice), want)
			}
		})
	}
}

func TestBondHashLayer2OnOpenVSwitch(t *testing.T) {
	for mode, want := range map[bond.Mode]bool{bond.BalanceSLB: true, bond.BalanceTCP: false, bond.ActiveBackup: false} {
		sc := newScene(bond.Links{})
		sc.see(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Value: []bond.Bond{ovsBond(mode)}, At: sc.at}})
		got := onlyOne(t, sc.check(bondHashLayer2()))
		if (got != nil) != want {
			t.Errorf("%s: got %q, want a finding: %v", mode, said(got), want)
		}
	}
}

func TestBondHashLayer2StaysWhileOpenVSwitchIsBlind(t *testing.T) {
	sc := newScene(bond.Links{})
	sc.see(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Value: []bond.Bond{ovsBond(bond.BalanceSLB)}, At: sc.at}})
	raised := onlyOne(t, sc.check(bondHashLayer2()))
	sc.blind(node.SourceOVS)
	if got := sc.check(bondHashLayer2()); len(got) != 0 {
		t.Errorf("got %q from a reading that is not one, want nothing", said(&got[0]))
	}
	got := onlyOne(t, sc.check(bondHashLayer2(), *raised))
	if got == nil || got.State != report.Blind {
		t.Errorf("got %+v, want the raised finding marked blind", got)
	}
}

func TestBondHashLayer2OutlivesAFlap(t *testing.T) {
	sc := newScene(over(lacpBond(bond.Layer2)))
	raised := onlyOne(t, sc.check(bondHashLayer2()))
	sc.links.Bonds[0].Up = false
	sc.seeLinks()
	if got := onlyOne(t, sc.check(bondHashLayer2(), *raised)); got == nil {
		t.Error("a link that flaps has changed no policy, yet the finding is gone")
	}
	sc.links.Bonds[0].HashPolicy = bond.Layer34
	sc.seeLinks()
	if got := onlyOne(t, sc.check(bondHashLayer2(), *raised)); got != nil {
		t.Errorf("got %q after the policy was changed, want nothing", said(got))
	}
}

func TestBondHashLayer2HoldAllowsForSettingUp(t *testing.T) {
	if r := bondHashLayer2(); r.Hold < 5*time.Second || r.Keep != 0 {
		t.Errorf("got hold %s keep %s: a bond begins as layer2, and a changed policy must clear at once", r.Hold, r.Keep)
	}
}
