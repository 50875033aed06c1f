package bond

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
)

func names(slaves []Slave) []string {
	var out []string
	for _, s := range slaves {
		out = append(out, s.Name)
	}
	return out
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		name, list string
		want       string
		ordered    bool
	}{
		{"as enslaved, not by ifindex", "c a b", "c a b", true},
		{"twice named", "b a b c", "b a c", true},
		{"one that left since", "b gone a c", "b a c", true},
		{"one that came since", "c b", "a b c", false},
		{"cut short by the kernel", "c b ++more++", "a b c", false},
		{"cannot be read", "", "a b c", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			slaves := []Slave{{Name: "a", Index: 1}, {Name: "b", Index: 2}, {Name: "c", Index: 3}}
			ordered := order(slaves, tt.list)
			if got := strings.Join(names(slaves), " "); got != tt.want || ordered != tt.ordered {
				t.Errorf("got %q, %v, want %q, %v", got, ordered, tt.want, tt.ordered)
			}
		})
	}
}

func TestSpeedAndDuplex(t *testing.T) {
	for _, tt := range []struct {
		speed, duplex string
		wantSpeed     int
		wantDuplex    string
	}{
		{"10000", "full", 10000, "full"},
		{"1000", "half", 1000, "half"},
		{"-1", "unknown", 0, ""},
		{"4294967295", "", 0, ""},
		{"", "", 0, ""},
		{"fast", "both", 0, ""},
	} {
		s := sysfs{sysTree(map[string]string{"eth0/speed": tt.speed, "eth0/duplex": tt.duplex})}
		if got := s.speed("eth0"); got != tt.wantSpeed {
			t.Errorf("speed %q: got %d, want %d", tt.speed, got, tt.wantSpeed)
		}
		if got := s.duplex("eth0"); got != tt.wantDuplex {
			t.Errorf("duplex %q: got %q, want %q", tt.duplex, got, tt.wantDuplex)
		}
	}
	if got := (sysfs{sysTree(nil)}).speed("eth0"); got != 0 {
		t.Errorf("no file: got %d, want 0", got)
	}
}

func TestLongFileIsBounded(t *testing.T) {
	s := sysfs{sysTree(map[string]string{"bond0/bonding/slaves": strings.Repeat("x ", pageSize)})}
	if got := len(s.text("bond0", "bonding/slaves")); got > pageSize {
		t.Errorf("read %d bytes, want at most %d", got, pageSize)
	}
}

// TestDevices reads a tree with symbolic links like those of a real one.
func TestDevices(t *testing.T) {
	dir := t.TempDir()
	for link, target := range map[string]string{
		"class/net/eno1":                         "../../devices/pci0000:3a/0000:3b:00.0/net/eno1",
		"class/net/eno2":                         "../../devices/pci0000:3a/0000:3b:00.1/net/eno2",
		"class/net/vf0":                          "../../devices/pci0000:3a/0000:3b:10.0/net/vf0",
		"class/net/ens3":                         "../../devices/pci0000:00/0000:00:03.0/virtio0/net/ens3",
		"devices/pci0000:3a/0000:3b:10.0/physfn": "../0000:3b:00.0",
	} {
		at := filepath.Join(dir, link)
		to := filepath.Join(filepath.Dir(at), target)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(link, "class") {
			device := filepath.Dir(filepath.Dir(to))
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
			driver := map[bool]string{true: "virtio_net", false: "ixgbe"}[strings.HasPrefix(filepath.Base(device), "virtio")]
			symlink(t, "../../../"+filepath.Base(device), filepath.Join(to, "device"))
			symlink(t, "../../../bus/pci/drivers/"+driver, filepath.Join(device, "driver"))
		}
		symlink(t, target, at)
	}
	got := linksOf([][]byte{
		message(1, "bond0", kind(kindBond)), message(2, "eno1", enslaved(1)...), message(3, "eno2"),
		message(4, "vf0"), message(5, "ens3"),
	}, nil, os.DirFS(dir))
	want := []NIC{
		{Name: "eno2", Index: 3, Up: true, Driver: "ixgbe", Bus: "0000:3b:00.1"},
		{Name: "ens3", Index: 5, Up: true, Driver: "virtio_net", Bus: "virtio0", Virtual: true},
		{Name: "vf0", Index: 4, Up: true, Driver: "ixgbe", Bus: "0000:3b:10.0", Virtual: true},
	}
	if diff := cmp.Diff(want, got.NICs); diff != "" {
		t.Errorf("NICs (-want +got):\n%s", diff)
	}
	if s := got.Bonds[0].Slaves[0]; s.Driver != "ixgbe" || s.Bus != "0000:3b:00.0" {
		t.Errorf("slave has driver %q on %q, want ixgbe on 0000:3b:00.0", s.Driver, s.Bus)
	}
}

func symlink(t *testing.T, target, at string) {
	t.Helper()
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
}

func TestEnslaveOrderAndSpeedInLinks(t *testing.T) {
	sys := sysTree(map[string]string{"bond0/bonding/slaves": "eth2 eth1", "eth1/speed": "1000", "eth2/speed": "10000",
		"eth2/duplex": "full"})
	links := [][]byte{message(1, "eth1", enslaved(3)...), message(2, "eth2", enslaved(3)...),
		message(3, "bond0", kind(kindBond, u8(nl.IFLA_BOND_MODE, 2)))}
	b := linksOf(links, nil, sys).Bonds[0]
	if !b.Ordered || !slices.Equal(names(b.Slaves), []string{"eth2", "eth1"}) || b.Slaves[0].Speed != 10000 ||
		b.Slaves[0].Duplex != "full" {
		t.Errorf("got %+v, want eth2 with 10000 Mbit/s full duplex before eth1", b)
	}
	if b := linksOf(links, nil, fstest.MapFS{}).Bonds[0]; b.Ordered || !slices.Equal(names(b.Slaves), []string{"eth1", "eth2"}) {
		t.Errorf("without sysfs: got %+v, want eth1 before eth2, not ordered", b)
	}
}
