package page

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/history"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
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
	recorder history.Recorder
	history  history.History
	at       time.Time
}

func (p *player) see(o node.Observation) {
	p.snapshot = p.snapshot.Take(node.Entry{At: p.at, Obs: o})
}

func reading[T any](at time.Time, every time.Duration, value T) node.Reading[T] {
	return node.Reading[T]{Value: value, At: at, Every: every}
}

// blinded is a reading that gave nothing.
func blinded[T any](at time.Time, kind node.ErrorKind, text, remedy string) node.Reading[T] {
	return node.Reading[T]{At: at, Every: 10 * time.Second, Err: &node.Error{Kind: kind, Text: text, Remedy: remedy, Since: at}}
}

// A scene is what a node of the tests is like.
type scene struct {
	devices, guests, osds, bonds int
	policy                       bond.HashPolicy
	storm                        bool // from the twentieth second on
}

// The scenes: a node as it should be, the incident's node before and in its
// storm, and one of ten times its size.
func healthy() scene      { return scene{devices: 12, guests: 10, bonds: 1, policy: bond.Layer34} }
func riskSnapshot() scene { return scene{devices: 78, guests: 65, bonds: 1, policy: bond.Layer2} }
func raging() scene {
	return scene{devices: 78, guests: 65, osds: 182, bonds: 1, policy: bond.Layer2, storm: true}
}
func large() scene {
	return scene{devices: 780, guests: 650, osds: 1820, bonds: 4, policy: bond.Layer2, storm: true}
}

// begun is a node that has just been told of its sources.
func begun() *player {
	p := &player{at: start}
	var sources []node.Source
	for _, name := range []string{
		node.SourceBond, node.SourceNIC, node.SourceDrops, node.SourceOVS, node.SourceKrbd, node.SourceIO,
		node.SourceOSDC, node.SourceLibvirt, node.SourceQEMU, node.SourceKmsg, node.SourceHost, node.SourceCeph,
	} {
		sources = append(sources, node.Source{Name: name, Every: 10 * time.Second})
	}
	p.see(node.Started{Node: "node2", Version: "1.2.3", Sources: sources})
	return p
}

// play is what is known of the scene's node after 60 s.
func (s scene) play() *player {
	p := begun()
	p.see(node.SawLinks{Reading: reading(p.at, 30*time.Second, s.links())})
	p.see(node.SawOVS{Reading: blinded[[]bond.Bond](p.at, node.Absent, "no Open vSwitch on this machine", "")})
	for second := range 61 {
		p.at = start.Add(time.Duration(second) * time.Second)
		p.see(node.SawCounters{Reading: reading(p.at, time.Second, s.counters(uint64(second)))})
		p.see(node.SawIO{Reading: reading(p.at, time.Second, s.diskIO(uint64(second)))})
		if s.bonds < 4 { // one of ten times the size is played often
			p.history = p.recorder.Record(facts.New(p.snapshot.Take(node.Entry{At: p.at}), facts.Baselines{}))
		}
	}
	p.see(node.SawMapped{Reading: reading(p.at, 5*time.Second, s.mapped())})
	p.see(node.SawLibvirt{Reading: reading(p.at, 10*time.Second, s.domains())})
	p.see(node.SawQEMU{Reading: reading(p.at, 10*time.Second, rbd.Guests{})})
	p.see(node.SawDrops{Reading: reading(p.at, 10*time.Second, []bond.Drops{})})
	p.see(node.SawKernel{Reading: reading(p.at, 250*time.Millisecond, kmsg.Batch{History: true, Counts: []kmsg.Count{
		{Class: kmsg.RBDMapped, Device: "rbd0", N: uint64(s.devices), First: start.Add(-26 * time.Hour), Last: start.Add(-26 * time.Hour), Text: "rbd: rbd0: capacity 42949672960 features 0x3d"},
		{Class: kmsg.NICUp, Device: "eth0", N: 2, First: start.Add(-27 * time.Hour), Last: start.Add(-27 * time.Hour), Text: "ixgbe 0000:3b:00.0 eth0: NIC Link is Up 10 Gbps"},
	}})})
	p.see(node.SawKernel{Reading: reading(p.at, 250*time.Millisecond, s.log(p.at.Add(-2*time.Second)))})
	p.see(node.SawPending{Reading: reading(p.at.Add(-40*time.Second), 5*time.Second, s.pending(1))})
	p.see(node.SawPending{Reading: reading(p.at, 5*time.Second, s.pending(576))})
	p.see(node.SawHost{Reading: reading(p.at, 5*time.Second, s.machine())})
	p.see(node.SawCluster{Reading: reading(p.at, time.Minute, ceph.Cluster{
		FSID: fsid, Health: ceph.Health{Status: "HEALTH_WARN", Checks: []ceph.Check{{Code: "OSD_SCRUB_ERRORS", Severity: "HEALTH_WARN", Summary: "1 scrub errors"}}},
		OSDMap: ceph.OSDMap{OSDs: []ceph.OSD{{ID: 0, Up: true, In: true}, {ID: 1, Up: true, In: true}, {ID: 2, Up: true, In: true}}},
		Scrubs: &ceph.Scrubs{Scrubbing: 3, Deep: 1},
	})})
	return p
}

