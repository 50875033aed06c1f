package tape

import (
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// pass lets one second pass: counters rise, requests are sent again, loops log.
func (n *stage) pass(at time.Time) {
	for _, t := range n.traffic {
		t.pass()
	}
	for _, d := range n.io {
		d.pass()
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

// frame is the size in bytes that counted frames are thought to have.
const frame = 1448

func (t *traffic) pass() {
	c := &t.counters
	c.RxBytes += uint64(t.rx / 8)
	c.TxBytes += uint64(t.tx / 8)
	c.RxPackets += uint64(t.rx / 8 / frame)
	c.TxPackets += uint64(t.tx / 8 / frame)
	c.RxMissed += uint64(t.drops)
	c.RxCRC += uint64(t.crc)
	t.dropped += uint64(t.driver)
}

func (d *diskIO) pass() {
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

// reading makes what one source sees now into a Reading, or into its blindness.
func reading[T any](n *stage, name string, at time.Time, every time.Duration, value T) node.Reading[T] {
	if e, is := n.blind[name]; is {
		return node.Reading[T]{Every: every, Err: &e}
	}
	return node.Reading[T]{Value: value, At: at, Every: every}
}

// read reads one source.
func (n *stage) read(name string, at time.Time, every time.Duration) []node.Observation {
	if e, is := n.blind[name]; is && e.Kind == silent {
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
	}
	var list []node.Observation
	for _, b := range n.batches(at) {
		list = append(list, node.SawKernel{Reading: reading[kmsg.Batch](n, name, at, every, b)})
	}
	return list
}

// silent is the kind of blindness in which a source says nothing at all.
const silent node.ErrorKind = "silent"

func one(o node.Observation) []node.Observation { return []node.Observation{o} }

// picture is a copy of the links that later changes do not reach.
func (n *stage) picture() bond.Links {
	l := n.links
	l.Bonds, l.NICs = slices.Clone(l.Bonds), slices.Clone(l.NICs)
	for i := range l.Bonds {
		l.Bonds[i].Slaves = slices.Clone(l.Bonds[i].Slaves)
	}
	return l
}

// counters are those of every NIC there is, by name.
func (n *stage) counters() []bond.Counters {
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

func (n *stage) drops() []bond.Drops {
	var list []bond.Drops
	for _, c := range n.counters() {
		list = append(list, bond.Drops{Name: c.Name, Index: c.Index, Driver: "ixgbe", Counts: map[string]uint64{"rx_no_buffer_count": n.carries(c.Name).dropped}})
	}
	return list
}

func (n *stage) disks() []rbd.IO {
	var list []rbd.IO
	for _, m := range n.mapped {
		d := n.disk(m.Device)
		d.io.Device = m.Device
		list = append(list, d.io)
	}
	return list
}

// carries is the traffic of the named NIC.
func (n *stage) carries(nic string) *traffic {
	if n.traffic[nic] == nil {
		n.traffic[nic] = &traffic{}
	}
	return n.traffic[nic]
}

// disk is what the named krbd device does.
func (n *stage) disk(device string) *diskIO {
	if n.io[device] == nil {
		n.io[device] = &diskIO{}
	}
	return n.io[device]
}
