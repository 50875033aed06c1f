package facts

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// newNode returns a node with disks of one client that use eth0. The node has read
// its kernel log.
func newNode(disks int) *nodetest.Node {
	return nodetest.New(bond.Links{
		NICs: []bond.NIC{{Name: "eth0", Index: 2, Up: true, Speed: 10000}}, Addresses: []bond.Address{{IP: "192.0.2.12", Index: 2}},
	}).MapDisks(disks, "192.0.2.12").Log()
}

// line returns a line of the kernel log.
func line(class kmsg.Class, peer, detail string) kmsg.Count {
	return kmsg.Count{Class: class, Peer: peer, Detail: detail, N: 1, Addr: "192.0.2.33:6800", Text: "a line"}
}

// factsOf returns the facts of n.
func factsOf(n *nodetest.Node) *Facts { return New(n.Snapshot, Baselines{}) }

func TestEveryReasonThatEndsASessionCounts(t *testing.T) {
	for _, c := range []struct {
		class                              kmsg.Class
		detail                             string
		broken, ended, unanswered, refused uint64
	}{
		{kmsg.CRC, "data", 1, 0, 0, 0},
		{kmsg.Integrity, "epilogue", 1, 0, 0, 0},
		{kmsg.SocketError, "sparse read", 1, 0, 0, 0},
		{kmsg.ClosedOpen, "", 0, 1, 0, 0},
		{kmsg.SocketError, "read", 0, 1, 0, 0},
		{kmsg.ProtocolFault, "", 0, 1, 0, 0},
		{kmsg.ProtocolFault, "sequence", 0, 1, 0, 0},
		{kmsg.NoMemory, "", 0, 1, 0, 0},
		{kmsg.ConnectError, "", 0, 0, 1, 0},
		{kmsg.Closed, "V2_BANNER_PREFIX", 0, 0, 1, 0},
		{kmsg.WrongPeer, "", 0, 0, 1, 0},
		{kmsg.AuthFault, "authorizer", 0, 0, 0, 1},
		{kmsg.ProtocolFault, "features", 0, 0, 0, 1},
		{kmsg.ProtocolFault, "version", 0, 0, 0, 1},
	} {
		n := newNode(1)
		n.Log(line(c.class, "osd7", c.detail))
		list := factsOf(n).SessionLosses(time.Minute).OSDs
		if len(list) != 1 {
			t.Errorf("%s %s: got %d OSDs, want one", c.class, c.detail, len(list))
			continue
		}
		o := list[0]
		if o.OSD != "osd7" || o.All() != 1 || o.Broken() != c.broken || o.Ended() != c.ended || o.Unanswered() != c.unanswered ||
			o.Refused() != c.refused {
			t.Errorf("%s %s: got %+v", c.class, c.detail, o)
		}
	}
}

func TestARestartOfAnOSDIsNoLoss(t *testing.T) {
	n := newNode(1)
	n.Log(line(kmsg.OSDDown, "osd7", ""))
	n.Log(line(kmsg.ClosedOpen, "osd7", ""))
	n.Wait(20 * time.Second)
	if list := factsOf(n).SessionLosses(time.Minute).OSDs; len(list) != 0 {
		t.Errorf("the close of an OSD that went down counts: %+v", list[0])
	}
	n.Log(line(kmsg.ClosedOpen, "osd7", ""))
	if list := factsOf(n).SessionLosses(time.Minute).OSDs; len(list) != 1 || list[0].Ended() != 1 {
		t.Errorf("a close 20 s after it went down does not count: %+v", list)
	}
}

func TestAPurgedOSDIsNoOSD(t *testing.T) {
	n := newNode(1)
	n.Log(line(kmsg.OSDUp, "osd1", ""))
	n.Log(line(kmsg.OSDDown, "osd7", ""))
	n.Log(line(kmsg.OSDGone, "osd7", ""))
	if c := factsOf(n).Cluster(); len(c.Down) != 0 || c.OSDs[7] || !c.OSDs[1] {
		t.Errorf("got %+v", c)
	}
}

func TestMonitorsAreCountedByClient(t *testing.T) {
	for _, c := range []struct {
		what  string
		lines []string // "-mon0": lost, "+mon0": established
		want  int
	}{
		{"nothing", nil, 0},
		{"lost", []string{"-mon0"}, 1},
		{"lost and found elsewhere", []string{"-mon0", "+mon1"}, 0},
		{"one of two clients found another", []string{"-mon0", "-mon0", "+mon1"}, 1},
		{"two monitors lost, one client back", []string{"-mon0", "-mon1", "+mon2"}, 1},
		{"the monitor itself is back", []string{"-mon0", "-mon0", "-mon0", "+mon0"}, 0},
	} {
		n := newNode(1)
		for _, l := range c.lines {
			n.Wait(time.Second)
			class := kmsg.MonLost
			if l[0] == '+' {
				class = kmsg.MonFound
			}
			n.Log(line(class, l[1:], ""))
		}
		if got := factsOf(n).Cluster().Hunting; got != c.want {
			t.Errorf("%s: got %d clients without a monitor, want %d", c.what, got, c.want)
		}
	}
}

