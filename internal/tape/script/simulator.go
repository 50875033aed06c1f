package script

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/override"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A simulator is the node on which a script is played: the current state as each
// source would read it, and what happens repeatedly each second.
type simulator struct {
	in     *Incident
	verbs  map[string]verb
	boot   time.Time // when the node booted, for kernel timestamps
	seq    uint64    // sequence number of the latest kernel record
	hidden map[string]node.Error
	fresh  map[string]bool // sources to be read at the end of this second, because their state has changed
	begun  bool            // Started has been sent since the last restart

	links   bond.Links
	ovs     []bond.Bond
	limits  []bond.Limit
	traffic map[string]*traffic
	mapped  []rbd.Mapped
	io      map[string]*diskIO
	pending []rbd.Pending
	growing map[uint64]int // resends per second, by TID
	guests  rbd.Guests
	host    host.State
	cluster ceph.Cluster
	reports []node.Delivery // delivery status of the reporters
	acked   []override.Acknowledgement
	logs    []logged
	tally   kmsg.Aggregator
	loops   []loop
}

// A traffic is the traffic of one NIC, and its counters so far.
type traffic struct {
	rx, tx     float64 // bit/s
	drops, crc float64 // frames per second
	driver     float64 // frames per second by the driver's own counter
	counters   bond.Counters
	dropped    uint64
}

// A diskIO is the I/O of one krbd device, and its counters so far.
type diskIO struct {
	iops     float64
	latency  time.Duration
	inflight uint64
	io       rbd.IO
	part     float64 // progress of an incomplete request
}

// A logged is kernel text that is logged in this second.
type logged struct {
	level   int
	text    string
	after   time.Duration // offset within the second
	history time.Duration // if above 0: how long before the start it was logged
	lost    uint64        // number of records lost before it
}

// A loop is kernel text that is logged repeatedly.
type loop struct {
	name  string
	level int // the record's priority: 4 is warning
	every time.Duration
	texts []string
	next  time.Duration // time of the next line since the start of the incident
}

func newSimulator(in *Incident) *simulator {
	absent := func(text string) node.Error { return node.Error{Kind: node.Absent, Text: text, Since: in.start} }
	boot := in.start.Add(-30 * 24 * time.Hour)
	return &simulator{
		in: in, verbs: verbs(), boot: boot, seq: 5000, tally: kmsg.Aggregator{Base: boot},
		hidden: map[string]node.Error{
			node.SourceOVS:  absent("ovs: no such socket"),
			node.SourceQEMU: absent("qemu: guests are libvirt's here"),
			node.SourceCeph: absent("ceph: no keyring"),
		},
		fresh: map[string]bool{}, traffic: map[string]*traffic{}, io: map[string]*diskIO{}, growing: map[uint64]int{},
		host: host.State{Release: "6.1.0-56-amd64", BootID: "a2f1c9de-0000-4000-8000-000000000001", CPUs: 128, Load: [3]float64{9, 9, 9}},
	}
}

// rounds are the sources of a simulator with the interval between their readings in
// seconds.
var rounds = []struct {
	name  string
	every int
}{
	{node.SourceBond, 30}, {node.SourceOVS, 30}, {node.SourceNIC, 1}, {node.SourceDrops, 10}, {node.SourceLimits, 10}, {node.SourceKrbd, 5},
	{node.SourceIO, 1},
	{node.SourceOSDC, 5}, {node.SourceLibvirt, 10}, {node.SourceQEMU, 10}, {node.SourceKmsg, 1}, {node.SourceHost, 5},
	{node.SourceCeph, 60},
	{node.SourceReporters, 2}, {node.SourceOverrides, 2},
}

// second simulates one second: state advances, sources that are due are read, and a
// tick follows. It returns false when yield does.
func (n *simulator) second(at time.Time, yield func(node.Entry) bool) bool {
	n.advance(at)
	if !n.begun {
		n.begun = true
		if !yield(entry(at, n.started())) {
			return false
		}
		for _, r := range rounds {
			n.fresh[r.name] = true
		}
	}
	second := int(at.Sub(n.in.start) / time.Second)
	for _, r := range rounds {
		if second%r.every != 0 && !n.fresh[r.name] {
			continue
		}
		for _, o := range n.read(r.name, at, time.Duration(r.every)*time.Second) {
			if !yield(entry(at, o)) {
				return false
			}
		}
	}
	clear(n.fresh)
	return yield(node.Entry{At: at.Add(900 * time.Millisecond)})
}

