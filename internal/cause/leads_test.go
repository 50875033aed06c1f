package cause

import (
	"fmt"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// fourDisks returns a node with a guest on each of four krbd disks that use eth0, which
// carries little traffic unless a test changes that.
func fourDisks(os string) *nodetest.Node {
	n := nodetest.New(bond.Links{
		NICs: []bond.NIC{{Name: "eth0", Index: 2, Up: true, Speed: 10000}}, Addresses: []bond.Address{{IP: "192.0.2.12", Index: 2}},
	}).MapDisks(4, "192.0.2.12")
	guests := nodetest.VMs(4, 0, "")
	for i, m := range n.Snapshot.Mapped.Value {
		guests[i].OS, guests[i].Disks = os, []rbd.Disk{{Target: "vda", Path: "/dev/" + m.Device, Major: m.Major, Minor: m.Minor}}
	}
	other := line(kmsg.OSDUp, "osd91", "")
	other.Addr = "192.0.2.40:6800"
	n.SeeGuests(guests...).Log(line(kmsg.OSDUp, "osd90", "")).Log(other) // the known cluster: OSDs of two more hosts
	return n.Carry("eth0", 0.1, 0).Do(nodetest.IO{Done: 20, Ms: 3}).Pass(60)
}

// stall stops all disks.
func stall(n *nodetest.Node) *nodetest.Node { return n.Do(nodetest.IO{InFlight: 8}) }

// line returns a line about an OSD, whose host is derived from the tens of its
// number.
func line(class kmsg.Class, peer, detail string) kmsg.Count {
	osd := 0
	_, _ = fmt.Sscanf(peer, "osd%d", &osd)
	return kmsg.Count{Class: class, Peer: peer, Detail: detail, Addr: fmt.Sprintf("192.0.2.%d:6800", 30+osd/10), N: 1, Text: "a line"}
}

// lose loses the sessions with OSDs every second, for the given time.
func lose(n *nodetest.Node, seconds int, class kmsg.Class, detail string, osds ...int) {
	for range seconds {
		for _, osd := range osds {
			n.Log(line(class, fmt.Sprintf("osd%d", osd), detail))
		}
		n.Pass(1)
	}
}

// loop and waiting return the analyses of a loop of lost sessions and of stalled
// disks.
func loop(n *nodetest.Node) Analysis {
	f := facts.New(n.Snapshot, facts.Baselines{})
	losses := f.SessionLosses(time.Minute)
	return OfLoop(f, Loop{First: f.FirstLoss(), Losses: losses, OSDs: losses.OSDs, Stalls: f.Stalls()})
}

func waiting(n *nodetest.Node) Analysis {
	f := facts.New(n.Snapshot, facts.Baselines{})
	return OfStall(f, f.Stalls())
}

// many are OSDs of four hosts.
var many = []int{1, 2, 11, 12, 21, 22, 31, 32}

// The evidence that docs/diagnosis.md lists for each cause leads to its conclusion.
func TestWhatLeadsToEachCause(t *testing.T) {
	for want, analysis := range map[Cause]func() Analysis{
		Saturation: func() Analysis { // a storage NIC is full before the first fault
			n := fourDisks("linux")
			n.Carry("eth0", 9.8, 0)
			stall(n.Pass(15))
			lose(n, 20, kmsg.CRC, "", many...)
			return loop(n)
		},
		UnstableBuffers: func() Analysis { // CRC faults with idle links, Windows without rxbounce
			n := fourDisks("windows")
			stall(n)
			lose(n, 20, kmsg.CRC, "", many...)
			return loop(n)
		},
		SparseRead: func() Analysis { // the kernel's own log lines of that loop
			n := fourDisks("linux")
			stall(n)
			lose(n, 20, kmsg.SocketError, "sparse read", many...)
			return loop(n)
		},
		OneOSD: func() Analysis { // all faults with one OSD
			n := fourDisks("linux")
			lose(n, 20, kmsg.CRC, "", 3)
			return loop(n)
		},
		OneHost: func() Analysis {
			n := fourDisks("linux")
			stall(n)
			lose(n, 20, kmsg.CRC, "", 1, 2, 3)
			return loop(n)
		},
		Wire: func() Analysis { // rx_crc_errors rise
			n := fourDisks("linux")
			n.Traffic["eth0"].CRC = 20
			stall(n.Pass(30))
			lose(n, 20, kmsg.CRC, "", many...)
			return loop(n)
		},
		BadMemory: func() Analysis { // machine checks along with CRC faults
			n := fourDisks("linux")
			n.Log(line(kmsg.MachineCheck, "", "UE"))
			stall(n)
			lose(n, 20, kmsg.CRC, "", many...)
			return loop(n)
		},
		NoMemory: func() Analysis { // sessions end for lack of memory
			n := fourDisks("linux")
			stall(n)
			lose(n, 20, kmsg.NoMemory, "", many...)
			return loop(n)
		},
		ClusterFull: func() Analysis { // the kernel reports it
			n := fourDisks("linux")
			n.Log(line(kmsg.Full, "", ""))
			stall(n)
			return waiting(n.Pass(20))
		},
		ClusterDown: func() Analysis { // OSDs down
			n := fourDisks("linux")
			stall(n)
			for _, osd := range many {
				n.Log(line(kmsg.OSDDown, fmt.Sprintf("osd%d", osd), ""))
			}
			return waiting(n.Pass(20))
		},
		Refused: func() Analysis { // cephx
			n := fourDisks("linux")
			stall(n)
			lose(n, 20, kmsg.AuthFault, "authorizer", many...)
			return waiting(n)
		},
		NoOSD: func() Analysis { // CRUSH returns no OSD
			n := fourDisks("linux")
			n.Log(line(kmsg.NoOSD, "", ""))
			stall(n)
			return waiting(n.Pass(20))
		},
		PathMTU: func() Analysis { // small requests complete, others hang
			n := fourDisks("linux")
			n.See(node.SawPending{Reading: nodetest.Reading(n.At, 0, []rbd.Pending{{FSID: "f", ClientID: 4151, Total: 3,
				Requests: waits()}})})
			n.Pass(20)
			n.See(node.SawPending{Reading: nodetest.Reading(n.At, 0, []rbd.Pending{{FSID: "f", ClientID: 4151, Total: 3,
				Requests: waits()}})})
			return waiting(n)
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

// waits returns requests of three disks that wait for three OSDs.
func waits() []rbd.Request {
	var list []rbd.Request
	for i := range 3 {
		list = append(list, rbd.Request{TID: uint64(i + 1), OSD: 10 * i, Object: fmt.Sprintf("rbd_data.%012d.0000000000000001", i),
			Attempts: 1, Ops: "write"})
	}
	return list
}

// An unknown about one cause does not prevent the conclusion of another: a node that
// cannot read its guests' systems still concludes saturation.
func TestAnUnknownWithholdsNoCause(t *testing.T) {
	n := fourDisks("linux")
	n.See(node.SawLibvirt{Reading: nodetest.Failed[rbd.Guests](n.At, node.Failed, "no answer", "")})
	n.Carry("eth0", 9.8, 0)
	stall(n.Pass(15))
	lose(n, 20, kmsg.CRC, "", many...)
	if a := loop(n); a.Concluded() != Saturation {
		t.Errorf("concluded %s, want saturation: %s", string(a.Concluded()), a)
	}
}

// A NIC that fills up after the first fault is filled by resent requests.
func TestSaturationAfterTheFirstFaultIsNoCause(t *testing.T) {
	n := fourDisks("windows")
	stall(n)
	lose(n, 5, kmsg.CRC, "", many...)
	n.Carry("eth0", 9.8, 0)
	lose(n, 20, kmsg.CRC, "", many...)
	if a := loop(n); a.Concluded() != UnstableBuffers {
		t.Errorf("concluded %s, want unstable buffers: %s", string(a.Concluded()), a)
	}
}
