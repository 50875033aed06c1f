package nodetest

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A Hypervisor is the size and state of a node on which every source is readable, for
// tests of views.
type Hypervisor struct {
	Disks, Guests, OSDs, Bonds int
	Policy                     bond.HashPolicy
	Storm                      bool // from the twentieth second on
}

// Healthy is a small node without problems.
func Healthy() Hypervisor {
	return Hypervisor{Disks: 12, Guests: 10, Bonds: 1, Policy: bond.Layer34}
}

// AtRisk is the incident's node before its storm.
func AtRisk() Hypervisor {
	return Hypervisor{Disks: 78, Guests: 65, Bonds: 1, Policy: bond.Layer2}
}

// InStorm is the incident's node: every OSD in a CRC loop, every other disk stalled.
func InStorm() Hypervisor {
	return Hypervisor{Disks: 78, Guests: 65, OSDs: 182, Bonds: 1, Policy: bond.Layer2, Storm: true}
}

// TenTimes is a node ten times the size of the incident's, in the same storm.
func TenTimes() Hypervisor {
	return Hypervisor{Disks: 780, Guests: 650, OSDs: 1820, Bonds: 4, Policy: bond.Layer2, Storm: true}
}

// HypervisorStart is the start time of every Hypervisor.
var HypervisorStart = Start.Add(13 * time.Minute)

const (
	storageIP = "192.0.2.2"
	fsid      = "9f7c1d6e-2f0b-4a53-8a1e-5d2f6d6b9c01"
	client    = 4567
)

// Begin returns a node that has just started and has read nothing.
func (h Hypervisor) Begin() *Node {
	return begin(HypervisorStart, "1.2.3", 10*time.Second,
		node.SourceBond, node.SourceNIC, node.SourceDrops, node.SourceOVS, node.SourceKrbd, node.SourceIO,
		node.SourceOSDC, node.SourceLibvirt, node.SourceQEMU, node.SourceKmsg, node.SourceHost, node.SourceCeph)
}

// Play returns the node after its first 60 s.
func (h Hypervisor) Play() *Node {
	n := h.Begin()
	n.See(node.SawLinks{Reading: Reading(n.At, 30*time.Second, h.Links())})
	n.See(node.SawOVS{Reading: Failed[[]bond.Bond](n.At, node.Absent, "no Open vSwitch on this machine", "")})
	for second := range 61 {
		n.At = HypervisorStart.Add(time.Duration(second) * time.Second)
		n.See(node.SawCounters{Reading: Reading(n.At, time.Second, h.Counters(uint64(second)))})
		n.See(node.SawIO{Reading: Reading(n.At, time.Second, h.io(uint64(second)))})
	}
	n.See(node.SawMapped{Reading: Reading(n.At, 5*time.Second, h.Mapped())})
	n.See(node.SawLibvirt{Reading: Reading(n.At, 10*time.Second, h.Domains())})
	n.See(node.SawQEMU{Reading: Reading(n.At, 10*time.Second, rbd.Guests{})})
	n.See(node.SawDrops{Reading: Reading(n.At, 10*time.Second, []bond.Drops{})})
	day := HypervisorStart.Add(-26 * time.Hour)
	n.See(node.SawKernel{Reading: Reading(n.At, 250*time.Millisecond, kmsg.Batch{History: true, Counts: []kmsg.Count{
		{Class: kmsg.RBDMapped, Device: "rbd0", N: uint64(h.Disks), First: day, Last: day,
			Text: "rbd: rbd0: capacity 42949672960 features 0x3d"},
		{Class: kmsg.NICUp, Device: "eth0", N: 2, First: day.Add(-time.Hour), Last: day.Add(-time.Hour),
			Text: "ixgbe 0000:3b:00.0 eth0: NIC Link is Up 10 Gbps"},
	}})})
	n.See(node.SawKernel{Reading: Reading(n.At, 250*time.Millisecond, h.log(n.At.Add(-2*time.Second)))})
	n.See(node.SawPending{Reading: Reading(n.At.Add(-40*time.Second), 5*time.Second, h.pending(1))})
	n.See(node.SawPending{Reading: Reading(n.At, 5*time.Second, h.pending(576))})
	n.See(node.SawHost{Reading: Reading(n.At, 5*time.Second, h.host())})
	n.See(node.SawCluster{Reading: Reading(n.At, time.Minute, ceph.Cluster{
		FSID: fsid, Health: ceph.Health{Status: "HEALTH_WARN", Checks: []ceph.Check{{Code: "OSD_SCRUB_ERRORS", Severity: "HEALTH_WARN",
			Summary: "1 scrub errors"}}},
		OSDMap: ceph.OSDMap{OSDs: []ceph.OSD{{ID: 0, Up: true, In: true}, {ID: 1, Up: true, In: true}, {ID: 2, Up: true, In: true}}},
		Scrubs: &ceph.Scrubs{Scrubbing: 3, Deep: 1},
	})})
	return n
}