func (s scene) links() bond.Links {
	partner := bond.PortInSync | bond.PortCollecting | bond.PortDistributing
	l := bond.Links{NICs: []bond.NIC{{Name: "eno1", Index: 5, Up: true, Speed: 1000}, {Name: "eno2", Index: 6}}}
	for b := range s.bonds {
		made := bond.Bond{
			Name: fmt.Sprintf("bond%d", b), Index: 20 + b, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: s.policy, Up: true, MTU: 9000,
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

func (s scene) counters(second uint64) []bond.Counters {
	list := []bond.Counters{{Name: "eno1", Index: 5, Speed: 1000, RxBytes: 1000 * second, TxBytes: 500 * second}}
	for b := range s.bonds {
		one := bond.Counters{Name: fmt.Sprintf("eth%d", 2*b), Index: 11 + 2*b, Speed: 10000, RxBytes: 32_000_000 * second, TxBytes: 21_000_000 * second}
		two := bond.Counters{Name: fmt.Sprintf("eth%d", 2*b+1), Index: 12 + 2*b, Speed: 10000, RxBytes: 29_000_000 * second, TxBytes: 23_000_000 * second}
		if s.policy == bond.Layer2 {
			one.TxBytes, two.RxBytes = 400_000*second, 700_000*second
		}
		if s.storm {
			one.RxBytes, one.RxMissed, two.TxBytes = 1_225_000_000*second, 41_000*second, 475_000_000*second
		}
		list = append(list, one, two)
	}
	return list
}

func (s scene) mapped() []rbd.Mapped {
	var list []rbd.Mapped
	for i := range s.devices {
		list = append(list, rbd.Mapped{
			ID: i, Device: fmt.Sprintf("rbd%d", i), Major: 252, Minor: uint32(i * 16), Pool: "vms", Image: fmt.Sprintf("vm-%d-disk-0", 100+i),
			ImageID: fmt.Sprintf("%x", 0xabc000+i), ClientID: 4567, ClientAddr: storageIP, FSID: fsid, Options: &rbd.Options{RxBounce: i%3 == 0},
		})
	}
	return list
}

// diskIO is that of every device: in a storm those with an even number complete
// nothing after the twentieth second.
func (s scene) diskIO(second uint64) []rbd.IO {
	var list []rbd.IO
	for i := range s.devices {
		io := rbd.IO{Device: fmt.Sprintf("rbd%d", i), Reads: uint64(i*7%90) * second, ReadTicks: uint64(i*7%90) * 3 * second, InFlightR: uint64(i % 2)}
		if s.storm && i%2 == 0 {
			io.Reads, io.ReadTicks = 100*min(second, 20+uint64(i)%7), 300*min(second, 20+uint64(i)%7)
			io.InFlightR, io.InFlightW = 3, uint64(i%5)
		}
		list = append(list, io)
	}
	return list
}

func (s scene) domains() rbd.Guests {
	var all rbd.Guests
	for i := range s.guests {
		g := rbd.Guest{Name: fmt.Sprintf("vm%d", 100+i), ID: fmt.Sprint(100 + i), Kind: "vm", State: "running", OS: "linux", Disks: []rbd.Disk{
			{Target: "vda", Path: fmt.Sprintf("/dev/rbd%d", i), Major: 252, Minor: uint32(i * 16)},
		}}
		switch {
		case i%16 == 3:
			g.Disks = append(g.Disks, rbd.Disk{Target: "vdb", Client: rbd.LibRBD, Pool: "vms", Image: fmt.Sprintf("vm-%d-disk-1", 100+i)})
		case i%16 == 7 && s.storm:
			g.State, g.Reason = "paused", "ioerror"
		}
		all.Guests = append(all.Guests, g)
	}
	return all
}

// log is two kinds of lines about each OSD, the first OSD's the most.
func (s scene) log(at time.Time) kmsg.Batch {
	b := kmsg.Batch{Records: 421, Seq: 1200}
	if !s.storm {
		return b
	}
	b.Records, b.Lost, b.Suppressed = 90_000, 1234, 50
	for i := range s.osds {
		crc := kmsg.Count{Class: kmsg.CRC, Peer: fmt.Sprintf("osd%d", i), Addr: "198.51.100.9:6801", N: uint64(s.osds - i + 4), First: at, Last: at, Text: "libceph: osd0 (1)198.51.100.9:6801 bad crc/signature"}
		closed := crc
		closed.Class, closed.Text, closed.N = kmsg.ClosedOpen, "libceph: osd0 (1)198.51.100.9:6801 socket closed (con state OPEN)", uint64(1+i%3)
		b.Counts = append(b.Counts, crc, closed)
	}
	b.Counts = append(b.Counts, kmsg.Count{Class: kmsg.HungTask, Detail: "jbd2/dm-3-8", N: 2, First: at, Last: at, Text: "INFO: task jbd2/dm-3-8:712 blocked for more than 120 seconds."})
	return b
}

func (s scene) pending(attempts int) []rbd.Pending {
	if !s.storm {
		return []rbd.Pending{{FSID: fsid, ClientID: 4567, Total: 0}}
	}
	return []rbd.Pending{{FSID: fsid, ClientID: 4567, Total: 212, Homeless: 1, Requests: []rbd.Request{
		{TID: 41, OSD: 3, Object: "rbd_data.abc000.01", Attempts: attempts, Ops: "read"},
	}}}
}

func (s scene) machine() host.State {
	m := host.State{Release: "6.1.0-31-amd64", Boot: start.Add(-27 * time.Hour), CPUs: 128, Load: [3]float64{12.5, 11.2, 10.9}, IO: &host.Pressure{Some10: 0.4}}
	if s.storm {
		m.Load, m.IO = [3]float64{683.2, 410.7, 160.3}, &host.Pressure{Some10: 98.5, Full10: 91.25}
		m.Waiting = &host.Waiting{Total: 612, ByComm: map[string]int{"kvm": 600, "kworker/u256:3": 12}}
	}
	return m
}

// view is a View of what the player knows, with the findings given.
func (p *player) view(story story) judge.View {
	return judge.View{Snapshot: p.snapshot, Facts: facts.New(p.snapshot, facts.Baselines{}), History: p.history, Report: story.report(p.snapshot), Rules: all.Default()}
}
