package node

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// t0 is the start time of every test's node.
var t0 = time.Date(2026, time.March, 1, 2, 0, 0, 0, time.UTC)

// after returns t0 plus n seconds.
func after(n float64) time.Time { return t0.Add(time.Duration(n * float64(time.Second))) }

// read returns a successful reading n seconds after the start.
func read[T any](n float64, value T) Reading[T] { return Reading[T]{Value: value, At: after(n)} }

// took returns the snapshot after the observations have been applied, each at its
// second.
func took(s Snapshot, n float64, list ...Observation) Snapshot {
	for _, o := range list {
		s = s.Take(Entry{At: after(n), Saw: Name(o), Obs: o})
	}
	return s
}

// samples returns one observation of each kind n seconds after the start: a
// successful one and, for sources, a blind one. Each call makes new ones.
func samples(n int) map[string]Observation {
	u, f := uint64(n), float64(n)
	hung := u
	slaves := []bond.Slave{{Name: "eth0", Index: 2, LinkFailures: uint32(n)}, {Name: "eth1", Index: 3}}
	links := bond.Links{
		Bonds:     []bond.Bond{{Name: "bond0", Index: 10, Slaves: slaves}},
		Uppers:    []bond.Upper{{Name: "bond0.20", Index: 20, Kind: "vlan", Lowers: []int{10}}},
		Addresses: []bond.Address{{IP: "192.0.2.2", Bits: 24, Index: 20}},
	}
	mapped := []rbd.Mapped{
		{ID: 0, Device: "rbd0", Major: 251, Minor: 0, Pool: "vms", Image: "a", ClientID: 7, ClientAddr: "192.0.2.2"},
		{ID: 10, Device: "rbd10", Major: 251, Minor: 160, Pool: "vms", Image: fmt.Sprint("b", n), ClientID: 7, ClientAddr: "192.0.2.2"},
		{ID: 2, Device: "rbd2", Major: 251, Minor: 32, Pool: "vms", Image: "c", ClientID: 9, ClientAddr: "198.51.100.2"},
	}
	guests := []rbd.Guest{
		{Name: "vm2", ID: "2", State: "running", Disks: []rbd.Disk{{Target: "vda", Path: "/dev/rbd10", Major: 251, Minor: 160}}},
		{Name: "vm1", ID: "1", State: "running", Disks: []rbd.Disk{{Target: "vda", Path: "/dev/rbd0", Major: 251, Minor: 0}}},
	}
	counts := []kmsg.Count{
		{Class: kmsg.CRC, Peer: fmt.Sprint("osd", n%3), N: u + 1, First: after(f), Last: after(f), Text: "x"},
		{Class: kmsg.HungTask, Detail: "kvm", N: 1, First: after(f), Last: after(f)},
	}
	e := &Error{Kind: Stalled, Text: "stuck", Since: after(f)}
	return map[string]Observation{
		"settings": Settings{Off: []string{"a"}},
		SourceBond: SawLinks{read(f, links)},
		SourceNIC: SawCounters{read(f, []bond.Counters{{Name: "eth1", Index: 3, Speed: 10000, RxBytes: u * 1e8},
			{Name: "eth0", Index: 2, Speed: 10000, RxBytes: u * u * 1e7, RxMissed: u * u}})},
		SourceDrops: SawDrops{read(f, []bond.Drops{{Name: "eth0", Index: 2, Driver: "ixgbe",
			Counts: map[string]uint64{"rx_no_dma_resources": 100 * u}}})},
		SourceLimits: SawLimits{read(f, bond.Limits{Links: []string{"eth0"},
			Limits: []bond.Limit{{Link: "eth0", Way: "tx", Kind: "tbf", Where: "root", Rate: 1e6 * u}}})},
		SourceOVS:  SawOVS{read(f, []bond.Bond{{Name: "bond1", Kind: bond.OVS, Ports: []string{"storage0"}}})},
		SourceKrbd: SawMapped{read(f, mapped)},
		SourceIO: SawIO{read(f, []rbd.IO{{Device: "rbd10", Reads: 10 * u, ReadTicks: 50 * u, InFlightR: 1},
			{Device: "rbd0", Reads: u}})},
		SourceOSDC: SawPending{read(f, []rbd.Pending{{FSID: "f", ClientID: 7,
			Requests: []rbd.Request{{TID: 5, Attempts: n + 1}, {TID: u + 10, Attempts: 1}}}})},
		SourceLibvirt: SawLibvirt{read(f, rbd.Guests{Guests: guests})},
		SourceQEMU: SawQEMU{read(f, rbd.Guests{Guests: []rbd.Guest{{Name: "vm1", ID: "1"},
			{Name: "ct9", ID: "9", Kind: "container"}}})},
		SourceKmsg: SawKernel{read(f, kmsg.Batch{Counts: counts, Records: 10, Lost: u % 2})},
		SourceHost: SawHost{read(f, host.State{BootID: "b", Hung: &hung, IO: &host.Pressure{}})},
		SourceCeph: SawCluster{read(f, ceph.Cluster{FSID: "f",
			OSDMap: ceph.OSDMap{OSDs: []ceph.OSD{{ID: 1, Addrs: []string{"192.0.2.9:6800"}}}}})},
		"blind bond":     SawLinks{Reading[bond.Links]{Err: e}},
		"blind nic":      SawCounters{Reading[[]bond.Counters]{Err: e}},
		"blind drops":    SawDrops{Reading[[]bond.Drops]{Err: e}},
		"blind krbd":     SawMapped{Reading[[]rbd.Mapped]{Err: e}},
		"blind krbd-io":  SawIO{Reading[[]rbd.IO]{Err: e}},
		"blind osdc":     SawPending{Reading[[]rbd.Pending]{Err: e}},
		"blind libvirt":  SawLibvirt{Reading[rbd.Guests]{Err: e}},
		"blind kmsg":     SawKernel{Reading[kmsg.Batch]{Err: e}},
		"blind host":     SawHost{Reading[host.State]{Err: e}},
		"started again":  Started{Node: "node3", Sources: []Source{{Name: "z"}, {Name: "b"}}},
		"fewer nics":     SawCounters{read(f, []bond.Counters{{Name: "eth0", Index: 2, RxBytes: u * u * 1e7}})},
		"fewer mappings": SawMapped{read(f, mapped[:1])},
		"other kernel lines": SawKernel{read(f, kmsg.Batch{Counts: []kmsg.Count{
			{Class: kmsg.ClosedOpen, Peer: "osd9", N: 1, First: after(f), Last: after(f)},
			{Class: kmsg.BondSlaveDown, Device: "bond0/eth0", N: 1, First: after(f), Last: after(f)},
		}})},
	}
}