func entry(at time.Time, o node.Observation) node.Entry {
	return node.Entry{At: at, Saw: node.Name(o), Obs: o}
}

func (n *simulator) started() node.Observation {
	o := node.Started{Node: n.in.node, Version: "replay"}
	for _, r := range rounds {
		if r.name == node.SourceReporters && len(n.reports) == 0 || r.name == node.SourceOverrides && len(n.acked) == 0 {
			continue
		}
		o.Sources = append(o.Sources, node.Source{Name: r.name, Every: time.Duration(r.every) * time.Second})
	}
	return o
}

// batches converts this second's kernel text to the batches that the source would
// return.
func (n *simulator) batches(at time.Time) []kmsg.Batch {
	var list []kmsg.Batch
	old := kmsg.Aggregator{Base: n.boot}
	var past uint64 // history has its own sequence numbers, so that it leaves no gap in the live records
	slices.SortStableFunc(n.logs, func(a, b logged) int { return cmp.Compare(a.after, b.after) })
	slices.SortStableFunc(n.logs, func(a, b logged) int { return cmp.Compare(b.history, a.history) })
	for _, l := range n.logs {
		when, tally, seq := at.Add(l.after), &n.tally, &n.seq
		if l.history > 0 {
			when, tally, seq = at.Add(-l.history), &old, &past
		}
		*seq += 1 + l.lost
		tally.Add(fmt.Appendf(nil, "%d,%d,%d,-;%s\n", l.level, *seq, when.Sub(n.boot).Microseconds(), l.text))
	}
	n.logs = nil
	if b := old.Flush(); b.Records > 0 {
		b.History = true
		list = append(list, b)
	}
	return append(list, n.tally.Flush())
}

// advance advances the state by one second: counters rise, requests are resent, loops
// log.
func (n *simulator) advance(at time.Time) {
	for _, t := range n.traffic {
		t.advance()
	}
	for _, d := range n.io {
		d.advance()
	}
	for p := range n.pending {
		n.pending[p].Requests = slices.Clone(n.pending[p].Requests)
		for r := range n.pending[p].Requests {
			n.pending[p].Requests[r].Attempts += n.growing[n.pending[p].Requests[r].TID]
		}
	}
	since := at.Sub(n.in.start)
	for i := range n.loops {
		l := &n.loops[i]
		for ; l.next < since+time.Second; l.next += l.every {
			for _, text := range l.texts {
				n.logs = append(n.logs, logged{level: l.level, text: text, after: max(0, l.next-since)})
			}
		}
	}
}

// frame is the assumed size of counted frames in bytes.
const frame = 1448

func (t *traffic) advance() {
	c := &t.counters
	c.RxBytes += uint64(t.rx / 8)
	c.TxBytes += uint64(t.tx / 8)
	c.RxPackets += uint64(t.rx / 8 / frame)
	c.TxPackets += uint64(t.tx / 8 / frame)
	c.RxMissed += uint64(t.drops)
	c.RxCRC += uint64(t.crc)
	t.dropped += uint64(t.driver)
}

func (d *diskIO) advance() {
	d.part += d.iops
	done := uint64(d.part)
	d.part -= float64(done)
	ticks := done * uint64(d.latency.Milliseconds())
	d.io.Reads += done - done/3
	d.io.Writes += done / 3
	d.io.ReadSectors += (done - done/3) * 32
	d.io.WriteSectors += done / 3 * 32
	d.io.ReadTicks += ticks - ticks/3
	d.io.WriteTicks += ticks / 3
	d.io.InFlightR = d.inflight
}

// reading makes a Reading from the state of one source, or from its error if it is
// blind.
func reading[T any](n *simulator, name string, at time.Time, every time.Duration, value T) node.Reading[T] {
	if e, is := n.hidden[name]; is {
		return node.Reading[T]{Every: every, Err: &e}
	}
	return node.Reading[T]{Value: value, At: at, Every: every}
}