func TestStalls(t *testing.T) {
	for _, c := range []struct {
		what   string
		do     nodetest.IO
		stalls int
		crawls bool
	}{
		{"idle", nodetest.IO{}, 0, false},
		{"busy", nodetest.IO{Done: 300, Ms: 80, InFlight: 32}, 0, false},
		{"nothing completes", nodetest.IO{InFlight: 4}, 1, false},
		{"one completes in a while", nodetest.IO{Done: 1, Ms: 9000, InFlight: 64}, 1, true},
		{"a throttled guest", nodetest.IO{Done: 1, Ms: 950, InFlight: 1}, 0, false},
	} {
		n := newNode(1)
		n.Do(nodetest.IO{Done: 20, Ms: 2}).Pass(60)
		n.Do(c.do).Pass(40)
		list := factsOf(n).Stalls()
		if len(list) != c.stalls || len(list) == 1 && list[0].Crawls != c.crawls {
			t.Errorf("%s: got %+v, want %d stalls", c.what, list, c.stalls)
		}
	}
}

func TestOsdcTiesARequestToItsDevice(t *testing.T) {
	n := newNode(2)
	see := func() {
		n.See(node.SawPending{Reading: nodetest.Reading(n.At, 10*time.Second,
			[]rbd.Pending{{FSID: "f", ClientID: 4151, Requests: []rbd.Request{
				{TID: 1, OSD: 9, Object: "rbd_data.000000000001.0000000000000001", Ops: "read", Attempts: 1},
				{TID: 2, OSD: 3, Object: "rbd_header.000000000001", Ops: "watch-ping", Attempts: 1},
			}}, {FSID: "f", ClientID: 7777, Requests: []rbd.Request{{TID: 3, OSD: 5, Object: "10000000000.00000000", Ops: "read",
				Attempts: 9}}}})})
	}
	see()
	n.Wait(12 * time.Second)
	see()
	list := factsOf(n).Stalls()
	if len(list) != 1 || list[0].Device != "rbd1" || len(list[0].Waits) != 1 || list[0].Waits[0].Request.OSD != 9 ||
		list[0].For != 12*time.Second {
		t.Errorf("got %+v, want one request of rbd1 at osd9: watches wait by design, and another client's requests are not krbd's", list)
	}
}

// The baseline is learnt in normal operation, and not from an incident, however long
// it lasts.
func TestTheBaselineDoesNotLearnTheIncident(t *testing.T) {
	n, b := newNode(2), Baselines{}
	learn := func(seconds int, do nodetest.IO) {
		for range seconds {
			n.Do(do).Pass(1)
			b = b.Learn(New(n.Snapshot, b), func(string) bool { return false }, func(string) time.Time { return time.Time{} })
		}
	}
	learn(120, nodetest.IO{Done: 20, Ms: 2})
	learn(3600, nodetest.IO{Done: 20, Ms: 250, InFlight: 5})
	for _, l := range New(n.Snapshot, b).Latency() {
		if l.Usual < 1.5 || l.Usual > 3 || !l.Slow(DefaultSlow) {
			t.Errorf("%s: usually %v ms, now %v ms, slow %v; want about 2 ms and slow after an hour of 250 ms", l.Device, l.Usual, l.Now,
				l.Slow(DefaultSlow))
		}
	}
	learn(120, nodetest.IO{Done: 300, Ms: 80, InFlight: 32})
	for _, l := range New(n.Snapshot, b).Latency() {
		if l.Slow(DefaultSlow) {
			t.Errorf("%s: a disk under fifteen times its usual load is called slow at 80 ms", l.Device)
		}
	}
}