// lived returns a snapshot to which everything has been applied, for some time.
func lived() Snapshot {
	s := took(Snapshot{}, 0, Started{Node: "node2", Version: "test", Sources: []Source{{Name: SourceNIC}, {Name: SourceBond}}})
	for n := range 66 {
		all := samples(n)
		for _, name := range sortedKeys(all) {
			if o := all[name]; reflect.TypeOf(o) != reflect.TypeFor[Started]() && n%7 != 3 {
				s = took(s, float64(n), o)
			}
		}
	}
	return s
}

// whole compares snapshots including unexported fields.
var whole = cmp.Exporter(func(reflect.Type) bool { return true })

// Applying an observation gives the same result each time, and changes neither the
// snapshot it is applied to, nor the previous result, nor itself.
func TestSnapshotsAreNeverChanged(t *testing.T) {
	base := lived()
	untouched := lived()
	if diff := cmp.Diff(untouched, base, whole); diff != "" {
		t.Fatalf("the same life gave two snapshots: the test is worth nothing\n%s", diff)
	}
	firsts, seconds := samples(66), samples(67) // both in the same ten seconds as the last samples
	for _, one := range sortedKeys(firsts) {
		next := took(base, 66, firsts[one])
		kept := took(untouched, 66, samples(66)[one])
		if diff := cmp.Diff(kept, next, whole); diff != "" {
			t.Errorf("%s: applied twice it gave two things (-first +second):\n%s", one, diff)
		}
		for _, other := range sortedKeys(seconds) {
			took(next, 67, seconds[other])
		}
		if diff := cmp.Diff(untouched, base, whole); diff != "" {
			t.Fatalf("%s: it changed the snapshot it was applied to (-before +after):\n%s", one, diff)
		}
		if diff := cmp.Diff(kept, next, whole); diff != "" {
			t.Fatalf("%s: what came after changed the snapshot (-before +after):\n%s", one, diff)
		}
	}
	if diff := cmp.Diff(samples(66), firsts, whole); diff != "" {
		t.Errorf("an observation was changed by being applied (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(samples(67), seconds, whole); diff != "" {
		t.Errorf("an observation was changed by being applied (-before +after):\n%s", diff)
	}
}

// A tape contains every observation completely: by its name and its JSON.
func TestObservationsSurviveATape(t *testing.T) {
	all := samples(3)
	all["start"] = Started{Node: "node2", Version: "v", Sources: []Source{{Name: "bond", Every: time.Second}}}
	seen, base := map[string]bool{}, lived() // TestSnapshotsAreNeverChanged shows that it stays as it is
	for what, o := range all {
		name := Name(o)
		seen[name] = true
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		back, err := NewObservation(name)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := json.Unmarshal(raw, back); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if Name(back) != name {
			t.Errorf("%s: NewObservation(%q) is called %q", what, name, Name(back))
		}
		if diff := cmp.Diff(o, reflect.ValueOf(back).Elem().Interface(), whole); diff != "" {
			t.Errorf("%s (-seen +read from tape):\n%s", what, diff)
		}
		if diff := cmp.Diff(took(base, 200, o), took(base, 200, back), whole); diff != "" {
			t.Errorf("%s: live and replay differ:\n%s", what, diff)
		}
	}
	if len(seen) != 15 {
		t.Errorf("got %d kinds of observation, want all 15", len(seen))
	}
	if _, err := NewObservation("nonsense"); err == nil {
		t.Error("got no error for a name that is none")
	}
	if got := Name(nil); got != "" {
		t.Errorf("got name %q of no observation", got)
	}
}