// read reads one source.
func (n *simulator) read(name string, at time.Time, every time.Duration) []node.Observation {
	if e, is := n.hidden[name]; is && e.Kind == silent {
		return nil
	}
	switch name {
	case node.SourceBond:
		return one(node.SawLinks{Reading: reading(n, name, at, every, n.picture())})
	case node.SourceOVS:
		return one(node.SawOVS{Reading: reading(n, name, at, every, slices.Clone(n.ovs))})
	case node.SourceNIC:
		return one(node.SawCounters{Reading: reading(n, name, at, every, n.counters())})
	case node.SourceDrops:
		return one(node.SawDrops{Reading: reading(n, name, at, every, n.drops())})
	case node.SourceLimits:
		return one(node.SawLimits{Reading: reading(n, name, at, every, bond.Limits{Links: n.everyLink(), Limits: slices.Clone(n.limits)})})
	case node.SourceKrbd:
		return one(node.SawMapped{Reading: reading(n, name, at, every, slices.Clone(n.mapped))})
	case node.SourceIO:
		return one(node.SawIO{Reading: reading(n, name, at, every, n.disks())})
	case node.SourceOSDC:
		return one(node.SawPending{Reading: reading(n, name, at, every, slices.Clone(n.pending))})
	case node.SourceLibvirt:
		return one(node.SawLibvirt{Reading: reading(n, name, at, every, rbd.Guests{Guests: slices.Clone(n.guests.Guests)})})
	case node.SourceQEMU:
		return one(node.SawQEMU{Reading: reading(n, name, at, every, rbd.Guests{})})
	case node.SourceHost:
		return one(node.SawHost{Reading: reading[host.State](n, name, at, every, n.host)})
	case node.SourceCeph:
		return one(node.SawCluster{Reading: reading[ceph.Cluster](n, name, at, every, n.cluster)})
	case node.SourceReporters:
		if len(n.reports) == 0 {
			return nil
		}
		return one(node.SawDeliveries{Reading: reading(n, name, at, every, n.deliveries(at))})
	case node.SourceOverrides:
		if len(n.acked) == 0 {
			return nil
		}
		return one(node.SawOverrides{Reading: reading(n, name, at, every, override.Overrides{Accepted: slices.Clone(n.acked)})})
	}
	var list []node.Observation
	for _, b := range n.batches(at) {
		list = append(list, node.SawKernel{Reading: reading[kmsg.Batch](n, name, at, every, b)})
	}
	return list
}

// silent is the kind of blindness in which a source sends no readings at all.
const silent node.ErrorKind = "silent"

func one(o node.Observation) []node.Observation { return []node.Observation{o} }

// picture returns a copy of the links that later changes do not affect.
func (n *simulator) picture() bond.Links {
	l := n.links
	l.Bonds, l.NICs = slices.Clone(l.Bonds), slices.Clone(l.NICs)
	for i := range l.Bonds {
		l.Bonds[i].Slaves = slices.Clone(l.Bonds[i].Slaves)
	}
	return l
}

// counters returns the counters of every NIC, by name.
func (n *simulator) counters() []bond.Counters {
	var list []bond.Counters
	add := func(name string, index, speed int) {
		c := n.carries(name).counters
		c.Name, c.Index, c.Speed = name, index, speed
		list = append(list, c)
	}
	for _, b := range slices.Concat(n.links.Bonds, n.ovs) {
		for _, s := range b.Slaves {
			add(s.Name, s.Index, s.Speed)
		}
	}
	for _, c := range n.links.NICs {
		add(c.Name, c.Index, c.Speed)
	}
	return list
}

func (n *simulator) drops() []bond.Drops {
	var list []bond.Drops
	for _, c := range n.counters() {
		list = append(list, bond.Drops{Name: c.Name, Index: c.Index, Driver: "ixgbe",
			Counts: map[string]uint64{"rx_no_buffer_count": n.carries(c.Name).dropped}})
	}
	return list
}

func (n *simulator) disks() []rbd.IO {
	var list []rbd.IO
	for _, m := range n.mapped {
		d := n.disk(m.Device)
		d.io.Device = m.Device
		list = append(list, d.io)
	}
	return list
}

// carries returns the traffic of the named NIC.
func (n *simulator) carries(nic string) *traffic {
	if n.traffic[nic] == nil {
		n.traffic[nic] = &traffic{}
	}
	return n.traffic[nic]
}

// disk returns the I/O of the named krbd device.
func (n *simulator) disk(device string) *diskIO {
	if n.io[device] == nil {
		n.io[device] = &diskIO{}
	}
	return n.io[device]
}
