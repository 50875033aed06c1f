package all_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A big is a node ten times the size of the incident's, with its observations of each
// second.
type big struct {
	nodetest.Hypervisor
	links  bond.Links
	mapped []rbd.Mapped
	guests rbd.Guests
	host   host.State
	osds   []ceph.OSD
	peers  []string // OSD names as in the kernel log
	second uint64

	counters []bond.Counters // observations of the latest second, like the fields below
	disks    []rbd.IO
	counts   [4][]kmsg.Count
}

func newBig() *big {
	b := &big{Hypervisor: nodetest.TenTimes(), host: host.State{Release: "6.1.0-56-amd64", BootID: "a", CPUs: 128,
		Load: [3]float64{40, 40, 40}, IO: &host.Pressure{Some10: 4}}}
	b.links, b.mapped, b.guests = b.Links(), b.Mapped(), b.Domains()
	for i := range b.links.Bonds[1:] { // one bond hashes with layer2
		b.links.Bonds[1+i].HashPolicy = bond.Layer34
	}
	for i := range b.guests.Guests {
		b.guests.Guests[i].State, b.guests.Guests[i].Reason = "running", ""
	}
	for i := range b.OSDs {
		b.osds = append(b.osds, ceph.OSD{ID: i, Up: true, In: true, Addrs: []string{fmt.Sprintf("198.51.100.%d:%d", 1+i/20, 6800+i%20)}})
		b.peers = append(b.peers, fmt.Sprintf("osd%d", i))
	}
	return b
}

// each returns the observations of one second. They are valid until the next call,
// which reuses their memory, so that creating them leaves no garbage to collect.
func (b *big) each(at time.Time, storm bool) []node.Observation {
	b.second++
	b.counters, b.disks = b.counters[:0], b.disks[:0]
	for i := range 2 * b.Bonds {
		b.counters = append(b.counters, bond.Counters{Name: b.links.Bonds[i/2].Slaves[i%2].Name,
			Index: b.links.Bonds[i/2].Slaves[i%2].Index, Speed: 10000, RxBytes: b.second * 1e9, TxBytes: b.second * 3e8,
			RxPackets: b.second * 7e5, RxMissed: b.second * uint64(i%2)})
	}
	done, flying := b.second*20, uint64(1)
	if storm {
		done, flying = 0, 4
	}
	for i := range b.Disks {
		b.disks = append(b.disks, rbd.IO{Device: b.mapped[i].Device, Reads: done, ReadTicks: 5 * done, InFlightR: flying})
	}
	list := []node.Observation{node.SawCounters{Reading: nodetest.Reading(at, 0, b.counters)},
		node.SawIO{Reading: nodetest.Reading(at, 0, b.disks)}}
	for quarter := range b.counts { // the kernel log is read four times a second
		counts := b.counts[quarter][:0]
		for i := 0; storm && i < b.OSDs; i++ { // each second, each session has 28 CRC faults and is closed once by the OSD
			counts = append(counts, kmsg.Count{Class: kmsg.CRC, Peer: b.peers[i], Addr: b.osds[i].Addrs[0], N: 7, First: at, Last: at,
				Text: "libceph: osd (1) bad crc/signature"})
			if quarter == i%4 {
				counts = append(counts, kmsg.Count{Class: kmsg.ClosedOpen, Peer: b.peers[i], Addr: b.osds[i].Addrs[0], N: 1, First: at,
					Last: at, Text: "libceph: osd (1) socket closed"})
			}
		}
		b.counts[quarter] = counts
		list = append(list, node.SawKernel{Reading: nodetest.Reading(at, 0, kmsg.Batch{Records: 10, Counts: counts})})
	}
	return list
}

// spent returns the CPU time used by this thread.
func spent(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// rare returns the observations of the slower sources.
func (b *big) rare(at time.Time) []node.Observation {
	var requests []rbd.Request
	for i := range 64 {
		requests = append(requests, rbd.Request{TID: uint64(i), OSD: i, Object: "rbd_data.000000000001.0000000000000001",
			Attempts: int(b.second) + i, Ops: "read"})
	}
	return []node.Observation{
		node.SawLinks{Reading: nodetest.Reading(at, 0, b.links)},
		node.SawOVS{Reading: node.Reading[[]bond.Bond]{Err: &node.Error{Kind: node.Absent, Since: at}}},
		node.SawDrops{Reading: nodetest.Reading(at, 0, []bond.Drops{{Name: "eth0", Index: 11, Driver: "ixgbe",
			Counts: map[string]uint64{"rx_no_dma_resources": b.second}}})},
		node.SawMapped{Reading: nodetest.Reading(at, 0, b.mapped)},
		node.SawPending{Reading: nodetest.Reading(at, 0, []rbd.Pending{{FSID: b.mapped[0].FSID, ClientID: b.mapped[0].ClientID, Total: 64,
			Requests: requests}})},
		node.SawLibvirt{Reading: nodetest.Reading(at, 0, b.guests)},
		node.SawQEMU{Reading: nodetest.Reading(at, 0, rbd.Guests{Guests: b.guests.Guests})},
		node.SawHost{Reading: nodetest.Reading(at, 0, b.host)},
		node.SawCluster{Reading: nodetest.Reading(at, 0, ceph.Cluster{FSID: b.mapped[0].FSID, Health: ceph.Health{Status: "HEALTH_OK"},
			OSDMap: ceph.OSDMap{OSDs: b.osds}})},
	}
}

// BenchmarkTick measures one second of a node ten times the size of the incident's:
// folding the observations, evaluating every rule, and building the report. Once a
// minute, all sources are read in one second of a storm. cpu-ms is the median CPU time
// per second on one core; least-cpu-ms is the minimum, which other work on the machine
// affects least.
func BenchmarkTick(b *testing.B) {
	for _, c := range []struct {
		name        string
		storm, rare bool
	}{{"quiet", false, false}, {"storm", true, false}, {"quiet with every source", false, true}, {"storm with every source", true, true}} {
		b.Run(c.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			n, j, at, cpu := newBig(), judge.New(all.Default()), nodetest.HypervisorStart, []time.Duration(nil)
			take := func(list []node.Observation) {
				for _, o := range list {
					j.Take(node.Entry{At: at, Obs: o})
				}
			}
			for _, e := range n.Begin().Tape {
				j.Take(e)
			}
			take(n.rare(at))
			second := func() {
				at = at.Add(time.Second)
				b.StopTimer()
				list := n.each(at, c.storm)
				if c.rare {
					list = append(list, n.rare(at)...)
				}
				b.StartTimer()
				began := spent(b)
				take(list)
				if _, judged := j.Take(node.Entry{At: at.Add(900 * time.Millisecond)}); !judged {
					b.Fatal("nothing was judged")
				}
				cpu = append(cpu, spent(b)-began)
			}
			for range 90 {
				second()
			}
			b.ReportAllocs()
			b.ResetTimer()
			cpu = nil
			for b.Loop() {
				second()
			}
			slices.Sort(cpu)
			b.ReportMetric(float64(cpu[len(cpu)/2].Microseconds())/1000, "cpu-ms")
			b.ReportMetric(float64(cpu[0].Microseconds())/1000, "least-cpu-ms")
		})
	}
}
