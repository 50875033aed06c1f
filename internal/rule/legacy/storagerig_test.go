package legacy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A rig is a small node with krbd disks that lives through a test second by
// second: its sources speak through the real observations, and a Judge with the
// storage rules answers each tick.
type rig struct {
	t       testing.TB
	start   time.Time
	now     time.Time
	judge   *judge.Judge
	view    judge.View
	links   bond.Links
	ovs     []bond.Bond
	mapped  []rbd.Mapped
	guests  []rbd.Guest
	disks   []rigDisk
	nics    []rigNIC
	pending []rbd.Pending
	host    host.State
	cluster *ceph.Cluster
	lines   []kmsg.Count
	history []kmsg.Count
	dark    map[string]*node.Error // blind sources
}

// A rigDisk is what one krbd device does.
type rigDisk struct {
	rbd.IO
	iops    uint64
	latency uint64 // ms
}

// A rigNIC is what one NIC carries.
type rigNIC struct {
	bond.Counters
	rx, tx     float64 // bit/s
	drops, crc uint64  // frames a second
}

const rigFSID = "33b862db-5e43-43fb-927c-e4b2e2132a65"

// newRig is a node with a bond of 2x10G that hashes with layer2, and a VLAN on it
// that holds krbd's address; as many Linux VMs, a disk each.
func newRig(t testing.TB, vms int) *rig {
	start := time.Date(2026, time.March, 1, 3, 0, 0, 0, time.UTC)
	r := &rig{t: t, start: start, now: start, judge: judge.New(rule.RuleSet{Rules: adapt(storageRules())}), dark: map[string]*node.Error{}}
	r.links = bond.Links{
		Bonds: []bond.Bond{{
			Name: "bond0", Index: 4, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: bond.Layer2, Up: true,
			Slaves: []bond.Slave{rigSlave("eth0", 2), rigSlave("eth1", 3)},
		}},
		Uppers:    []bond.Upper{{Name: "bond0.40", Index: 5, Kind: "vlan", VLAN: 40, Lowers: []int{4}}},
		Addresses: []bond.Address{{IP: "192.0.2.12", Bits: 24, Index: 5}},
	}
	r.nics = []rigNIC{rigPort("eth0", 2), rigPort("eth1", 3)}
	for i := range vms {
		r.addVM(fmt.Sprintf("vm%d", 101+i), "linux")
	}
	r.host = host.State{Release: "6.1.0-56-amd64", Version: "Linux version 6.1.0-56-amd64 (gcc) #1 SMP Debian 6.1.192-2 (2026-10-01)", Boot: start.Add(-240 * time.Hour), CPUs: 64}
	return r
}

func rigSlave(name string, index int) bond.Slave {
	return bond.Slave{Name: name, Index: index, State: "ACTIVE", MIIStatus: "UP", Carrier: true, Speed: 10000}
}

func rigPort(name string, index int) rigNIC {
	return rigNIC{Counters: bond.Counters{Name: name, Index: index, Speed: 10000}, rx: 200e6, tx: 100e6}
}

// addVM adds a virtual machine with a krbd disk that completes requests.
func (r *rig) addVM(name, os string) {
	id := len(r.mapped)
	r.mapped = append(r.mapped, rbd.Mapped{
		ID: id, Device: fmt.Sprintf("rbd%d", id), Major: 252, Minor: uint32(16 * id), Pool: "rbd", Image: fmt.Sprintf("vm-%d-disk-0", 101+id),
		ImageID: fmt.Sprintf("10%04x", id), ClientID: 4123, ClientAddr: "192.0.2.12", Nonce: "192.0.2.12:0/3141592653", FSID: rigFSID, Size: 1 << 34, Options: &rbd.Options{},
	})
	r.guests = append(r.guests, rbd.Guest{
		Name: name, ID: fmt.Sprint(101 + id), Kind: "vm", State: "running", OS: os,
		Disks: []rbd.Disk{{Target: "vda", Path: fmt.Sprintf("/dev/rbd%d", id), Major: 252, Minor: uint32(16 * id)}},
	})
	r.disks = append(r.disks, rigDisk{IO: rbd.IO{Device: fmt.Sprintf("rbd%d", id)}, iops: 20, latency: 2})
}

