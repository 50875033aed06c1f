package all_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// sceneStart is when every scene begins: on a full ten seconds.
var sceneStart = time.Date(2026, time.March, 1, 2, 0, 0, 0, time.UTC)

// A scene is a node in a test: what its links are, and what its NICs carry each
// second. Everything reaches the Snapshot as observations.
type scene struct {
	s       node.Snapshot
	at      time.Time
	links   bond.Links
	traffic map[string]*nicLoad
	tape    []node.Entry // all that was seen, and each second's tick
}

// A nicLoad is what a NIC carries each second.
type nicLoad struct {
	rx, tx   float64 // bit/s
	missed   float64 // frames a second, by the kernel's counters
	driver   float64 // frames a second, by the driver's
	packets  float64 // frames a second received
	counters bond.Counters
	dropped  uint64
}

func newScene(links bond.Links) *scene {
	sc := &scene{at: sceneStart, links: links, traffic: map[string]*nicLoad{}}
	var sources []node.Source
	for _, name := range []string{node.SourceBond, node.SourceNIC, node.SourceDrops, node.SourceOVS, node.SourceKrbd, node.SourceLibvirt, node.SourceHost, node.SourceKmsg} {
		sources = append(sources, node.Source{Name: name})
	}
	sc.see(node.Started{Node: "node2", Version: "test", Sources: sources})
	sc.see(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Err: &node.Error{Kind: node.Absent, Text: "no such socket", Since: sc.at}}})
	sc.see(node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{At: sc.at}})
	sc.seeLinks()
	for _, b := range links.Bonds {
		for _, s := range b.Slaves {
			sc.nic(s.Name, s.Index, s.Speed)
		}
	}
	for _, n := range links.NICs {
		sc.nic(n.Name, n.Index, n.Speed)
	}
	return sc
}

func (sc *scene) nic(name string, index, speed int) {
	sc.traffic[name] = &nicLoad{counters: bond.Counters{Name: name, Index: index, Speed: speed}}
}

// see folds one observation in.
func (sc *scene) see(o node.Observation) {
	sc.take(node.Entry{At: sc.at, Saw: node.Name(o), Obs: o})
}

func (sc *scene) take(e node.Entry) {
	sc.tape = append(sc.tape, e)
	sc.s = sc.s.Take(e)
}

// seeLinks has the links read as they are now.
func (sc *scene) seeLinks() {
	l := sc.links
	l.Bonds = slices.Clone(l.Bonds)
	for i := range l.Bonds {
		l.Bonds[i].Slaves = slices.Clone(l.Bonds[i].Slaves)
	}
	sc.see(node.SawLinks{Reading: node.Reading[bond.Links]{Value: l, At: sc.at}})
}

// blind makes a source of the network fail.
func (sc *scene) blind(name string) {
	e := &node.Error{Kind: node.Stalled, Text: "a read has not come back", Since: sc.at}
	switch name {
	case node.SourceBond:
		sc.see(node.SawLinks{Reading: node.Reading[bond.Links]{Err: e}})
	case node.SourceNIC:
		sc.see(node.SawCounters{Reading: node.Reading[[]bond.Counters]{Err: e}})
	case node.SourceOVS:
		sc.see(node.SawOVS{Reading: node.Reading[[]bond.Bond]{Err: e}})
	case node.SourceLibvirt:
		sc.see(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{Err: e}})
	case node.SourceHost:
		sc.see(node.SawHost{Reading: node.Reading[host.State]{Err: e}})
	}
}

// carry sets what a NIC carries, in Gbit/s.
func (sc *scene) carry(nic string, rx, tx float64) *scene {
	l := sc.traffic[nic]
	l.rx, l.tx, l.packets = rx*1e9, tx*1e9, rx*1e9/8/1448
	return sc
}

