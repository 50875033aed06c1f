package legacy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

const patternID = "layer2-bond-krbd"

// Before the storm on-call reads it in one line.
func TestLayer2BondKrbdSummary(t *testing.T) {
	r := newRig(t, 65)
	for i := range 13 { // further disks of the same guests
		r.addVM("x", "linux")
		g := r.guests[len(r.guests)-1]
		r.guests = r.guests[:len(r.guests)-1]
		r.guests[i].Disks = append(r.guests[i].Disks, g.Disks...)
	}
	const want = "layer2 bond + krbd: bond0 (802.3ad, 2x10G) hashes with layer2 and carries Ceph traffic; " +
		"78 krbd disks of 65 VMs share one kernel client. One NIC can fill and stall all of them."
	f := r.run(10).want(patternID, "bond0", report.Warning, report.Operational)
	if f.Summary != want {
		t.Errorf("summary:\n%s\nwant:\n%s", f.Summary, want)
	}
	for _, fact := range []string{"192.0.2.12 is on bond0.40, which leaves through bond0: 78 krbd disks", "65 VMs: vm101, vm102, vm103 and 62 more", "78 krbd disks without a request timeout"} {
		if !containsFact(f.Evidence, fact) {
			t.Errorf("no evidence %q in %+v", fact, f.Evidence)
		}
	}
}

func containsFact(list []report.Evidence, fact string) bool {
	for _, e := range list {
		if strings.Contains(e.Fact, fact) {
			return true
		}
	}
	return false
}

// Which bonds are the pattern.
func TestLayer2BondKrbdWhich(t *testing.T) {
	yes, no := true, false
	for name, c := range map[string]struct {
		set  func(*rig)
		want bool
	}{
		"layer2":                      {func(*rig) {}, true},
		"vlan+srcmac":                 {func(r *rig) { r.links.Bonds[0].HashPolicy = bond.VLANSrcMAC }, true},
		"layer2 in balance-xor":       {func(r *rig) { r.links.Bonds[0].Mode = bond.BalanceXOR }, true},
		"balance-tlb, static":         {func(r *rig) { r.links.Bonds[0].Mode, r.links.Bonds[0].DynamicLB = bond.BalanceTLB, &no }, true},
		"balance-tlb, dynamic":        {func(r *rig) { r.links.Bonds[0].Mode, r.links.Bonds[0].DynamicLB = bond.BalanceTLB, &yes }, false},
		"layer3+4":                    {func(r *rig) { r.links.Bonds[0].HashPolicy = bond.Layer34 }, false},
		"layer2+3":                    {func(r *rig) { r.links.Bonds[0].HashPolicy = bond.Layer23 }, false},
		"active-backup":               {func(r *rig) { r.links.Bonds[0].Mode = bond.ActiveBackup }, false},
		"balance-alb":                 {func(r *rig) { r.links.Bonds[0].Mode = bond.BalanceALB }, false},
		"balance-rr":                  {func(r *rig) { r.links.Bonds[0].Mode = bond.BalanceRR }, false},
		"one slave":                   {func(r *rig) { r.links.Bonds[0].Slaves = r.links.Bonds[0].Slaves[:1] }, false},
		"no krbd":                     {func(r *rig) { r.mapped, r.disks = nil, nil }, false},
		"krbd's address on no bond":   {func(r *rig) { r.links.Addresses[0].IP = "192.0.2.99" }, false},
		"krbd leaves by another NIC":  {func(r *rig) { r.links.NICs = []bond.NIC{{Name: "eth2", Index: 9}}; r.links.Addresses[0].Index = 9 }, false},
		"Open vSwitch, balance-slb":   {func(r *rig) { openVSwitch(r, bond.BalanceSLB) }, true},
		"Open vSwitch, balance-tcp":   {func(r *rig) { openVSwitch(r, bond.BalanceTCP) }, false},
		"Open vSwitch, active-backup": {func(r *rig) { openVSwitch(r, bond.ActiveBackup) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 3)
			c.set(r)
			r.run(10)
			if c.want {
				r.want(patternID, "bond0", report.Warning, report.Operational)
			} else {
				r.wantNone(patternID, "bond0")
			}
		})
	}
}

