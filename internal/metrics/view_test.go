package metrics

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// start is when the node of the tests begins to be watched.
var start = time.Date(2026, 3, 1, 2, 13, 0, 0, time.UTC)

const (
	storageIP = "192.0.2.2"
	fsid      = "9f7c1d6e-2f0b-4a53-8a1e-5d2f6d6b9c01"
)

// A player feeds observations to a snapshot.
type player struct {
	snapshot node.Snapshot
	at       time.Time
}

func (p *player) see(o node.Observation) {
	p.snapshot = p.snapshot.Take(node.Entry{At: p.at, Obs: o})
}

func reading[T any](at time.Time, every time.Duration, value T) node.Reading[T] {
	return node.Reading[T]{Value: value, At: at, Every: every}
}

// A size says how large a node is.
type size struct{ devices, guests, osds, bonds int }

// The sizes that matter: one that fits on a screen, the incident's, and ten
// times the incident's.
func small() size    { return size{2, 2, 2, 1} }
func incident() size { return size{78, 65, 182, 1} }
func large() size    { return size{780, 650, 1820, 4} }

// storm is a node 60 s after it began to be watched: every OSD in a CRC loop, one
// disk in two stuck.
func storm(n size) judge.View {
	p := &player{at: start}
	var sources []node.Source
	for _, name := range []string{
		node.SourceBond, node.SourceNIC, node.SourceDrops, node.SourceOVS, node.SourceKrbd, node.SourceIO,
		node.SourceOSDC, node.SourceLibvirt, node.SourceQEMU, node.SourceKmsg, node.SourceHost, node.SourceCeph,
	} {
		sources = append(sources, node.Source{Name: name, Every: 10 * time.Second})
	}
	p.see(node.Started{Node: "node2", Version: "1.2.3", Sources: sources})
	p.see(node.SawLinks{Reading: reading(p.at, 30*time.Second, links(n.bonds))})
	p.see(node.SawMapped{Reading: reading(p.at, 10*time.Second, mapped(n.devices))})
	p.see(node.SawLibvirt{Reading: reading(p.at, 10*time.Second, guests(n.guests))})
	p.see(node.SawOVS{Reading: node.Reading[[]bond.Bond]{At: p.at, Err: &node.Error{Kind: node.Absent, Text: "no Open vSwitch", Since: p.at}}})
	p.see(node.SawQEMU{Reading: node.Reading[rbd.Guests]{At: p.at, Err: &node.Error{Kind: node.Denied, Text: "permission denied", Since: p.at}}})
	for second := range 61 {
		p.at = start.Add(time.Duration(second) * time.Second)
		p.see(node.SawCounters{Reading: reading(p.at, time.Second, counters(n.bonds, uint64(second)))})
		p.see(node.SawIO{Reading: reading(p.at, time.Second, diskIO(n.devices, uint64(second)))})
	}
	p.see(node.SawDrops{Reading: reading(p.at, 10*time.Second, []bond.Drops{{Name: "eth0", Index: 11, Driver: "ixgbe", Counts: map[string]uint64{"rx_no_buffer_count": 10_000_123, "rx_flow_control_xoff": 7}}})})
	p.see(node.SawKernel{Reading: reading(p.at, 250*time.Millisecond, complaints(n.osds, p.at.Add(-2*time.Second)))})
	p.see(node.SawPending{Reading: reading(p.at.Add(-40*time.Second), 5*time.Second, pending(12))})
	p.see(node.SawPending{Reading: reading(p.at, 5*time.Second, pending(576))})
	p.see(node.SawHost{Reading: reading(p.at, 5*time.Second, host.State{
		Release: "6.1.0-31-amd64", CPUs: 128, Load: [3]float64{680, 410, 160}, IO: &host.Pressure{Some10: 98.5, Full10: 91.25},
		Waiting: &host.Waiting{Total: 612, ByComm: map[string]int{"kvm": 600, "kworker": 12}}, Hung: new(uint64(3)),
	})})
	p.see(node.SawDeliveries{Reading: reading(p.at, 5*time.Second, []node.Delivery{
		{Name: "hub", Backend: "native", State: node.DeliveryOK, Last: p.at, Done: 120, Failed: map[string]uint64{"transient": 3}, Waiting: 2, Unsaved: 1},
		{Name: "oncall", Backend: "alertmanager", State: node.DeliveryOpen, Failed: map[string]uint64{"misconfigured": 1}, Dropped: 4, PersistErr: "no space"},
	})})
	p.see(node.SawCluster{Reading: reading(p.at, time.Minute, ceph.Cluster{
		FSID: fsid, Health: ceph.Health{Status: "HEALTH_WARN", SlowOps: []string{"osd.1"}},
		OSDMap: ceph.OSDMap{OSDs: []ceph.OSD{{ID: 0, Up: true, In: true}, {ID: 1, Up: true, In: true}, {ID: 2, In: true}}},
		Scrubs: &ceph.Scrubs{Scrubbing: 3, Deep: 1},
	})})
	return judge.View{Snapshot: p.snapshot, Report: verdict(p.at, n.guests), Rules: all.Default()}
}