// storageRules are the rules that this file's owner wrote, as All has them.
func storageRules() []Rule {
	var list []Rule
	ids := []string{"krbd-retry-storm", "layer2-bond-krbd", "ceph-unreachable", "krbd-stalled", "krbd-io-error", "libceph-crc",
		"libceph-session-loop", "krbd-no-rxbounce", "krbd-shared-fate", "kernel-known-bug"}
	for _, r := range All() {
		if slices.Contains(ids, r.ID) {
			list = append(list, r)
		}
	}
	return list
}

// run lets so many seconds pass.
func (r *rig) run(seconds int) *rig {
	for range seconds {
		if r.now.Equal(r.start) {
			r.begin()
		}
		r.now = r.now.Add(time.Second)
		r.move()
		r.speak()
		v, judged := r.judge.Take(node.Entry{At: r.now})
		if judged {
			r.view = v
		}
	}
	return r
}

// begin starts nodewatch; a second time it is a restart.
func (r *rig) begin() {
	var sources []node.Source
	for _, name := range []string{node.SourceBond, node.SourceNIC, node.SourceDrops, node.SourceOVS, node.SourceKrbd, node.SourceIO, node.SourceOSDC,
		node.SourceLibvirt, node.SourceQEMU, node.SourceKmsg, node.SourceHost, node.SourceCeph} {
		sources = append(sources, node.Source{Name: name})
	}
	r.take(node.Started{Node: "node2", Version: "test", Sources: sources})
	r.take(node.SawKernel{Reading: node.Reading[kmsg.Batch]{At: r.now, Value: kmsg.Batch{History: true, Counts: r.history}}})
}

// move lets the disks and NICs do a second's work.
func (r *rig) move() {
	for i := range r.disks {
		d := &r.disks[i]
		d.Reads += d.iops
		d.ReadTicks += d.iops * d.latency
	}
	for i := range r.nics {
		n := &r.nics[i]
		n.RxBytes += uint64(n.rx / 8)
		n.TxBytes += uint64(n.tx / 8)
		n.RxPackets += uint64(n.rx / 8000)
		n.TxPackets += uint64(n.tx / 8000)
		n.RxMissed += n.drops
		n.RxCRC += n.crc
	}
}

// speak has every source say what it sees; a blind one says so.
func (r *rig) speak() {
	at, second := r.now, time.Second
	r.take(node.SawLinks{Reading: reading(r, node.SourceBond, r.links, 30*second)})
	r.take(node.SawOVS{Reading: reading(r, node.SourceOVS, slices.Clone(r.ovs), 30*second)})
	var counters []bond.Counters
	for _, n := range r.nics {
		counters = append(counters, n.Counters)
	}
	r.take(node.SawCounters{Reading: reading(r, node.SourceNIC, counters, second)})
	r.take(node.SawDrops{Reading: reading(r, node.SourceDrops, []bond.Drops(nil), 5*second)})
	r.take(node.SawMapped{Reading: reading(r, node.SourceKrbd, slices.Clone(r.mapped), 10*second)})
	var ios []rbd.IO
	for _, d := range r.disks {
		ios = append(ios, d.IO)
	}
	r.take(node.SawIO{Reading: reading(r, node.SourceIO, ios, second)})
	r.take(node.SawPending{Reading: reading(r, node.SourceOSDC, slices.Clone(r.pending), 5*second)})
	r.take(node.SawLibvirt{Reading: reading(r, node.SourceLibvirt, rbd.Guests{Guests: slices.Clone(r.guests)}, 30*second)})
	r.take(node.SawQEMU{Reading: node.Reading[rbd.Guests]{Err: &node.Error{Kind: node.Absent, Text: "libvirt sees them", Since: at}}})
	r.take(node.SawHost{Reading: reading(r, node.SourceHost, r.host, second)})
	cluster := node.Reading[ceph.Cluster]{Err: &node.Error{Kind: node.Absent, Text: "no keyring", Since: r.start}}
	if r.cluster != nil {
		cluster = reading(r, node.SourceCeph, *r.cluster, 30*second)
	}
	r.take(node.SawCluster{Reading: cluster})
	r.take(node.SawKernel{Reading: reading(r, node.SourceKmsg, kmsg.Batch{Counts: r.lines, Records: uint64(len(r.lines))}, second)})
	r.lines = nil
}

func reading[T any](r *rig, source string, value T, every time.Duration) node.Reading[T] {
	if err := r.dark[source]; err != nil {
		return node.Reading[T]{Err: err, Every: every}
	}
	return node.Reading[T]{Value: value, At: r.now, Every: every}
}

func (r *rig) take(o node.Observation) {
	r.judge.Take(node.Entry{At: r.now, Saw: node.Name(o), Obs: o})
}

