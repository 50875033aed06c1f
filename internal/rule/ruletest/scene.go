// Package ruletest builds small nodes for the tests of rules: what a test says of
// links, traffic and lines reaches the rule as observations.
package ruletest

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Start is when every Scene begins: on a full ten seconds.
var Start = time.Date(2026, time.March, 1, 2, 0, 0, 0, time.UTC)

// A Scene is a node in a test: what its links are, and what its NICs carry each
// second. Everything reaches the Snapshot as observations.
type Scene struct {
	Snapshot node.Snapshot
	At       time.Time
	Links    bond.Links
	Traffic  map[string]*Load // by NIC
	Tape     []node.Entry     // all that has been folded in
}

// A Load is what a NIC carries each second.
type Load struct {
	Rx, Tx   float64 // bit/s
	Missed   float64 // frames a second, by the kernel's counters
	CRC      float64 // frames a second
	Driver   float64 // frames a second, by the driver's counters
	packets  float64 // frames a second received
	Counters bond.Counters
	dropped  uint64
}

// NewScene returns a node with the given links and no traffic.
func NewScene(links bond.Links) *Scene {
	sc := &Scene{At: Start, Links: links, Traffic: map[string]*Load{}}
	var sources []node.Source
	for _, name := range []string{node.SourceIO, node.SourceBond, node.SourceNIC, node.SourceDrops, node.SourceOVS, node.SourceKrbd, node.SourceLibvirt, node.SourceHost, node.SourceKmsg} {
		sources = append(sources, node.Source{Name: name})
	}
	sc.See(node.Started{Node: "node2", Version: "test", Sources: sources})
	sc.See(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Err: &node.Error{Kind: node.Absent, Text: "no such socket", Since: sc.At}}})
	sc.See(node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{At: sc.At}})
	sc.SeeLinks()
	for _, b := range links.Bonds {
		for _, s := range b.Slaves {
			sc.AddNIC(s.Name, s.Index, s.Speed)
		}
	}
	for _, n := range links.NICs {
		sc.AddNIC(n.Name, n.Index, n.Speed)
	}
	return sc
}

// AddNIC has a NIC watched.
func (sc *Scene) AddNIC(name string, index, speed int) {
	sc.Traffic[name] = &Load{Counters: bond.Counters{Name: name, Index: index, Speed: speed}}
}

// See folds one observation in.
func (sc *Scene) See(o node.Observation) {
	sc.Add(node.Entry{At: sc.At, Saw: node.Name(o), Obs: o})
}

// Add folds one entry in.
func (sc *Scene) Add(e node.Entry) {
	sc.Tape = append(sc.Tape, e)
	sc.Snapshot = sc.Snapshot.Take(e)
}

// SeeLinks has the links read as they are now.
func (sc *Scene) SeeLinks() {
	l := sc.Links
	l.Bonds = slices.Clone(l.Bonds)
	for i := range l.Bonds {
		l.Bonds[i].Slaves = slices.Clone(l.Bonds[i].Slaves)
	}
	sc.See(node.SawLinks{Reading: node.Reading[bond.Links]{Value: l, At: sc.At}})
}

// Blind makes a source of the network fail.
func (sc *Scene) Blind(name string) {
	e := &node.Error{Kind: node.Stalled, Text: "a read has not come back", Since: sc.At}
	switch name {
	case node.SourceBond:
		sc.See(node.SawLinks{Reading: node.Reading[bond.Links]{Err: e}})
	case node.SourceNIC:
		sc.See(node.SawCounters{Reading: node.Reading[[]bond.Counters]{Err: e}})
	case node.SourceOVS:
		sc.See(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Err: e}})
	case node.SourceLibvirt:
		sc.See(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{Err: e}})
	case node.SourceHost:
		sc.See(node.SawHost{Reading: node.Reading[host.State]{Err: e}})
	}
}

// Carry sets what a NIC carries, in Gbit/s.
func (sc *Scene) Carry(nic string, rx, tx float64) *Scene {
	l := sc.Traffic[nic]
	l.Rx, l.Tx, l.packets = rx*1e9, tx*1e9, rx*1e9/8/1448
	return sc
}

// Pass lets seconds pass: counters rise and are read each second, the driver's
// every ten.
func (sc *Scene) Pass(seconds int) *Scene {
	for range seconds {
		sc.At = sc.At.Add(time.Second)
		var list []bond.Counters
		var drops []bond.Drops
		for _, name := range slices.Sorted(maps.Keys(sc.Traffic)) {
			l := sc.Traffic[name]
			l.Counters.RxBytes += uint64(l.Rx / 8)
			l.Counters.TxBytes += uint64(l.Tx / 8)
			l.Counters.RxPackets += uint64(l.packets)
			l.Counters.RxMissed += uint64(l.Missed)
			l.Counters.RxCRC += uint64(l.CRC)
			l.dropped += uint64(l.Driver)
			list = append(list, l.Counters)
			drops = append(drops, bond.Drops{Name: name, Index: l.Counters.Index, Driver: "ixgbe", Counts: map[string]uint64{
				"rx_no_dma_resources": l.dropped, "rx_missed_errors": l.dropped / 2, "rx_flow_control_xoff": 1000 * l.dropped,
			}})
		}
		sc.See(node.SawCounters{Reading: node.Reading[[]bond.Counters]{Value: list, At: sc.At}})
		if sc.At.Second()%10 == 0 {
			sc.See(node.SawDrops{Reading: node.Reading[[]bond.Drops]{Value: drops, At: sc.At}})
		}
		sc.Add(node.Entry{At: sc.At.Add(900 * time.Millisecond)})
	}
	return sc
}