func links(bonds int) bond.Links {
	l := bond.Links{NICs: []bond.NIC{{Name: "eno1", Index: 5, Up: true, Speed: 1000}}}
	for b := range bonds {
		made := bond.Bond{
			Name: fmt.Sprintf("bond%d", b), Index: 20 + b, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: bond.Layer2, Up: true, MTU: 9000,
			AD: &bond.AD{Aggregator: 1, Ports: 2, PartnerMAC: "00:53:00:00:00:01"},
		}
		for s := range 2 {
			made.Slaves = append(made.Slaves, bond.Slave{
				Name: fmt.Sprintf("eth%d", 2*b+s), Index: 11 + 2*b + s, State: "ACTIVE", MIIStatus: "UP", Carrier: true,
				Aggregator: 1, Speed: 10000, Duplex: "full", LinkFailures: uint32(s),
			})
		}
		l.Bonds = append(l.Bonds, made)
	}
	l.Addresses = []bond.Address{{IP: storageIP, Bits: 24, Index: 20}}
	return l
}

// counters are those of every NIC after the given second: the first slave of
// each bond receives at its line rate, the second sends.
func counters(bonds int, second uint64) []bond.Counters {
	list := []bond.Counters{{Name: "eno1", Index: 5, Speed: 1000, RxBytes: 1000 * second, TxBytes: 500 * second}}
	for b := range bonds {
		list = append(list,
			bond.Counters{Name: fmt.Sprintf("eth%d", 2*b), Index: 11 + 2*b, Speed: 10000, RxBytes: 1_225_000_000 * second, TxBytes: 25_000_000 * second,
				RxPackets: 800_000 * second, TxPackets: 20_000 * second, RxMissed: 41_000 * second, RxDropped: 3},
			bond.Counters{Name: fmt.Sprintf("eth%d", 2*b+1), Index: 12 + 2*b, Speed: 10000, RxBytes: 25_000_000 * second, TxBytes: 475_000_000 * second,
				RxPackets: 20_000 * second, TxPackets: 300_000 * second})
	}
	return list
}

func mapped(n int) []rbd.Mapped {
	var list []rbd.Mapped
	for i := range n {
		list = append(list, rbd.Mapped{
			ID: i, Device: fmt.Sprintf("rbd%d", i), Major: 252, Minor: uint32(i * 16), Pool: "vms", Image: fmt.Sprintf("vm-%d-disk-0", 100+i),
			ImageID: fmt.Sprintf("%x", 0xabc000+i), ClientID: 4567, ClientAddr: storageIP, FSID: fsid,
		})
	}
	return list
}

