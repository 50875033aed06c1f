package bond

import (
	"fmt"
	"strings"
	"testing"
)

func TestCarriers(t *testing.T) {
	host := linksOf(append(proxmox()[1:],
		message(30, "ovs-system", kind(kindOVS)), message(31, "ens1", master(30)), message(32, "ens2", master(30)),
		message(33, "br-storage", kind(kindOVS)), message(34, "br-storage.9", vlan(9), lower(33)), message(35, "br-guests", kind(kindOVS)),
		message(40, "enp9", master(42)), message(41, "bond9", kind(kindBond), master(42)), message(42, "br9", kind(kindBridge)),
	), [][]byte{
		address(7, "192.0.2.10/24"), address(6, "198.51.100.10/24"), address(4, "2001:db8::10/64"), address(5, "203.0.113.5/24"),
		address(33, "192.0.2.33/24"), address(34, "192.0.2.34/24"), address(35, "192.0.2.35/24"),
		address(42, "192.0.2.42/24"), address(4, "192.0.2.43/24"), address(5, "192.0.2.43/24"),
	}, nil)
	storage := Bond{Name: "bond-ovs", Kind: OVS, Ports: []string{"br-storage"}, Slaves: []Slave{{Index: 31}, {Index: 32}}}
	for _, tt := range []struct {
		name, ip string
		ovs      []Bond
		want     string // holder: carriers
	}{
		{"on the bond", "203.0.113.5", nil, "bond0: bond0"},
		{"on a bridge on the bond", "198.51.100.10", nil, "vmbr0: bond0"},
		{"on a VLAN on a bridge on the bond", "192.0.2.10", nil, "vmbr0.50: bond0"},
		{"on a NIC", "2001:db8::10", nil, "eno3: eno3"},
		{"written otherwise", "2001:DB8:0::10", nil, "eno3: eno3"},
		{"IPv4 in IPv6", "::ffff:203.0.113.5", nil, "bond0: bond0"},
		{"on a bridge with a NIC and a bond", "192.0.2.42", nil, "br9: bond9 enp9"},
		{"on a NIC and on a bond", "192.0.2.43", nil, "eno3: bond0 eno3"},
		{"on a port of an Open vSwitch bond", "192.0.2.33", []Bond{storage}, "br-storage: bond-ovs"},
		{"on a VLAN on such a port", "192.0.2.34", []Bond{storage}, "br-storage.9: bond-ovs"},
		{"on another port, all uplinks being in that bond", "192.0.2.35", []Bond{storage}, "br-guests: "},
		{"on another port, one uplink being left", "192.0.2.35", []Bond{{Name: "b", Slaves: []Slave{{Index: 31}}}}, "br-guests: ens2"},
		{"on a port of several uplinks, no database", "192.0.2.33", nil, "br-storage: "},
		{"nowhere", "192.0.2.99", nil, ": "},
		{"not an address", "mon.example", nil, ": "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			holder, carriers := host.Carriers(tt.ip, tt.ovs)
			if got := holder + ": " + strings.Join(carriers, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCarriersBehindOpenVSwitch(t *testing.T) {
	host := linksOf([][]byte{
		message(30, "ovs-system", kind(kindOVS)), message(31, "ens1", master(30)), message(32, "ens2", master(30)),
		message(36, "ens3", master(30)),
		message(33, "br-storage", kind(kindOVS)), message(35, "br-mon", kind(kindOVS)),
	}, [][]byte{address(33, "192.0.2.33/24"), address(33, "192.0.2.36/24"), address(35, "192.0.2.36/24")}, nil)
	ovs := []Bond{{Name: "bond-ovs", Kind: OVS, Ports: []string{"br-mon", "br-storage"}, Slaves: []Slave{{Index: 31}, {Index: 32}}}}
	for _, ip := range []string{"192.0.2.33", "192.0.2.36"} {
		if _, got := host.Carriers(ip, ovs); len(got) != 1 || got[0] != "bond-ovs" {
			t.Errorf("%s: got %v, want the bond alone, once, though ens3 is no part of it", ip, got)
		}
	}
}

func TestCarriersOfACircle(t *testing.T) {
	l := Links{
		Uppers:    []Upper{{Name: "a", Index: 1, Lowers: []int{2}}, {Name: "b", Index: 2, Lowers: []int{1, 7}}},
		Addresses: []Address{{IP: "192.0.2.1", Bits: 32, Index: 1}},
	}
	if holder, carriers := l.Carriers("192.0.2.1", nil); holder != "a" || len(carriers) != 0 {
		t.Errorf("got %s, %v, want a and nothing", holder, carriers)
	}
}

func ExampleLinks_Carriers() {
	l := Links{
		Bonds:     []Bond{{Name: "bond0", Index: 5}},
		Uppers:    []Upper{{Name: "bond0.100", Index: 8, Kind: "vlan", VLAN: 100, Lowers: []int{5}}},
		Addresses: []Address{{IP: "192.0.2.10", Bits: 24, Index: 8}},
	}
	fmt.Println(l.Carriers("192.0.2.10", nil))
	// Output: bond0.100 [bond0]
}