// Links returns the node's links: its bonds of two slaves each, the first of which
// carries storage on a VLAN, and two standalone NICs.
func (h Hypervisor) Links() bond.Links {
	partner := bond.PortInSync | bond.PortCollecting | bond.PortDistributing
	l := bond.Links{NICs: []bond.NIC{{Name: "eno1", Index: 5, Up: true, Speed: 1000}, {Name: "eno2", Index: 6}}}
	for b := range h.Bonds {
		made := bond.Bond{
			Name: fmt.Sprintf("bond%d", b), Index: 20 + b, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: h.Policy, Up: true, MTU: 9000,
			LACPRate: "slow", AD: &bond.AD{Aggregator: 1, Ports: 2, PartnerMAC: "00:53:00:00:00:01"},
		}
		for n := range 2 {
			made.Slaves = append(made.Slaves, bond.Slave{
				Name: fmt.Sprintf("eth%d", 2*b+n), Index: 11 + 2*b + n, State: "ACTIVE", MIIStatus: "UP", Carrier: true,
				Aggregator: 1, Speed: 10000, Duplex: "full", LinkFailures: uint32(n), Partner: &partner,
			})
		}
		l.Bonds = append(l.Bonds, made)
	}
	l.Uppers = []bond.Upper{{Name: "bond0.100", Index: 40, Kind: "vlan", VLAN: 100, Lowers: []int{20}}}
	l.Addresses = []bond.Address{{IP: storageIP, Bits: 24, Index: 40}}
	return l
}

// Counters returns the counters of every NIC after the given second. In a storm the
// first slave of each bond receives at its line rate and the second one sends.
func (h Hypervisor) Counters(second uint64) []bond.Counters {
	list := []bond.Counters{{Name: "eno1", Index: 5, Speed: 1000, RxBytes: 1000 * second, TxBytes: 500 * second}}
	for b := range h.Bonds {
		one := bond.Counters{Name: fmt.Sprintf("eth%d", 2*b), Index: 11 + 2*b, Speed: 10000, RxBytes: 32_000_000 * second,
			TxBytes: 21_000_000 * second}
		two := bond.Counters{Name: fmt.Sprintf("eth%d", 2*b+1), Index: 12 + 2*b, Speed: 10000, RxBytes: 29_000_000 * second,
			TxBytes: 23_000_000 * second}
		if h.Policy == bond.Layer2 {
			one.TxBytes, two.RxBytes = 400_000*second, 700_000*second
		}
		if h.Storm {
			one.RxBytes, one.RxMissed, two.TxBytes = 1_225_000_000*second, 41_000*second, 475_000_000*second
		}
		list = append(list, one, two)
	}
	return list
}

// Mapped returns the node's krbd devices, of one client.
func (h Hypervisor) Mapped() []rbd.Mapped {
	var list []rbd.Mapped
	for i := range h.Disks {
		list = append(list, rbd.Mapped{
			ID: i, Device: fmt.Sprintf("rbd%d", i), Major: 252, Minor: uint32(i * 16), Pool: "vms",
			Image:   fmt.Sprintf("vm-%d-disk-0", 100+i),
			ImageID: fmt.Sprintf("%x", 0xabc000+i), ClientID: client, ClientAddr: storageIP, FSID: fsid,
			Options: &rbd.Options{RxBounce: i%3 == 0},
		})
	}
	return list
}