// diskIO is that of every device after the given second: those with an even
// number have not completed anything since the twentieth.
func diskIO(n int, second uint64) []rbd.IO {
	var list []rbd.IO
	for i := range n {
		io := rbd.IO{Device: fmt.Sprintf("rbd%d", i), Reads: 100 * second, ReadTicks: 300 * second, InFlightR: 1}
		if i%2 == 0 {
			io.Reads, io.ReadTicks = 100*min(second, 20), 300*min(second, 20)
			io.InFlightR, io.InFlightW = 3, uint64(i%5)
		}
		list = append(list, io)
	}
	return list
}

func guests(n int) rbd.Guests {
	var all rbd.Guests
	for i := range n {
		g := rbd.Guest{Name: fmt.Sprintf("vm%d", 100+i), ID: fmt.Sprint(100 + i), Kind: "vm", State: "running", Disks: []rbd.Disk{
			{Target: "vda", Path: fmt.Sprintf("/dev/rbd%d", i), Major: 252, Minor: uint32(i * 16)},
		}}
		switch i % 16 {
		case 3:
			g.Disks = append(g.Disks, rbd.Disk{Target: "vdb", Client: rbd.LibRBD, Pool: "vms", Image: "spare"})
		case 7:
			g.State, g.Reason = "paused", "ioerror"
		}
		all.Guests = append(all.Guests, g)
	}
	return all
}

// complaints are four kinds of lines about each OSD, the first OSD's the most.
func complaints(osds int, at time.Time) kmsg.Batch {
	b := kmsg.Batch{Records: 90_000, Foreign: 4, Lost: 1234, Malformed: 1, Suppressed: 50, Seq: 91_000}
	for i := range osds {
		for k, c := range []kmsg.Class{kmsg.CRC, kmsg.ClosedOpen, kmsg.SocketError, kmsg.SessionReset} {
			b.Counts = append(b.Counts, kmsg.Count{Class: c, Peer: fmt.Sprintf("osd%d", i), Addr: "192.0.2.9:6801", N: uint64(osds - i + 4 - k), First: at, Last: at, Text: "text"})
		}
	}
	b.Counts = append(b.Counts, kmsg.Count{Class: kmsg.HungTask, Detail: "jbd2", N: 2, First: at, Last: at})
	return b
}

func pending(attempts int) []rbd.Pending {
	return []rbd.Pending{{FSID: fsid, ClientID: 4567, Total: 212, Homeless: 1, Requests: []rbd.Request{
		{TID: 41, OSD: 3, Object: "rbd_data.abc000.01", Attempts: attempts, Ops: "read"},
		{TID: 44, OSD: 1, Object: "rbd_data.abc001.02", Attempts: 1, Ops: "read"},
	}}}
}

// verdict is a report with as many findings of one rule as there are guests.
func verdict(at time.Time, guests int) report.Report {
	r := report.Report{Node: "node2", At: at, Version: "1.2.3", Status: report.MajorOutage, Components: []report.Component{
		{Name: "storage", Status: report.MajorOutage, Since: at.Add(-30 * time.Second)},
		{Name: "network", Status: report.DegradedPerformance, Since: at.Add(-45 * time.Second)},
		{Name: "guests", Status: report.PartialOutage, Since: at.Add(-20 * time.Second)},
		{Name: "cluster", Status: report.Operational, Since: start},
		{Name: "host", Status: report.Operational, Since: start},
		{Name: "nodewatch", Status: report.Unknown, Since: start},
	}, Findings: []report.Finding{
		{Rule: "layer2-bond-krbd", Subject: "bond0", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen, Guests: &report.Guests{Hit: guests, Total: guests}},
		{Rule: "kmsg-lost", Severity: report.Warning, Impact: report.Operational, State: report.Blind, Accepted: &report.Accepted{By: "alice"}},
	}, Transitions: []report.Transition{{N: 6, At: at}, {N: 7, At: at}}}
	for i := range guests {
		r.Findings = append(r.Findings, report.Finding{Rule: "vm-paused", Subject: fmt.Sprintf("vm%d", 100+i), Severity: report.Warning, State: report.Seen, Guests: &report.Guests{Hit: 1, Total: guests}})
	}
	return r
}
