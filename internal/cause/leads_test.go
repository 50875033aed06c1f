package cause

import (
	"fmt"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

var start = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

// A scene is a node with four krbd disks behind eth0, which carries little until a
// test says otherwise.
type scene struct {
	s    node.Snapshot
	at   time.Time
	nic  bond.Counters
	rx   float64 // bit/s
	crc  uint64  // corrupted frames a second
	done uint64  // requests of each disk
	io   func(disk int) rbd.IO
}

func newScene(windows bool) *scene {
	sc := &scene{at: start, nic: bond.Counters{Name: "eth0", Index: 2, Speed: 10000}, rx: 1e8}
	sc.see(node.Started{Node: "node2"})
	sc.see(node.SawLinks{Reading: reading(sc.at, bond.Links{
		NICs: []bond.NIC{{Name: "eth0", Index: 2, Up: true, Speed: 10000}}, Addresses: []bond.Address{{IP: "192.0.2.12", Index: 2}},
	})})
	var disks []rbd.Mapped
	var guests []rbd.Guest
	for i := range 4 {
		disks = append(disks, rbd.Mapped{
			ID: i, Device: fmt.Sprintf("rbd%d", i), Major: 252, Minor: uint32(16 * i), Pool: "rbd", Image: fmt.Sprintf("disk-%d", i), ImageID: fmt.Sprintf("%012d", i),
			FSID: "f", ClientID: 4123, ClientAddr: "192.0.2.12", Options: &rbd.Options{},
		})
		os := "linux"
		if windows {
			os = "windows"
		}
		guests = append(guests, rbd.Guest{Name: fmt.Sprintf("vm%d", i), ID: fmt.Sprint(i), Kind: "vm", State: "running", OS: os, Disks: []rbd.Disk{
			{Target: "vda", Path: fmt.Sprintf("/dev/rbd%d", i), Major: 252, Minor: uint32(16 * i)},
		}})
	}
	sc.see(node.SawMapped{Reading: reading(sc.at, disks)})
	sc.see(node.SawLibvirt{Reading: reading(sc.at, rbd.Guests{Guests: guests})})
	sc.log(kmsg.OSDUp, "osd90", "") // what is known of the cluster: OSDs of two more hosts
	sc.logAt(kmsg.OSDUp, "osd91", "", "192.0.2.40:6800")
	sc.io = func(int) rbd.IO { return rbd.IO{Reads: sc.done, ReadTicks: 3 * sc.done} }
	return sc.pass(60)
}

func reading[T any](at time.Time, value T) node.Reading[T] {
	return node.Reading[T]{Value: value, At: at, Every: time.Hour}
}

func (sc *scene) see(o node.Observation) { sc.s = sc.s.Take(node.Entry{At: sc.at, Obs: o}) }

// log logs a line about an OSD at the host of its number's ten.
func (sc *scene) log(class kmsg.Class, peer, detail string) {
	n := 0
	_, _ = fmt.Sscanf(peer, "osd%d", &n)
	sc.logAt(class, peer, detail, fmt.Sprintf("192.0.2.%d:6800", 30+n/10))
}

func (sc *scene) logAt(class kmsg.Class, peer, detail, addr string) {
	sc.see(node.SawKernel{Reading: reading(sc.at, kmsg.Batch{Records: 1, Counts: []kmsg.Count{
		{Class: class, Peer: peer, Detail: detail, Addr: addr, N: 1, First: sc.at, Last: sc.at, Text: "a line"},
	}})})
}

// pass lets seconds pass.
func (sc *scene) pass(seconds int) *scene {
	for range seconds {
		sc.at = sc.at.Add(time.Second)
		sc.done += 20
		sc.nic.RxBytes += uint64(sc.rx / 8)
		sc.nic.RxCRC += sc.crc
		var list []rbd.IO
		for i := range 4 {
			d := sc.io(i)
			d.Device = fmt.Sprintf("rbd%d", i)
			list = append(list, d)
		}
		sc.see(node.SawIO{Reading: reading(sc.at, list)})
		sc.see(node.SawCounters{Reading: reading(sc.at, []bond.Counters{sc.nic})})
	}
	return sc
}

// stall stops all disks.
func (sc *scene) stall() {
	stopped := sc.done
	sc.io = func(int) rbd.IO { return rbd.IO{Reads: stopped, ReadTicks: 3 * stopped, InFlightR: 8} }
}

// lose has sessions with the OSDs lost every second, for so long.
func (sc *scene) lose(seconds int, class kmsg.Class, detail string, osds ...int) {
	for range seconds {
		sc.pass(1)
		for _, n := range osds {
			sc.log(class, fmt.Sprintf("osd%d", n), detail)
		}
	}
}

func (sc *scene) facts() *facts.Facts {
	return facts.New(sc.s.Take(node.Entry{At: sc.at.Add(900 * time.Millisecond)}), facts.Baselines{})
}

func (sc *scene) loop() Analysis {
	f := sc.facts()
	losses := f.SessionLosses(time.Minute)
	return OfLoop(f, Loop{First: f.FirstLoss(), Losses: losses, OSDs: losses.OSDs, Stalls: f.Stalls()})
}

func (sc *scene) waiting() Analysis { f := sc.facts(); return OfStall(f, f.Stalls()) }

// many are OSDs of four hosts.
var many = []int{1, 2, 11, 12, 21, 22, 31, 32}

// What docs/diagnosis.md says leads to a cause concludes it.
func TestWhatLeadsToEachCause(t *testing.T) {
	for want, analysis := range map[Cause]func() Analysis{
		Saturation: func() Analysis { // a storage NIC full before the first fault
			sc := newScene(false)
			sc.rx = 9.8e9
			sc.pass(15).stall()
			sc.lose(20, kmsg.CRC, "", many...)
			return sc.loop()
		},
		UnstableBuffers: func() Analysis { // CRC faults with calm links, Windows without rxbounce
			sc := newScene(true)
			sc.stall()
			sc.lose(20, kmsg.CRC, "", many...)
			return sc.loop()
		},
		SparseRead: func() Analysis { // the kernel's own lines of that loop
			sc := newScene(false)
			sc.stall()
			sc.lose(20, kmsg.SocketError, "sparse read", many...)
			return sc.loop()
		},
		OneOSD: func() Analysis { // all faults with one
			sc := newScene(false)
			sc.lose(20, kmsg.CRC, "", 3)
			return sc.loop()
		},
		OneHost: func() Analysis {
			sc := newScene(false)
			sc.stall()
			sc.lose(20, kmsg.CRC, "", 1, 2, 3)
			return sc.loop()
		},
		Wire: func() Analysis { // rx_crc_errors rise
			sc := newScene(false)
			sc.crc = 20
			sc.pass(30).stall()
			sc.lose(20, kmsg.CRC, "", many...)
			return sc.loop()
		},
		BadMemory: func() Analysis { // machine checks beside CRC faults
			sc := newScene(false)
			sc.log(kmsg.MachineCheck, "", "UE")
			sc.stall()
			sc.lose(20, kmsg.CRC, "", many...)
			return sc.loop()
		},
		NoMemory: func() Analysis { // sessions end for lack of memory
			sc := newScene(false)
			sc.stall()
			sc.lose(20, kmsg.NoMemory, "", many...)
			return sc.loop()
		},
		ClusterFull: func() Analysis { // the kernel reports it
			sc := newScene(false)
			sc.log(kmsg.Full, "", "")
			sc.stall()
			return sc.pass(20).waiting()
		},
		ClusterDown: func() Analysis { // OSDs down
			sc := newScene(false)
			sc.stall()
			for _, n := range many {
				sc.log(kmsg.OSDDown, fmt.Sprintf("osd%d", n), "")
			}
			return sc.pass(20).waiting()
		},
		Refused: func() Analysis { // cephx
			sc := newScene(false)
			sc.stall()
			sc.lose(20, kmsg.AuthFault, "authorizer", many...)
			return sc.waiting()
		},
		NoOSD: func() Analysis { // CRUSH gives none
			sc := newScene(false)
			sc.log(kmsg.NoOSD, "", "")
			sc.stall()
			return sc.pass(20).waiting()
		},
		PathMTU: func() Analysis { // small requests pass, others hang
			sc := newScene(false)
			sc.see(node.SawPending{Reading: reading(sc.at, []rbd.Pending{{FSID: "f", ClientID: 4123, Total: 3, Requests: waits()}})})
			sc.pass(20)
			sc.see(node.SawPending{Reading: reading(sc.at, []rbd.Pending{{FSID: "f", ClientID: 4123, Total: 3, Requests: waits()}})})
			return sc.waiting()
		},
	} {
		a := analysis()
		if got := a.Concluded(); got != want {
			t.Errorf("want %s, concluded %s", string(want), string(got))
			for _, c := range a.Candidates {
				t.Logf("  %s: %d", string(c.Cause), c.Score())
				for _, e := range c.Evidence {
					t.Logf("    %+d %s", e.Weight, e.Fact)
				}
			}
		}
	}
}

// waits are requests of three disks that wait for three OSDs.
func waits() []rbd.Request {
	var list []rbd.Request
	for i := range 3 {
		list = append(list, rbd.Request{TID: uint64(i + 1), OSD: 10 * i, Object: fmt.Sprintf("rbd_data.%012d.0000000000000001", i), Attempts: 1, Ops: "write"})
	}
	return list
}

// What is not known of one cause does not withhold another: a node that cannot read
// its guests' systems concludes saturation as well.
func TestAnUnknownWithholdsNoCause(t *testing.T) {
	sc := newScene(false)
	sc.see(node.SawLibvirt{Reading: node.Reading[rbd.Guests]{Err: &node.Error{Kind: node.Failed, Since: sc.at}}})
	sc.rx = 9.8e9
	sc.pass(15).stall()
	sc.lose(20, kmsg.CRC, "", many...)
	if a := sc.loop(); a.Concluded() != Saturation {
		t.Errorf("concluded %s, want saturation: %s", string(a.Concluded()), a)
	}
}

// A NIC that fills up after the first fault is filled by what is resent.
func TestSaturationAfterTheFirstFaultIsNoCause(t *testing.T) {
	sc := newScene(true)
	sc.stall()
	sc.lose(5, kmsg.CRC, "", many...)
	sc.rx = 9.8e9
	sc.lose(20, kmsg.CRC, "", many...)
	if a := sc.loop(); a.Concluded() != UnstableBuffers {
		t.Errorf("concluded %s, want unstable buffers: %s", string(a.Concluded()), a)
	}
}