// io returns the I/O counters of every device: in a storm devices with an even number
// complete nothing after the twentieth second.
func (h Hypervisor) io(second uint64) []rbd.IO {
	var list []rbd.IO
	for i := range h.Disks {
		io := rbd.IO{Device: fmt.Sprintf("rbd%d", i), Reads: uint64(i*7%90) * second, ReadTicks: uint64(i*7%90) * 3 * second,
			InFlightR: uint64(i % 2)}
		if h.Storm && i%2 == 0 {
			io.Reads, io.ReadTicks = 100*min(second, 20+uint64(i)%7), 300*min(second, 20+uint64(i)%7)
			io.InFlightR, io.InFlightW = 3, uint64(i%5)
		}
		list = append(list, io)
	}
	return list
}

// Domains returns the node's guests, each with one of the krbd devices; some have a
// disk on librbd, and some are paused in a storm.
func (h Hypervisor) Domains() rbd.Guests {
	var all rbd.Guests
	for i := range h.Guests {
		g := rbd.Guest{Name: fmt.Sprintf("vm%d", 100+i), ID: fmt.Sprint(100 + i), Kind: "vm", State: "running", OS: "linux",
			Disks: []rbd.Disk{
				{Target: "vda", Path: fmt.Sprintf("/dev/rbd%d", i), Major: 252, Minor: uint32(i * 16)},
			}}
		switch {
		case i%16 == 3:
			g.Disks = append(g.Disks, rbd.Disk{Target: "vdb", Client: rbd.LibRBD, Pool: "vms", Image: fmt.Sprintf("vm-%d-disk-1", 100+i)})
		case i%16 == 7 && h.Storm:
			g.State, g.Reason = "paused", "ioerror"
		}
		all.Guests = append(all.Guests, g)
	}
	return all
}

// log returns two kinds of lines about each OSD, most about the first OSD.
func (h Hypervisor) log(at time.Time) kmsg.Batch {
	b := kmsg.Batch{Records: 421, Seq: 1200}
	if !h.Storm {
		return b
	}
	b.Records, b.Lost, b.Suppressed = 90_000, 1234, 50
	for i := range h.OSDs {
		crc := kmsg.Count{Class: kmsg.CRC, Peer: fmt.Sprintf("osd%d", i), Addr: "198.51.100.9:6801", N: uint64(h.OSDs - i + 4), First: at,
			Last: at, Text: "libceph: osd0 (1)198.51.100.9:6801 bad crc/signature"}
		closed := crc
		closed.Class, closed.Text, closed.N = kmsg.ClosedOpen, "libceph: osd0 (1)198.51.100.9:6801 socket closed (con state OPEN)",
			uint64(1+i%3)
		b.Counts = append(b.Counts, crc, closed)
	}
	b.Counts = append(b.Counts, kmsg.Count{Class: kmsg.HungTask, Detail: "jbd2/dm-3-8", N: 2, First: at, Last: at,
		Text: "INFO: task jbd2/dm-3-8:712 blocked for more than 120 seconds."})
	return b
}

func (h Hypervisor) pending(attempts int) []rbd.Pending {
	if !h.Storm {
		return []rbd.Pending{{FSID: fsid, ClientID: client, Total: 0}}
	}
	return []rbd.Pending{{FSID: fsid, ClientID: client, Total: 212, Homeless: 1, Requests: []rbd.Request{
		{TID: 41, OSD: 3, Object: "rbd_data.abc000.01", Attempts: attempts, Ops: "read"},
	}}}
}

func (h Hypervisor) host() host.State {
	m := host.State{Release: "6.1.0-31-amd64", Boot: HypervisorStart.Add(-27 * time.Hour), CPUs: 128, Load: [3]float64{12.5, 11.2, 10.9},
		IO: &host.Pressure{Some10: 0.4}}
	if h.Storm {
		m.Load, m.IO = [3]float64{683.2, 410.7, 160.3}, &host.Pressure{Some10: 98.5, Full10: 91.25}
		m.Waiting = &host.Waiting{Total: 612, ByComm: map[string]int{"kvm": 600, "kworker/u256:3": 12}}
	}
	return m
}
