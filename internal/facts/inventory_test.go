package facts

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// Unknown values are not in the inventory.
func TestInventory(t *testing.T) {
	read := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	bonded := func(name string, policy bond.HashPolicy, speeds ...int) bond.Bond {
		b := bond.Bond{Name: name, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: policy, MTU: 9000}
		for _, s := range speeds {
			b.Slaves = append(b.Slaves, bond.Slave{Speed: s})
		}
		return b
	}
	snapshot := func(f func(*node.Snapshot)) node.Snapshot {
		s := node.Snapshot{Now: read, Version: "1.2.3"}
		f(&s)
		return s
	}
	links := func(s *node.Snapshot, bonds ...bond.Bond) {
		s.Links = node.Reading[bond.Links]{Value: bond.Links{Bonds: bonds}, At: read}
	}
	for name, c := range map[string]struct {
		s    node.Snapshot
		want map[string]string
	}{
		"nothing is read": {snapshot(func(*node.Snapshot) {}), map[string]string{"nodewatch": "1.2.3"}},
		"krbd on one of two bonds": {snapshot(func(s *node.Snapshot) {
			links(s, bonded("bond0", "layer2", 10000, 10000), bonded("bond1", "layer3+4", 25000))
			s.Storage = []node.Path{{Carriers: []string{"bond0"}}}
			s.Mapped = node.Reading[[]rbd.Mapped]{Value: []rbd.Mapped{{Device: "rbd0"}}, At: read}
			s.QEMU.At, s.Host.Value.Release = read, "6.1.0"
		}), map[string]string{"nodewatch": "1.2.3", "kernel": "6.1.0", "client": "krbd", "hash_policy": "layer2", "mtu": "9,000",
			"nic_speed": "2 x 10 Gbit/s"}},
		"librbd and bonds that differ": {snapshot(func(s *node.Snapshot) {
			links(s, bonded("bond0", "layer2", 10000, 25000), bonded("bond1", "layer3+4", 0))
			s.Mapped.At, s.Libvirt.At = read, read
			s.Guests = []rbd.Guest{{Disks: []rbd.Disk{{Client: rbd.LibRBD}, {}}}}
		}), map[string]string{"nodewatch": "1.2.3", "client": "librbd", "hash_policy": "bond0 layer2, bond1 layer3+4", "mtu": "9,000"}},
		"no RBD, and krbd not readable": {snapshot(func(s *node.Snapshot) { s.Libvirt.At = read }),
			map[string]string{"nodewatch": "1.2.3"}},
		"no RBD": {snapshot(func(s *node.Snapshot) { s.Mapped.At, s.Libvirt.At = read, read }),
			map[string]string{"nodewatch": "1.2.3", "client": "none"}},
	} {
		if diff := cmp.Diff(c.want, New(c.s, Baselines{}).Inventory()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// The inventory of a large node, which is computed on each tick: 65 guests with 78 krbd
// disks on one of two bonds.
func BenchmarkInventory(b *testing.B) {
	read := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := node.Snapshot{Now: read, Version: "1.2.3", Storage: []node.Path{{Carriers: []string{"bond0"}}}}
	s.Mapped.At, s.QEMU.At, s.Host.Value.Release = read, read, "6.1.0-56-amd64"
	s.Links.At = read
	for _, name := range []string{"bond0", "bond1"} {
		s.Links.Value.Bonds = append(s.Links.Value.Bonds, bond.Bond{Name: name, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: "layer2",
			MTU: 9000, Slaves: []bond.Slave{{Speed: 25000}, {Speed: 25000}}})
	}
	for n := range 78 {
		s.Mapped.Value = append(s.Mapped.Value, rbd.Mapped{Device: "rbd0"})
		if n < 65 {
			s.Guests = append(s.Guests, rbd.Guest{Disks: []rbd.Disk{{Client: rbd.KRBD}, {Client: rbd.KRBD}}})
		}
	}
	f := New(s, Baselines{})
	b.ReportAllocs()
	for b.Loop() {
		if all := f.Inventory(); len(all) != 6 {
			b.Fatal(all)
		}
	}
}