// openVSwitch makes the bond one of Open vSwitch, with krbd's address on a port of its bridge.
func openVSwitch(r *rig, mode bond.Mode) {
	b := r.links.Bonds[0]
	b.Kind, b.Mode, b.HashPolicy, b.Index, b.Ports = bond.OVS, mode, "", 0, []string{"storage0"}
	r.ovs, r.links.Bonds = []bond.Bond{b}, nil
	r.links.NICs = []bond.NIC{{Name: "eth0", Index: 2}, {Name: "eth1", Index: 3}}
	r.links.Uppers = []bond.Upper{{Name: "storage0", Index: 5, Kind: "openvswitch", Lowers: []int{2, 3}}}
}

// The second stage needs a full slave and a sign that krbd feels it.
func TestLayer2BondKrbdBuilding(t *testing.T) {
	slow := func(r *rig) { r.each(nil, func(d *rigDisk) { d.latency = 120 }) }
	for name, c := range map[string]struct {
		do   func(*rig) // after a quiet minute
		want bool
	}{
		"one disk of 3 slow": {func(r *rig) { only(r, 3); r.disks[1].latency = 500; r.carry(0, 9.8, 1).run(20) }, false},
		"the only disk slow": {func(r *rig) { only(r, 1); r.disks[0].latency = 500; r.carry(0, 9.8, 1).run(20) }, true},
		"two disks of 9 slow": {func(r *rig) {
			r.addVM("vm9", "linux")
			r.run(60)
			r.disks[3].latency, r.disks[4].latency = 500, 500
			r.carry(0, 9.8, 1).run(20)
		}, false},
		"two of 9 that are not all busy": {func(r *rig) {
			r.addVM("vm9", "linux")
			r.run(60)
			r.disks[3].latency, r.disks[4].latency, r.disks[8].iops = 500, 500, 0
			r.carry(0, 9.8, 1).run(20)
		}, true},
		"full and slow":               {func(r *rig) { slow(r); r.carry(0, 9.8, 1).run(10) }, true},
		"full for 5 s":                {func(r *rig) { slow(r); r.run(20).carry(0, 9.8, 1).run(5) }, true},
		"full for 4 s":                {func(r *rig) { slow(r); r.run(20).carry(0, 9.8, 1).run(4) }, false},
		"at 90 %, sending":            {func(r *rig) { slow(r); r.carry(1, 1, 9.0).run(10) }, true},
		"at 89 %":                     {func(r *rig) { slow(r); r.carry(1, 1, 8.9).run(10) }, false},
		"rx and tx together 90 %":     {func(r *rig) { slow(r); r.carry(1, 5, 5).run(10) }, false},
		"saturation alone":            {func(r *rig) { r.carry(0, 9.8, 1).run(60) }, false},
		"one disk of 8 slow":          {func(r *rig) { r.disks[3].latency = 500; r.carry(0, 9.8, 1).run(20) }, false},
		"two disks of 8 slow":         {func(r *rig) { r.disks[3].latency, r.disks[4].latency = 500, 500; r.carry(0, 9.8, 1).run(20) }, true},
		"slower, but below 50 ms":     {func(r *rig) { r.each(nil, func(d *rigDisk) { d.latency = 40 }); r.carry(0, 9.8, 1).run(20) }, false},
		"always that slow":            {func(r *rig) { slow(r); r.run(900).carry(0, 9.8, 1).run(20) }, false},
		"drops for 5 s":               {func(r *rig) { r.carry(0, 9.8, 1).run(5); r.nics[0].drops = 900; r.run(5) }, true},
		"drops for 4 s":               {func(r *rig) { r.carry(0, 9.8, 1).run(5); r.nics[0].drops = 900; r.run(4) }, false},
		"drops of the other slave":    {func(r *rig) { r.carry(0, 9.8, 1); r.nics[1].drops = 900; r.run(20) }, false},
		"a CRC fault":                 {func(r *rig) { r.carry(0, 9.8, 1).run(10).log(kmsg.CRC, "osd1", 1).run(1) }, true},
		"two lost sessions of an OSD": {func(r *rig) { r.carry(0, 9.8, 1).run(10).log(kmsg.SocketError, "osd1", 2).run(1) }, true},
		"an OSD restarts": {func(r *rig) {
			r.carry(0, 9.8, 1).run(10).log(kmsg.ClosedOpen, "osd1", 2).log(kmsg.OSDDown, "osd1", 2).run(1)
		}, false},
		"one lost session each of two OSDs": {func(r *rig) {
			r.carry(0, 9.8, 1).run(10).log(kmsg.ClosedOpen, "osd1", 1).log(kmsg.ClosedOpen, "osd2", 1).run(1)
		}, false},
		"CRC faults, links calm": {func(r *rig) { r.log(kmsg.CRC, "osd1", 5).run(3) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 8).run(60)
			c.do(r)
			if c.want {
				f := r.want(patternID, "bond0", report.Critical, report.DegradedPerformance)
				if !strings.Contains(f.Summary, "a storm is building") || !strings.HasSuffix(f.Summary, r.shared()) {
					t.Errorf("summary: %s", f.Summary)
				}
			} else {
				r.want(patternID, "bond0", report.Warning, report.Operational)
			}
		})
	}
}

