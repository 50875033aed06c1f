package tape

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A stage is the node an incident's script plays on: what each source would see
// now, and what goes on happening each second.
type stage struct {
	in    *Incident
	boot  time.Time // when the node booted, for kernel stamps
	seq   uint64    // of the latest kernel record
	blind map[string]node.Error
	fresh map[string]bool // sources to be read at the end of this second, as what they see has changed
	begun bool            // Started has been said since the last restart

	links   bond.Links
	ovs     []bond.Bond
	traffic map[string]*traffic
	mapped  []rbd.Mapped
	io      map[string]*diskIO
	pending []rbd.Pending
	growing map[uint64]int // attempts a second, by TID
	guests  rbd.Guests
	host    host.State
	cluster ceph.Cluster
	logs    []logged
	tally   kmsg.Tally
	loops   []loop
}

// A traffic is what one NIC carries, and its counters so far.
type traffic struct {
	rx, tx     float64 // bit/s
	drops, crc float64 // frames a second
	driver     float64 // frames a second by the driver's own count
	counters   bond.Counters
	dropped    uint64
}

// A diskIO is what one krbd device does, and its counters so far.
type diskIO struct {
	iops     float64
	latency  time.Duration
	inflight uint64
	io       rbd.IO
	part     float64 // of a request not yet done
}

// A logged is kernel text that is logged this second.
type logged struct {
	level   int
	text    string
	after   time.Duration // within the second
	history time.Duration // if above 0: how long before the start it was logged
	lost    uint64        // records lost before it
}

// A loop is kernel text that is logged again and again.
type loop struct {
	name  string
	level int // a record's priority: 4 warning
	every time.Duration
	texts []string
	next  time.Duration // since the start of the incident
}

func newStage(in *Incident) *stage {
	absent := func(text string) node.Error { return node.Error{Kind: node.Absent, Text: text, Since: in.start} }
	boot := in.start.Add(-30 * 24 * time.Hour)
	return &stage{
		in: in, boot: boot, seq: 5000, tally: kmsg.Tally{Base: boot},
		blind: map[string]node.Error{
			node.SourceOVS:  absent("ovs: no such socket"),
			node.SourceQEMU: absent("qemu: guests are libvirt's here"),
			node.SourceCeph: absent("ceph: no keyring"),
		},
		fresh: map[string]bool{}, traffic: map[string]*traffic{}, io: map[string]*diskIO{}, growing: map[uint64]int{},
		host: host.State{Release: "6.1.0-56-amd64", BootID: "a2f1c9de-0000-4000-8000-000000000001", CPUs: 128, Load: [3]float64{9, 9, 9}},
	}
}

// rounds are the sources of a stage and how many seconds lie between their readings.
var rounds = []struct {
	name  string
	every int
}{
	{node.SourceBond, 30}, {node.SourceOVS, 30}, {node.SourceNIC, 1}, {node.SourceDrops, 10}, {node.SourceKrbd, 5}, {node.SourceIO, 1},
	{node.SourceOSDC, 5}, {node.SourceLibvirt, 10}, {node.SourceQEMU, 10}, {node.SourceKmsg, 1}, {node.SourceHost, 5}, {node.SourceCeph, 60},
}

// second lets one second pass: things happen, sources that are due are read, and
// it is time to judge. It returns false when yield does.
func (n *stage) second(at time.Time, yield func(node.Entry) bool) bool {
	n.pass(at)
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

func (n *stage) started() node.Observation {
	o := node.Started{Node: n.in.node, Version: "replay"}
	for _, r := range rounds {
		o.Sources = append(o.Sources, node.Source{Name: r.name, Every: time.Duration(r.every) * time.Second})
	}
	return o
}

// batches turns this second's kernel text into what the source would give.
func (n *stage) batches(at time.Time) []kmsg.Batch {
	var list []kmsg.Batch
	old := kmsg.Tally{Base: n.boot}
	var past uint64 // history has numbers of its own: it leaves no gap in what is news
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
	if b := old.Take(); b.Records > 0 {
		b.History = true
		list = append(list, b)
	}
	return append(list, n.tally.Take())
}