// A latency that lasts for a week, or is acknowledged, becomes the baseline. This is
// reported once, with the previous baseline.
func TestALatencyThatLastsIsAdopted(t *testing.T) {
	for name, acknowledge := range map[string]bool{"after a week": false, "acknowledged": true} {
		t.Run(name, func(t *testing.T) {
			n, b, at := newNode(2), Baselines{}, time.Time{}
			learn := func(seconds int, do nodetest.IO) *Facts {
				for range seconds {
					n.Do(do).Pass(1)
					b = b.Learn(New(n.Snapshot, b), func(string) bool { return false }, func(string) time.Time { return at })
				}
				return New(n.Snapshot, b)
			}
			learn(120, nodetest.IO{Done: 20, Ms: 2})
			if f := learn(60, nodetest.IO{Done: 20, Ms: 250, InFlight: 5}); len(f.Adoptions(time.Hour)) > 0 ||
				len(f.SlowDisks(DefaultSlow)) != 2 {
				t.Fatalf("adopted at once: %+v", f.Adoptions(time.Hour))
			}
			if acknowledge {
				at = n.At
			} else {
				for i, of := range b.images {
					of.Apart = of.Apart.Add(-adoptAfter)
					b.images[i] = of
				}
			}
			f := learn(20, nodetest.IO{Done: 20, Ms: 250, InFlight: 5})
			list := f.Adoptions(time.Hour)
			if len(list) != 2 || list[0].Was < 1.5 || list[0].Was > 3 || list[0].Is < 200 || len(f.SlowDisks(DefaultSlow)) > 0 {
				t.Errorf("got %+v, want about 2 ms before and 250 ms now, and no slow disk", list)
			}
			if again := learn(60, nodetest.IO{Done: 20, Ms: 600, InFlight: 12}).Adoptions(time.Hour); len(again) != 2 ||
				!again[0].At.Equal(list[0].At) {
				t.Errorf("adopted again: %+v", again)
			}
			if kept := BaselinesOf(b.List()); !reflect.DeepEqual(kept.List(), b.List()) {
				t.Error("a restart forgets what was adopted")
			}
			if old := learn(3600, nodetest.IO{Done: 20, Ms: 250, InFlight: 5}).Adoptions(time.Hour); len(old) > 0 {
				t.Errorf("told after an hour: %+v", old)
			}
		})
	}
}

func TestBaselinesRoundTripAndAreBounded(t *testing.T) {
	var list []NamedBaseline
	for i := range 2 * maxBaselines {
		list = append(list, NamedBaseline{Image{FSID: "f", Image: fmt.Sprint(i)},
			Baseline{Latency: 2, Rate: 20, Learnt: 100, Used: nodetest.Start}})
	}
	list = append([]NamedBaseline{{Image{Image: "bad"}, Baseline{Latency: -1}}}, list...)
	b := BaselinesOf(list)
	if got := b.List(); len(got) != maxBaselines || got[0].Image.Image == "bad" {
		t.Errorf("got %d baselines, want %d", len(got), maxBaselines)
	}
	n := newNode(1)
	n.Wait(forgetAfter + time.Hour)
	n.Do(nodetest.IO{Done: 20, Ms: 2}).Pass(2)
	n.MapDisks(1, "192.0.2.12")
	if got := b.Learn(factsOf(n), func(string) bool { return false }, func(string) time.Time { return time.Time{} }).List(); len(got) > 1 {
		t.Errorf("got %d baselines after two weeks without use, want at most the one in use", len(got))
	}
}

func TestGuestsHit(t *testing.T) {
	n := newNode(4)
	disk := func(n int) []rbd.Disk { return []rbd.Disk{{Target: "vda", Path: fmt.Sprintf("/dev/rbd%d", n)}} }
	n.SeeGuests([]rbd.Guest{
		{Name: "vm1", ID: "1", Kind: "vm", State: "running", Disks: disk(0)},
		{Name: "vm2", ID: "2", Kind: "vm", State: "running", Disks: disk(1)},
		{Name: "off", ID: "3", Kind: "vm", State: "shutoff", Disks: disk(2)},
	}...)
	f := factsOf(n)
	for _, c := range []struct {
		devices    []string
		hit, total int
		half       bool
	}{
		{nil, 0, 3, false}, // vm1, vm2 and rbd3, which has no known user
		{[]string{"rbd0"}, 1, 3, false},
		{[]string{"rbd2"}, 0, 3, false},
		{[]string{"rbd0", "rbd1"}, 2, 3, true},
		{[]string{"rbd3"}, 1, 3, false},
	} {
		if h := f.GuestsHit(c.devices); h.Hit != c.hit || h.Total != c.total || h.Half() != c.half {
			t.Errorf("%v: got %+v", c.devices, h)
		}
	}
}

func TestABondWithoutAnAggregatorCarriesNothing(t *testing.T) {
	b := bond.Bond{Name: "bond0", Kind: bond.Kernel, Mode: bond.LACP,
		Slaves: []bond.Slave{{Name: "eth0", Carrier: true, MIIStatus: "UP", State: "ACTIVE"},
			{Name: "eth1", Carrier: true, MIIStatus: "UP", State: "ACTIVE"}}}
	f := factsOf(newNode(0))
	if got := f.Carries(b); len(got) != 0 || LACPOf(b).OK() {
		t.Errorf("got %d slaves that carry traffic, LACP OK %v", len(got), LACPOf(b).OK())
	}
	b.AD = &bond.AD{PartnerMAC: "02:00:5e:00:53:01"}
	if got := f.Carries(b); len(got) != 2 || !LACPOf(b).OK() {
		t.Errorf("got %d slaves that carry traffic, LACP %+v", len(got), LACPOf(b))
	}
}