// only leaves so many disks and guests.
func only(r *rig, n int) {
	r.mapped, r.disks, r.guests = r.mapped[:n], r.disks[:n], r.guests[:n]
	r.run(1)
}

// shared is how the summary ends.
func (r *rig) shared() string {
	if len(r.mapped) == 1 {
		return "1 krbd disk of 1 VM depends on it"
	}
	return fmt.Sprintf("%d krbd disks of %d VMs share one kernel client", len(r.mapped), len(r.guests))
}

// The summary says which slave, which way and for how long.
func TestLayer2BondKrbdBuildingSummary(t *testing.T) {
	r := newRig(t, 4).run(60).each(nil, func(d *rigDisk) { d.latency = 120 }).run(5)
	for want, carry := range map[string][2]float64{
		"eth1 of bond0 (802.3ad, 2x10G) is full (rx 9.7 Gbit/s, 97 % of its line rate, for 10 s) and krbd feels it": {9.7, 1},
		"eth1 of bond0 (802.3ad, 2x10G) is full (tx 9.2 Gbit/s, 92 % of its line rate, for 10 s) and krbd feels it": {1, 9.2},
	} {
		r.carry(1, 0, 0).run(3)
		if f := r.carry(1, carry[0], carry[1]).run(10).want(patternID, "bond0", report.Critical, report.DegradedPerformance); !strings.Contains(f.Summary, want) {
			t.Errorf("summary: %s\nwant: %s", f.Summary, want)
		}
	}
}

// The third stage is the storm's condition, for disks behind this bond.
func TestLayer2BondKrbdStorm(t *testing.T) {
	r := newRig(t, 4).run(60).stall().crcLoop(6, 5)
	f := r.want(patternID, "bond0", report.Critical, report.MajorOutage)
	if !strings.Contains(f.Summary, "retry storm behind bond0 (802.3ad, 2x10G), which hashes with layer2: 4 of 4 krbd disks of 4 VMs stalled") {
		t.Errorf("summary: %s", f.Summary)
	}
	r.run(120).want(patternID, "bond0", report.Critical, report.MajorOutage)
	r.flow().run(60).want(patternID, "bond0", report.Warning, report.Operational)

	r = newRig(t, 4)
	r.links.NICs = []bond.NIC{{Name: "eth2", Index: 9}}
	r.links.Addresses = append(r.links.Addresses, bond.Address{IP: "192.0.2.13", Index: 9})
	r.mapped[3].ClientID, r.mapped[3].ClientAddr = 4999, "192.0.2.13"
	r.run(60).stall(3).crcLoop(6, 5).want(stormID, "", report.Critical, report.MajorOutage)
	r.want(patternID, "bond0", report.Warning, report.Operational)
	if f := r.stall(0).crcLoop(6, 4).want(patternID, "bond0", report.Critical, report.MajorOutage); !strings.Contains(f.Summary, "1 of 3 krbd disks of 1 VM stalled") {
		t.Errorf("summary: %s", f.Summary)
	}
}