// MapDisks has krbd devices read, all of one client with the address given.
func (sc *Scene) MapDisks(n int, addr string) *Scene {
	var list []rbd.Mapped
	for i := range n {
		list = append(list, rbd.Mapped{ID: i, Device: "rbd" + string(rune('0'+i)), Pool: "rbd", Image: "vm10" + string(rune('0'+i)), ClientID: 4151, ClientAddr: addr, FSID: "f"})
	}
	sc.See(node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{Value: list, At: sc.At}})
	return sc
}

// Log has lines of the kernel counted.
func (sc *Scene) Log(c ...kmsg.Count) {
	for i := range c {
		c[i].First, c[i].Last = sc.At, sc.At
	}
	sc.See(node.SawKernel{Reading: node.Reading[kmsg.Batch]{Value: kmsg.Batch{Counts: c, Records: uint64(len(c))}, At: sc.At}})
}

// Check runs a rule on the Scene as it is, once. raised are its findings that are
// raised already.
func (sc *Scene) Check(r rule.Rule, raised ...rule.Raised) []rule.Result {
	return r.Check(rule.Input{Facts: facts.New(sc.Snapshot, facts.Baselines{}), Raised: raised})
}

// OnlyOne returns the only result; nil for none.
func OnlyOne(t *testing.T, list []rule.Result) *rule.Result {
	t.Helper()
	switch len(list) {
	case 0:
		return nil
	case 1:
		return &list[0]
	}
	t.Fatalf("got %d results, want one at most: %+v", len(list), list)
	return nil
}

// Said is how a result looks in a test's table: severity, least impact, subject and
// summary; empty for none.
func Said(f *rule.Result) string {
	if f == nil {
		return ""
	}
	s := string(f.Severity) + "/" + string(cmp.Or(f.Impact, report.Operational))
	if f.Subject != "" {
		s += " " + f.Subject
	}
	return s + ": " + f.Summary
}

// FactsOf are those of a list of evidence.
func FactsOf(list []report.Evidence) []string {
	var all []string
	for _, e := range list {
		all = append(all, e.Fact)
	}
	return all
}

// CommandsOf are those of a list of advice.
func CommandsOf(list []report.Advice) []string {
	var all []string
	for _, a := range list {
		if a.Command != "" {
			all = append(all, a.Command)
		}
	}
	return all
}

// LACPBond is bond0: two 10G slaves in 802.3ad, as a healthy switch makes it.
func LACPBond(policy bond.HashPolicy) bond.Bond {
	healthy := bond.PortActive | bond.PortShortTimeout | bond.PortAggregating | bond.PortInSync | bond.PortCollecting | bond.PortDistributing
	b := bond.Bond{
		Name: "bond0", Index: 10, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: policy, Up: true, MTU: 1500, Miimon: 100, LACPRate: "fast", LACPActive: "on",
		AD: &bond.AD{Aggregator: 1, Ports: 2, ActorKey: 15, PartnerKey: 7, PartnerMAC: "02:00:5e:00:53:01"}, Ordered: true,
	}
	for i, name := range []string{"eth0", "eth1"} {
		b.Slaves = append(b.Slaves, bond.Slave{
			Name: name, Index: 2 + i, State: "ACTIVE", MIIStatus: "UP", Carrier: true, Aggregator: 1, Actor: &healthy, Partner: &healthy,
			ActorChurn: "none", PartnerChurn: "none", Speed: 10000, Duplex: "full", MTU: 1500, Driver: "ixgbe",
		})
	}
	return b
}

// PlainBond is bond0 in a mode without LACP.
func PlainBond(mode bond.Mode, policy bond.HashPolicy) bond.Bond {
	b := LACPBond(policy)
	b.Mode, b.AD, b.LACPRate, b.LACPActive = mode, nil, "", ""
	for i := range b.Slaves {
		b.Slaves[i].Aggregator, b.Slaves[i].Actor, b.Slaves[i].Partner, b.Slaves[i].ActorChurn, b.Slaves[i].PartnerChurn = 0, nil, nil, "", ""
	}
	return b
}

// OVSBond is an Open vSwitch bond of two slaves.
func OVSBond(mode bond.Mode) bond.Bond {
	b := PlainBond(mode, "")
	b.Kind, b.Index, b.Miimon, b.Ports = bond.OVS, 0, -1, []string{"storage0"}
	return b
}

// Over is the links with bonds, the first of which holds 192.0.2.2 on a VLAN.
func Over(bonds ...bond.Bond) bond.Links {
	l := bond.Links{Bonds: bonds}
	if len(bonds) > 0 && bonds[0].Index > 0 {
		l.Uppers = []bond.Upper{{Name: "bond0.20", Index: 20, Kind: "vlan", VLAN: 20, Lowers: []int{bonds[0].Index}}}
		l.Addresses = []bond.Address{{IP: "192.0.2.2", Bits: 24, Index: 20}}
	}
	return l
}

// Lose takes the link of a slave away as the kernel shows it.
func Lose(s *bond.Slave) {
	s.Carrier, s.MIIStatus, s.Speed, s.Duplex, s.State = false, "DOWN", 0, "", "BACKUP"
}

// SeeHost has the host read; it has 64 CPUs unless h says otherwise.
func (sc *Scene) SeeHost(h host.State) *Scene {
	if h.CPUs == 0 {
		h.CPUs = 64
	}
	sc.See(node.SawHost{Reading: node.Reading[host.State]{Value: h, At: sc.At}})
	return sc
}

// SeeGuests has the guests read, by libvirt.
func (sc *Scene) SeeGuests(guests ...rbd.Guest) *Scene {
	sc.See(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{Value: rbd.Guests{Guests: guests}, At: sc.At}})
	return sc
}