// pass lets seconds pass: counters rise and are read each second, the driver's
// every ten.
func (sc *scene) pass(seconds int) *scene {
	for range seconds {
		sc.at = sc.at.Add(time.Second)
		var list []bond.Counters
		var drops []bond.Drops
		for _, name := range slices.Sorted(maps.Keys(sc.traffic)) {
			l := sc.traffic[name]
			l.counters.RxBytes += uint64(l.rx / 8)
			l.counters.TxBytes += uint64(l.tx / 8)
			l.counters.RxPackets += uint64(l.packets)
			l.counters.RxMissed += uint64(l.missed)
			l.dropped += uint64(l.driver)
			list = append(list, l.counters)
			drops = append(drops, bond.Drops{Name: name, Index: l.counters.Index, Driver: "ixgbe", Counts: map[string]uint64{
				"rx_no_dma_resources": l.dropped, "rx_missed_errors": l.dropped / 2, "rx_flow_control_xoff": 1000 * l.dropped,
			}})
		}
		sc.see(node.SawCounters{Reading: node.Reading[[]bond.Counters]{Value: list, At: sc.at}})
		if sc.at.Second()%10 == 0 {
			sc.see(node.SawDrops{Reading: node.Reading[[]bond.Drops]{Value: drops, At: sc.at}})
		}
		sc.take(node.Entry{At: sc.at.Add(900 * time.Millisecond)})
	}
	return sc
}

// mapped has krbd devices read, all of one client with the address given.
func (sc *scene) mapped(n int, addr string) *scene {
	var list []rbd.Mapped
	for i := range n {
		list = append(list, rbd.Mapped{ID: i, Device: "rbd" + string(rune('0'+i)), Pool: "rbd", Image: "vm10" + string(rune('0'+i)), ClientID: 4151, ClientAddr: addr, FSID: "f"})
	}
	sc.see(node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{Value: list, At: sc.at}})
	return sc
}

// logged has lines of the kernel counted.
func (sc *scene) logged(c ...kmsg.Count) {
	for i := range c {
		c[i].First, c[i].Last = sc.at, sc.at
	}
	sc.see(node.SawKernel{Reading: node.Reading[kmsg.Batch]{Value: kmsg.Batch{Counts: c, Records: uint64(len(c))}, At: sc.at}})
}

// lacpBond is bond0: two 10G slaves in 802.3ad, as a healthy switch makes it.
func lacpBond(policy bond.HashPolicy) bond.Bond {
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

// plainBond is bond0 in a mode without LACP.
func plainBond(mode bond.Mode, policy bond.HashPolicy) bond.Bond {
	b := lacpBond(policy)
	b.Mode, b.AD, b.LACPRate, b.LACPActive = mode, nil, "", ""
	for i := range b.Slaves {
		b.Slaves[i].Aggregator, b.Slaves[i].Actor, b.Slaves[i].Partner, b.Slaves[i].ActorChurn, b.Slaves[i].PartnerChurn = 0, nil, nil, "", ""
	}
	return b
}

// over is the links with bonds, the first of which holds 192.0.2.2 on a VLAN.
func over(bonds ...bond.Bond) bond.Links {
	l := bond.Links{Bonds: bonds}
	if len(bonds) > 0 && bonds[0].Index > 0 {
		l.Uppers = []bond.Upper{{Name: "bond0.20", Index: 20, Kind: "vlan", VLAN: 20, Lowers: []int{bonds[0].Index}}}
		l.Addresses = []bond.Address{{IP: "192.0.2.2", Bits: 24, Index: 20}}
	}
	return l
}

// lose takes the link of a slave away as the kernel shows it.
func lose(s *bond.Slave) {
	s.Carrier, s.MIIStatus, s.Speed, s.Duplex, s.State = false, "DOWN", 0, "", "BACKUP"
}

func (sc *scene) guestsSeen(guests ...rbd.Guest) *scene {
	sc.see(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{Value: rbd.Guests{Guests: guests}, At: sc.at}})
	return sc
}

// vms are guests that run, the first of them paused for the reason.
func vms(n, paused int, reason string) []rbd.Guest {
	var list []rbd.Guest
	for i := range n {
		g := rbd.Guest{Name: fmt.Sprintf("vm%d", 101+i), ID: fmt.Sprint(i), Kind: "vm", State: "running"}
		if i < paused {
			g.State, g.Reason = "paused", reason
		}
		list = append(list, g)
	}
	return list
}

func state(s bond.PortState) *bond.PortState { return &s }

func (sc *scene) hostSeen(h host.State) *scene {
	if h.CPUs == 0 {
		h.CPUs = 64
	}
	sc.see(node.SawHost{Reading: node.Reading[host.State]{Value: h, At: sc.at}})
	return sc
}