// The storm's thresholds are set once for both rules.
func TestLayer2BondKrbdSharesTheStormsLimits(t *testing.T) {
	r := newRig(t, 4)
	rules := adapt(storageRules())
	for i := range rules {
		if rules[i].ID == stormID {
			if err := rule.SetLimit(&rules[i], "crc_faults", "40"); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.judge = judge.New(rule.RuleSet{Rules: rules})
	r.run(60).stall().crcLoop(6, 9)
	r.wantNone(stormID, "")
	r.want(patternID, "bond0", report.Warning, report.Operational)
	for range 3 {
		r.log(kmsg.CRC, "osd1", 15).run(1)
	}
	r.want(stormID, "", report.Critical, report.MajorOutage)
	r.want(patternID, "bond0", report.Critical, report.MajorOutage)
}

// A stage whose sources go blind stays; a policy that is seen to change, or a krbd
// that is unmapped, clears it.
func TestLayer2BondKrbdBlind(t *testing.T) {
	r := newRig(t, 4).run(60).carry(0, 9.8, 1).each(nil, func(d *rigDisk) { d.latency = 120 }).run(15)
	r.want(patternID, "bond0", report.Critical, report.DegradedPerformance)
	r.blind(node.Stalled, node.SourceNIC).run(300)
	if f := r.want(patternID, "bond0", report.Critical, report.DegradedPerformance); f.State != report.Blind {
		t.Errorf("NICs unseen: state %q", f.State)
	}
	r.blind("", node.SourceNIC).blind(node.Stalled, node.SourceIO).run(60)
	if f := r.want(patternID, "bond0", report.Critical, report.DegradedPerformance); f.State != report.Blind {
		t.Errorf("disks unseen, NIC full: state %q", f.State)
	}
	r.carry(0, 1, 1).run(60)
	if f := r.want(patternID, "bond0", report.Warning, report.Operational); f.State != report.Seen {
		t.Errorf("disks unseen, NIC calm: state %q", f.State)
	}
	r.blind("", node.SourceIO).blind(node.Stalled, node.SourceBond).run(600)
	if f := r.want(patternID, "bond0", report.Warning, report.Operational); f.State != report.Blind {
		t.Errorf("bonds unseen: state %q", f.State)
	}
	r.blind("", node.SourceBond).blind(node.Denied, node.SourceKmsg)
	r.links.Bonds[0].HashPolicy = bond.Layer34
	r.run(60).wantNone(patternID, "bond0")

	r = newRig(t, 4).run(60).stall().crcLoop(6, 5).blind(node.Failed, node.SourceIO).run(100)
	if f := r.want(patternID, "bond0", report.Critical, report.MajorOutage); f.State != report.Blind {
		t.Errorf("storm, disks unseen: state %q", f.State)
	}
	r.blind("", node.SourceIO).flow().run(60).want(patternID, "bond0", report.Warning, report.Operational)
	r.mapped, r.disks = nil, nil
	r.run(60).wantNone(patternID, "bond0")
}

// The standing risk is a setting: it is raised with the reading that shows it, and
// cleared a minute after.
func TestLayer2BondKrbdRiskIsRaisedAtOnce(t *testing.T) {
	r := newRig(t, 2).run(2)
	r.want(patternID, "bond0", report.Warning, report.Operational)
	r.links.Bonds[0].HashPolicy = bond.Layer34
	r.run(62).wantNone(patternID, "bond0")
	r.links.Bonds[0].HashPolicy = bond.Layer2
	r.run(2).want(patternID, "bond0", report.Warning, report.Operational)
}

// What the standing risk lists, for and against.
func TestLayer2BondKrbdEvidence(t *testing.T) {
	r := newRig(t, 2)
	windows(r)
	r.mapped[0].Options = &rbd.Options{RequestTimeout: 5 * time.Minute}
	r.host.Release, r.host.Version = "6.8.12-4-pve", ""
	r.carry(0, 0.6, 0.1).carry(1, 0.02, 0.5)
	f := r.run(70).want(patternID, "bond0", report.Warning, report.Operational)
	for _, fact := range []string{
		"layer2 hashes MAC addresses only",
		"1 krbd disk without rxbounce, of 1 Windows guest (win1)",
		"2 krbd disks without a request timeout",
		"kernel 6.8.12-4-pve (6.8.12) is possibly affected (distributions backport fixes) by CVE-2026-23136",
		"over the last minute, eth0 rx 600 Mbit/s tx 100 Mbit/s, eth1 rx 20 Mbit/s tx 500 Mbit/s",
	} {
		if !containsFact(f.Evidence, fact) {
			t.Errorf("no evidence %q in %+v", fact, f.Evidence)
		}
	}
	if !containsFact(f.Against, "no slave has been above 6 % of its line rate one way in the last 70 s") {
		t.Errorf("against: %+v", f.Against)
	}
	f = r.carry(0, 4, 4).carry(1, 4.1, 3.9).run(70).want(patternID, "bond0", report.Warning, report.Operational)
	if !containsFact(f.Against, "the slaves share it evenly now") || containsFact(f.Evidence, "over the last minute") {
		t.Errorf("even: %+v", f.Against)
	}
	f = r.carry(0, 4, 6).carry(1, 4.1, 1).run(70).want(patternID, "bond0", report.Warning, report.Operational)
	if containsFact(f.Against, "evenly") || !containsFact(f.Evidence, "over the last minute") || containsFact(f.Against, "no slave has been above") {
		t.Errorf("uneven tx: %+v", f.Against)
	}
}