// blind makes sources fail, or see again.
func (r *rig) blind(kind node.ErrorKind, sources ...string) *rig {
	for _, s := range sources {
		r.dark[s] = &node.Error{Kind: kind, Text: "test", Since: r.now}
		if kind == "" {
			delete(r.dark, s)
		}
	}
	return r
}

// log adds n equal kernel lines, in the second to come.
func (r *rig) log(class kmsg.Class, peer string, n uint64) *rig {
	return r.add(kmsg.Count{Class: class, Peer: peer, N: n})
}

// disk adds a kernel line about a device, in the second to come.
func (r *rig) disk(class kmsg.Class, device string, errno int) *rig {
	return r.add(kmsg.Count{Class: class, Device: device, Errno: errno, N: 1})
}

func (r *rig) add(c kmsg.Count) *rig {
	at := r.now.Add(900 * time.Millisecond)
	if c.First.IsZero() {
		c.First = at
	}
	if c.Last.IsZero() {
		c.Last = c.First
	}
	if c.Peer != "" && c.Addr == "" {
		var n int
		fmt.Sscanf(c.Peer, "osd%d", &n)
		c.Addr = fmt.Sprintf("192.0.2.%d:6801", 30+n%4)
	}
	if c.Text == "" {
		c.Text = fmt.Sprintf("%s %s%s", c.Class, c.Peer, c.Device)
	}
	r.lines = append(r.lines, c)
	return r
}

// stall leaves requests of the devices in flight that do not complete; none
// given: of all.
func (r *rig) stall(devices ...int) *rig {
	return r.each(devices, func(d *rigDisk) { d.iops, d.InFlightR = 0, 12 })
}

// flow lets the devices complete requests again.
func (r *rig) flow(devices ...int) *rig {
	return r.each(devices, func(d *rigDisk) { d.iops, d.InFlightR = 20, 0 })
}

func (r *rig) each(devices []int, do func(*rigDisk)) *rig {
	for i := range r.disks {
		if len(devices) == 0 || slices.Contains(devices, i) {
			do(&r.disks[i])
		}
	}
	return r
}

// carry sets what a NIC carries, in Gbit/s.
func (r *rig) carry(nic int, rx, tx float64) *rig {
	r.nics[nic].rx, r.nics[nic].tx = rx*1e9, tx*1e9
	return r
}

// wait puts one request of a device into osdc.
func (r *rig) wait(device, osd, attempts int, ops string) *rig {
	m := r.mapped[device]
	r.pending = []rbd.Pending{{FSID: m.FSID, ClientID: m.ClientID, Total: 1, Requests: []rbd.Request{{
		TID: 27, OSD: osd, Object: "rbd_data." + m.ImageID + ".0000000000000000", Attempts: attempts, Ops: ops,
	}}}}
	return r
}

// crcLoop has so many OSDs lose a session to a CRC fault each second, for so long.
func (r *rig) crcLoop(osds, seconds int) *rig {
	for range seconds {
		for i := range osds {
			r.add(kmsg.Count{Class: kmsg.CRC, Peer: fmt.Sprintf("osd%d", i+1), Detail: "data", N: 1})
		}
		r.run(1)
	}
	return r
}

// find returns a raised finding, and whether it is raised.
func (r *rig) find(rule, subject string) (report.Finding, bool) {
	for _, f := range r.view.Report.Findings {
		if f.Rule == rule && f.Subject == subject {
			return f, true
		}
	}
	return report.Finding{}, false
}

// want fails unless the finding is raised like this.
func (r *rig) want(rule, subject string, severity report.Severity, impact report.Impact) report.Finding {
	r.t.Helper()
	f, raised := r.find(rule, subject)
	if !raised || f.Severity != severity || f.Impact != impact {
		r.t.Errorf("%s: %s/%s is %q %q (raised: %v), want %q %q\nsummary: %s", r.now.Sub(r.start), rule, subject, f.Severity, f.Impact, raised, severity, impact, f.Summary)
	}
	return f
}

// wantNone fails if the finding is raised.
func (r *rig) wantNone(rule, subject string) {
	r.t.Helper()
	if f, raised := r.find(rule, subject); raised {
		r.t.Errorf("%s: %s/%s is raised as %s: %s", r.now.Sub(r.start), rule, subject, f.Severity, f.Summary)
	}
}

// defaults are all rules of this package with their defaults.
func defaults() rule.RuleSet { return rule.NewRuleSet(Rules) }
