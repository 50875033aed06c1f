package node

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// twoPaths returns links on which 192.0.2.2 leaves through bond0 by a VLAN, and
// 198.51.100.2 through eth9.
func twoPaths() bond.Links {
	return bond.Links{
		Bonds:     []bond.Bond{{Name: "bond0", Index: 10, Slaves: []bond.Slave{{Name: "eth0", Index: 2}, {Name: "eth1", Index: 3}}}},
		NICs:      []bond.NIC{{Name: "eth9", Index: 9}},
		Uppers:    []bond.Upper{{Name: "bond0.20", Index: 20, Kind: "vlan", Lowers: []int{10}}},
		Addresses: []bond.Address{{IP: "192.0.2.2", Index: 20}, {IP: "198.51.100.2", Index: 9}},
	}
}

func mappedOf(client uint64, addr string, devices ...string) []rbd.Mapped {
	var list []rbd.Mapped
	for i, d := range devices {
		list = append(list, rbd.Mapped{ID: i, Device: d, Pool: "vms", Image: d, ClientID: client, ClientAddr: addr})
	}
	return list
}

func TestStorageIsRouted(t *testing.T) {
	mapped := append(mappedOf(9, "192.0.2.2", "rbd0", "rbd1"), mappedOf(7, "192.0.2.2", "rbd2")...)
	mapped = append(mapped, mappedOf(8, "198.51.100.2", "rbd3")...)
	mapped = append(mapped, mappedOf(6, "203.0.113.9", "rbd4")...)
	mapped = append(mapped, mappedOf(5, "", "rbd5")...) // kernels before 4.9 do not show the address
	want := []Path{
		{IP: "192.0.2.2", Link: "bond0.20", Carriers: []string{"bond0"}, Way: []string{"bond0", "bond0.20", "eth0", "eth1"},
			Clients: []uint64{7, 9}, Devices: 3},
		{IP: "198.51.100.2", Link: "eth9", Carriers: []string{"eth9"}, Way: []string{"eth9"}, Clients: []uint64{8}, Devices: 1},
		{IP: "203.0.113.9", Clients: []uint64{6}, Devices: 1},
	}
	links, devices := SawLinks{read(0, twoPaths())}, SawMapped{read(0, mapped)}
	for what, s := range map[string]Snapshot{"links first": took(Snapshot{}, 0, links, devices),
		"devices first": took(Snapshot{}, 0, devices, links)} {
		if diff := cmp.Diff(want, s.Storage); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		for name, n := range map[string]int{"bond0": 3, "eth9": 1, "eth0": 0, "bond0.20": 0} {
			if got, carries := s.CarriesStorage(name); got != n || carries != (n > 0) {
				t.Errorf("%s: %s carries %d devices (%v), want %d", what, name, got, carries, n)
			}
		}
		if gone := took(s, 1, SawMapped{read(1, []rbd.Mapped(nil))}); len(gone.Storage) != 0 {
			t.Errorf("%s: got %+v once nothing is mapped", what, gone.Storage)
		}
		blind := took(s, 1, SawLinks{Reading[bond.Links]{Err: &Error{Kind: Stalled, Since: after(1)}}})
		if diff := cmp.Diff(want, blind.Storage); diff != "" {
			t.Errorf("%s: a reading that failed changed the paths:\n%s", what, diff)
		}
	}
}

func TestStorageIsRoutedOverOpenVSwitch(t *testing.T) {
	links := bond.Links{
		NICs:      []bond.NIC{{Name: "eth0", Index: 2}, {Name: "eth1", Index: 3}},
		Uppers:    []bond.Upper{{Name: "storage0", Index: 30, Kind: "openvswitch", Lowers: []int{2, 3}}},
		Addresses: []bond.Address{{IP: "192.0.2.2", Index: 30}},
	}
	ovs := []bond.Bond{{Name: "bond1", Kind: bond.OVS, Ports: []string{"storage0"},
		Slaves: []bond.Slave{{Name: "eth0", Index: 2}, {Name: "eth1", Index: 3}}}}
	s := took(Snapshot{}, 0, SawMapped{read(0, mappedOf(7, "192.0.2.2", "rbd0"))}, SawLinks{read(0, links)}, SawOVS{read(0, ovs)})
	if n, carries := s.CarriesStorage("bond1"); n != 1 || !carries {
		t.Errorf("got %+v, want bond1 to carry it", s.Storage)
	}
	if got := s.Bonds(); len(got) != 1 || got[0].Name != "bond1" {
		t.Errorf("got bonds %+v", got)
	}
	both := took(s, 1, SawLinks{read(1, twoPaths())}).Bonds()
	if len(both) != 2 || both[0].Name != "bond0" || both[1].Name != "bond1" {
		t.Errorf("got bonds %+v, want the kernel's first", both)
	}
}

func TestFlaps(t *testing.T) {
	seen := func(s Snapshot, at float64, index int, failures uint32) Snapshot {
		b := []bond.Bond{{Name: "bond0", Index: 10, Slaves: []bond.Slave{{Name: "eth0", Index: index, LinkFailures: failures}}}}
		s = took(s, at, SawLinks{read(at, bond.Links{Bonds: b})})
		return s
	}
	within := func(s Snapshot, d time.Duration) uint64 { return s.Flap("bond0", "eth0").Within(s.Now, d) }
	s := seen(Snapshot{}, 0, 2, 7)
	if got := within(s, 10*time.Minute); got != 0 || !s.Flap("bond0", "eth0").Last.IsZero() {
		t.Errorf("got %d failures of the time before", got)
	}
	s = seen(seen(s, 30, 2, 9), 60, 2, 10)
	if got := within(s, 10*time.Minute); got != 3 || !s.Flap("bond0", "eth0").Last.Equal(after(60)) {
		t.Errorf("got %d failures, the last at %s", got, s.Flap("bond0", "eth0").Last)
	}
	if got := within(s, 30*time.Second); got != 1 {
		t.Errorf("got %d failures in half a minute, want 1", got)
	}
	if got := within(seen(s, 700, 2, 10), 10*time.Minute); got != 0 {
		t.Errorf("got %d failures ten minutes later", got)
	}
	for what, next := range map[string]Snapshot{"enslaved again": seen(s, 61, 2, 0), "another NIC": seen(s, 61, 5, 900)} {
		if got := within(next, 10*time.Minute); got != 3 {
			t.Errorf("%s: got %d failures, want the three of before", what, got)
		}
	}
	if got := within(seen(Snapshot{}, 0, 0, 7), 10*time.Minute); got != 0 {
		t.Errorf("got %d failures of a slave without an index at the first look", got)
	}
	if got := s.Flap("bond0", "eth7"); got.Within(s.Now, time.Minute) != 0 || got.Slave != "eth7" {
		t.Errorf("got %+v of a slave that is not there", got)
	}
	if s = took(s, 90, SawLinks{read(90, bond.Links{})}); len(s.flaps) != 0 {
		t.Errorf("got %+v of slaves that are gone", s.flaps)
	}
}
