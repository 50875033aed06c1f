// Package nodetest simulates a node for tests: the links, traffic, disks and log lines
// that a test sets reach the Snapshot as observations, as in the daemon.
package nodetest

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

// Start is the start time of every Node: a multiple of ten seconds.
var Start = time.Date(2026, time.March, 1, 2, 0, 0, 0, time.UTC)

// A Node is a simulated node.
type Node struct {
	Snapshot node.Snapshot
	At       time.Time
	Tape     []node.Entry     // every observation and each tick
	Links    bond.Links       // the links that SeeLinks reads
	Traffic  map[string]*Load // by NIC

	io    *IO
	disks []rbd.IO
}

// A Load is the traffic of a NIC in each second.
type Load struct {
	Rx, Tx   float64 // bit/s
	Missed   float64 // frames per second, by the kernel's counters
	CRC      float64 // frames per second
	Driver   float64 // frames per second, by the driver's counters
	Counters bond.Counters
	packets  float64 // frames per second received
	dropped  uint64
}

// An IO is the I/O of a disk in each second.
type IO struct {
	Done     uint64 // reads that complete
	Ms       uint64 // duration of each read
	InFlight uint64
}

// New returns a node with the given links, no traffic, no disks and no Open vSwitch.
func New(links bond.Links) *Node {
	n := begin(Start, "test", 0, node.SourceIO, node.SourceBond, node.SourceNIC, node.SourceDrops, node.SourceOVS, node.SourceKrbd,
		node.SourceLibvirt, node.SourceHost, node.SourceKmsg)
	n.Links = links
	n.See(node.SawOVS{Reading: Failed[[]bond.Bond](n.At, node.Absent, "no such socket", "")})
	n.See(node.SawMapped{Reading: Reading[[]rbd.Mapped](n.At, 0, nil)})
	n.SeeLinks()
	for _, b := range links.Bonds {
		for _, s := range b.Slaves {
			n.AddNIC(s.Name, s.Index, s.Speed)
		}
	}
	for _, nic := range links.NICs {
		n.AddNIC(nic.Name, nic.Index, nic.Speed)
	}
	return n
}

// begin returns a node that has just started, with the given sources; every is their
// promised interval, 0 for no promise.
func begin(at time.Time, version string, every time.Duration, sources ...string) *Node {
	n := &Node{At: at, Traffic: map[string]*Load{}}
	started := node.Started{Node: "node2", Version: version}
	for _, name := range sources {
		started.Sources = append(started.Sources, node.Source{Name: name, Every: every})
	}
	n.See(started)
	return n
}

// Reading returns a successful reading.
func Reading[T any](at time.Time, every time.Duration, value T) node.Reading[T] {
	return node.Reading[T]{Value: value, At: at, Every: every}
}

// Failed returns a failed reading; remedy describes how to fix it, if known.
func Failed[T any](at time.Time, kind node.ErrorKind, text, remedy string) node.Reading[T] {
	return node.Reading[T]{At: at, Err: &node.Error{Kind: kind, Text: text, Remedy: remedy, Since: at}}
}

// AddNIC adds a NIC whose counters are read.
func (n *Node) AddNIC(name string, index, speed int) {
	n.Traffic[name] = &Load{Counters: bond.Counters{Name: name, Index: index, Speed: speed}}
}

// See applies one observation.
func (n *Node) See(o node.Observation) {
	n.Add(node.Entry{At: n.At, Saw: node.Name(o), Obs: o})
}

// Add applies one entry.
func (n *Node) Add(e node.Entry) {
	n.Tape = append(n.Tape, e)
	n.Snapshot = n.Snapshot.Take(e)
}

// SeeLinks reads the current links.
func (n *Node) SeeLinks() {
	l := n.Links
	l.Bonds = slices.Clone(l.Bonds)
	for i := range l.Bonds {
		l.Bonds[i].Slaves = slices.Clone(l.Bonds[i].Slaves)
	}
	n.See(node.SawLinks{Reading: Reading(n.At, 0, l)})
}

// Blind makes a source fail in the same way as a stalled one.
func (n *Node) Blind(source string) {
	const text = "a read has not come back"
	switch source {
	case node.SourceBond:
		n.See(node.SawLinks{Reading: Failed[bond.Links](n.At, node.Stalled, text, "")})
	case node.SourceNIC:
		n.See(node.SawCounters{Reading: Failed[[]bond.Counters](n.At, node.Stalled, text, "")})
	case node.SourceOVS:
		n.See(node.SawOVS{Reading: Failed[[]bond.Bond](n.At, node.Stalled, text, "")})
	case node.SourceLibvirt:
		n.See(node.SawLibvirt{Reading: Failed[rbd.Guests](n.At, node.Stalled, text, "")})
	case node.SourceHost:
		n.See(node.SawHost{Reading: Failed[host.State](n.At, node.Stalled, text, "")})
	default:
		panic("nodetest: Blind does not know the source " + source)
	}
}

// Carry sets the traffic of a NIC, in Gbit/s.
func (n *Node) Carry(nic string, rx, tx float64) *Node {
	l := n.Traffic[nic]
	l.Rx, l.Tx, l.packets = rx*1e9, tx*1e9, rx*1e9/8/1448
	return n
}

// Do sets the I/O of each mapped disk. Before the first Do their I/O is not read.
func (n *Node) Do(io IO) *Node {
	n.io = &io
	return n
}

// Pass advances the time by seconds: counters and I/O rise and are read each second,
// the drivers' counters every ten, and each second ends with a tick.
func (n *Node) Pass(seconds int) *Node {
	for range seconds {
		n.At = n.At.Add(time.Second)
		n.seeTraffic()
		if n.io != nil {
			n.seeIO()
		}
		n.Add(node.Entry{At: n.At.Add(900 * time.Millisecond)})
	}
	return n
}

// Wait advances the time by d without any reading, and then ticks.
func (n *Node) Wait(d time.Duration) *Node {
	n.At = n.At.Add(d)
	n.Add(node.Entry{At: n.At})
	return n
}

func (n *Node) seeTraffic() {
	var list []bond.Counters
	var drops []bond.Drops
	for _, name := range slices.Sorted(maps.Keys(n.Traffic)) {
		l := n.Traffic[name]
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
	n.See(node.SawCounters{Reading: Reading(n.At, 0, list)})
	if n.At.Second()%10 == 0 {
		n.See(node.SawDrops{Reading: Reading(n.At, 0, drops)})
	}
}

func (n *Node) seeIO() {
	for i := range n.disks {
		d := &n.disks[i]
		d.Reads += n.io.Done
		d.ReadTicks += n.io.Done * n.io.Ms
		d.InFlightR = n.io.InFlight
	}
	n.See(node.SawIO{Reading: Reading(n.At, 0, slices.Clone(n.disks))})
}

// MapDisks reads the given number of krbd devices, rbd0 and so on with the images
// vm100 and so on, all of client4151 with the given address.
func (n *Node) MapDisks(count int, addr string) *Node {
	var list []rbd.Mapped
	n.disks = nil
	for i := range count {
		list = append(list, rbd.Mapped{
			ID: i, Device: fmt.Sprintf("rbd%d", i), Major: 252, Minor: uint32(16 * i), Pool: "rbd", Image: fmt.Sprintf("vm%d", 100+i),
			ImageID:  fmt.Sprintf("%012d", i),
			ClientID: 4151, ClientAddr: addr, FSID: "f", Options: &rbd.Options{},
		})
		n.disks = append(n.disks, rbd.IO{Device: list[i].Device})
	}
	n.See(node.SawMapped{Reading: Reading(n.At, 0, list)})
	return n
}

// Log reads lines of the kernel log, already counted.
func (n *Node) Log(c ...kmsg.Count) *Node {
	for i := range c {
		c[i].First, c[i].Last = n.At, n.At
	}
	n.See(node.SawKernel{Reading: Reading(n.At, 0, kmsg.Batch{Counts: c, Records: uint64(len(c))})})
	return n
}

// SeeHost reads the host; it has 64 CPUs unless h sets another number.
func (n *Node) SeeHost(h host.State) *Node {
	if h.CPUs == 0 {
		h.CPUs = 64
	}
	n.See(node.SawHost{Reading: Reading(n.At, 0, h)})
	return n
}

// SeeGuests reads the guests, by libvirt.
func (n *Node) SeeGuests(guests ...rbd.Guest) *Node {
	n.See(node.SawLibvirt{Reading: Reading(n.At, 0, rbd.Guests{Guests: guests})})
	return n
}

// VMs returns running guests, vm101 and so on, the first of them paused for the given
// reason.
func VMs(count, paused int, reason string) []rbd.Guest {
	var list []rbd.Guest
	for i := range count {
		g := rbd.Guest{Name: fmt.Sprintf("vm%d", 101+i), ID: fmt.Sprint(i), Kind: "vm", State: "running"}
		if i < paused {
			g.State, g.Reason = "paused", reason
		}
		list = append(list, g)
	}
	return list
}
