package rbd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const joinFSID = "6f1b7c4e-2d0a-4f55-8a39-1c1f0a6d2b90"

// joinMapped are devices of all kinds: plain, in a namespace, a snapshot, with LVM
// and a partition on them, of another cluster, and unused.
func joinMapped() []Mapped {
	return []Mapped{
		{ID: 0, Device: "rbd0", Major: 254, Minor: 0, Pool: "rbd", Image: "vm-101-disk-0", FSID: joinFSID},
		{ID: 1, Device: "rbd1", Major: 254, Minor: 16, Pool: "rbd", Namespace: "ns", Image: "data", FSID: joinFSID},
		{ID: 2, Device: "rbd2", Major: 254, Minor: 32, Pool: "rbd", Image: "data", Snapshot: "s1", FSID: joinFSID},
		{ID: 3, Device: "rbd3", Major: 254, Minor: 48, Pool: "rbd", Image: "pv1", FSID: joinFSID, Holders: []Holder{
			{Device: "rbd3p1", Kind: "partition", Major: 254, Minor: 49},
			{Device: "dm-1", Name: "vg-lv", Kind: "lvm", Major: 253, Minor: 1},
			{Device: "dm-2", Name: "v--g-l--v", Kind: "lvm", Major: 253, Minor: 2},
			{Device: "dm-2", Name: "v--g-l--v", Kind: "lvm", Major: 253, Minor: 2}}}, // on the device and on its partition
		{ID: 4, Device: "rbd4", Major: 254, Minor: 64, Pool: "rbd", Image: "pv2", FSID: joinFSID, Holders: []Holder{
			{Device: "dm-1", Name: "vg-lv", Kind: "lvm", Major: 253, Minor: 1}}},
		{ID: 5, Device: "rbd5", Major: 254, Minor: 80, Pool: "rbd", Image: "vm-101-disk-0", FSID: "another"},
		{ID: 6, Device: "rbd6", Major: 254, Minor: 96, Pool: "rbd", Image: "vm-777-disk-0", FSID: joinFSID},
		{ID: 10, Device: "rbd10", Major: 254, Minor: 160, Pool: "rbd", Image: "x-part1", FSID: joinFSID},
		{ID: 11, Device: "rbd11", Pool: "rbd", Image: "no-number", FSID: joinFSID},
	}
}

func TestJoinByDisk(t *testing.T) {
	for _, c := range []struct {
		name string
		disk Disk
		want string
	}{
		{"by number", Disk{Client: KRBD, Path: "/dev/whatever", Major: 254, Minor: 16}, "rbd1"},
		{"the number goes before the path", Disk{Client: KRBD, Path: "/dev/rbd2", Major: 254, Minor: 16}, "rbd1"},
		{"by a partition's number", Disk{Client: KRBD, Major: 254, Minor: 49}, "rbd3"},
		{"by a volume's number, on two", Disk{Path: "/dev/x", Major: 253, Minor: 1}, "rbd3 rbd4"},
		{"by a number that is nobody's, and the path", Disk{Client: KRBD, Path: "/dev/rbd2", Major: 9, Minor: 9}, "rbd2"},
		{"by its name", Disk{Client: KRBD, Path: "/dev/rbd10"}, "rbd10"},
		{"by its partition's name", Disk{Client: KRBD, Path: "/dev/rbd10p2"}, "rbd10"},
		{"by the link", Disk{Client: KRBD, Path: "/dev/rbd/rbd/ns/data"}, "rbd1"},
		{"by the link of a snapshot", Disk{Client: KRBD, Path: "/dev/rbd/rbd/data@s1"}, "rbd2"},
		{"by a link that two clusters have", Disk{Client: KRBD, Path: "/dev/rbd/rbd/vm-101-disk-0"}, "rbd0 rbd5"},
		{"by Proxmox's link", Disk{Client: KRBD, Path: "/dev/rbd-pve/" + joinFSID + "/rbd/vm-101-disk-0"}, "rbd0"},
		{"by Proxmox's link to another cluster", Disk{Client: KRBD, Path: "/dev/rbd-pve/none/rbd/vm-101-disk-0"}, ""},
		{"by the link of a partition", Disk{Client: KRBD, Path: "/dev/rbd/rbd/pv1-part1"}, "rbd3"},
		{"by an image that is called like a partition", Disk{Client: KRBD, Path: "/dev/rbd/rbd/x-part1"}, "rbd10"},
		{"by a mapper's name", Disk{Path: "/dev/mapper/vg-lv"}, "rbd3 rbd4"},
		{"by a mapper's number in its name", Disk{Path: "/dev/dm-2"}, "rbd3"},
		{"by a volume's link", Disk{Path: "/dev/v-g/l-v"}, "rbd3"},
		{"librbd's disk of the same image", Disk{Client: LibRBD, Pool: "rbd", Namespace: "ns", Image: "data"}, ""},
		{"rbd-nbd's", Disk{Client: NBD, Path: "/dev/nbd1", Major: 43}, ""},
		{"a file", Disk{Path: "/var/lib/rbd0"}, ""},
		{"no number, no path", Disk{Client: KRBD}, ""},
	} {
		var got []string
		for _, u := range Join(joinMapped(), []Guest{{Name: "a", Disks: []Disk{c.disk}}}) {
			if len(u.Guests) > 0 {
				got = append(got, u.Device)
			}
		}
		slices.SortFunc(got, func(a, b string) int { return len(a) - len(b) })
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
	}
}

func TestJoinUses(t *testing.T) {
	two := Disk{Client: KRBD, Path: "/dev/rbd1"}
	guests := []Guest{
		{Name: "web", ID: "201", Disks: []Disk{two, two, {Client: KRBD, Path: "/dev/rbd2"}}},
		{Name: "db", ID: "202", Disks: []Disk{two}},
		{Name: "web", ID: "203", Disks: []Disk{two}},
		{Name: "vm101", ID: "101"},
	}
	want := []Use{
		{Device: "rbd0", Guests: []string{"vm101"}, At: []int{3}},
		{Device: "rbd1", Guests: []string{"db", "web (201)", "web (203)"}, At: []int{1, 0, 2}},
		{Device: "rbd10"},
		{Device: "rbd11"},
		{Device: "rbd2", Guests: []string{"web (201)"}, At: []int{0}},
		{Device: "rbd3"},
		{Device: "rbd4"},
		{Device: "rbd5", Guests: []string{"vm101"}, At: []int{3}},
		{Device: "rbd6", Owner: "777"},
	}
	if diff := cmp.Diff(want, Join(joinMapped(), guests)); diff != "" {
		t.Error(diff)
	}
}

// Guests with the same name are distinguished by kind, ID, or process.
func TestJoinLabels(t *testing.T) {
	vm := func(id string, pid int) Guest { return Guest{Name: "web", ID: id, Kind: "vm", PID: pid} }
	container := Guest{Name: "web", ID: "web", Kind: "container", PID: 9}
	for _, c := range []struct {
		what   string
		guests []Guest
		want   []string
	}{
		{"alone", []Guest{container}, []string{"web"}},
		{"a container and a VM", []Guest{vm("u-1", 1), container}, []string{"web (VM)", "web (container)"}},
		{"two VMs", []Guest{vm("u-1", 1), vm("u-2", 2)}, []string{"web (u-1)", "web (u-2)"}},
		{"two VMs without an ID, and a container", []Guest{vm("", 1), vm("", 2), container},
			[]string{"web (PID 1)", "web (PID 2)", "web (container)"}},
	} {
		if diff := cmp.Diff(c.want, joinLabels(c.guests)); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
	}
}

// The VMID in an image's name determines the guest only if no better evidence exists.
func TestJoinOwner(t *testing.T) {
	image := func(name string) []Mapped {
		return []Mapped{{Device: "rbd0", Major: 254, Pool: "rbd", Image: name}}
	}
	for _, c := range []struct {
		name  string
		image string
		disks []Disk
		want  Use
	}{
		{"its guest", "vm-101-disk-3", nil, Use{Device: "rbd0", Guests: []string{"a"}, At: []int{0}}},
		{"its guest has it by librbd", "vm-101-disk-3", []Disk{{Client: LibRBD, Pool: "rbd", Image: "vm-101-disk-3"}},
			Use{Device: "rbd0", Owner: "101"}},
		{"its guest has another by librbd", "vm-101-disk-3", []Disk{{Client: LibRBD, Pool: "rbd", Image: "vm-101-disk-0"}},
			Use{Device: "rbd0", Guests: []string{"a"}, At: []int{0}}},
		{"another guest's", "vm-102-disk-3", nil, Use{Device: "rbd0", Owner: "102"}},
		{"another guest's, but this one uses it", "vm-102-disk-3", []Disk{{Client: KRBD, Path: "/dev/rbd0"}},
			Use{Device: "rbd0", Guests: []string{"a"}, At: []int{0}}},
		{"a base image", "base-101-disk-3", nil, Use{Device: "rbd0"}},
		{"no name of Proxmox's", "volume-101", nil, Use{Device: "rbd0"}},
	} {
		got := Join(image(c.image), []Guest{{Name: "a", ID: "101", Disks: c.disks}})
		if diff := cmp.Diff([]Use{c.want}, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestResolve(t *testing.T) {
	guests := []Guest{
		{Name: "a", Disks: []Disk{{Target: "vda", Client: KRBD, Path: "/dev/rbd1"}, {Target: "vdb", Path: "/dev/vg/lv"},
			{Target: "vdc", Path: "/dev/dm-2"}}},
		{Name: "b", Disks: []Disk{{Target: "rootfs", Major: 254, Minor: 32}, {Target: "x", Path: "/srv/file"},
			{Target: "y", Client: KRBD, Path: "/dev/rbd99"}}},
		{Name: "c", Disks: []Disk{{Target: "vda", Client: LibRBD, Pool: "p", Image: "i"}}},
		{Name: "d"},
	}
	before := fmt.Sprintf("%+v", guests)
	got := Resolve(guests, joinMapped())
	want := []Guest{
		{Name: "a", Disks: []Disk{
			{Target: "vda", Client: KRBD, Path: "/dev/rbd1", Pool: "rbd", Namespace: "ns", Image: "data"},
			{Target: "vdb", Client: KRBD, Path: "/dev/vg/lv"}, // on two images
			{Target: "vdc", Client: KRBD, Path: "/dev/dm-2", Pool: "rbd", Image: "pv1"}}},
		{Name: "b", Disks: []Disk{
			{Target: "rootfs", Client: KRBD, Pool: "rbd", Image: "data", Snapshot: "s1", Major: 254, Minor: 32},
			{Target: "x", Path: "/srv/file"},
			{Target: "y", Client: KRBD, Path: "/dev/rbd99"}}},
		{Name: "c", Disks: []Disk{{Target: "vda", Client: LibRBD, Pool: "p", Image: "i"}}},
		{Name: "d"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if after := fmt.Sprintf("%+v", guests); after != before {
		t.Errorf("the guests given were changed: %s", after)
	}
}

// The order of the guests and of the devices does not change the result.
func TestJoinOrder(t *testing.T) {
	mapped, guests := joinMany(40)
	want := joinNames(Join(mapped, guests))
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(mapped), func(i, j int) { mapped[i], mapped[j] = mapped[j], mapped[i] })
		r.Shuffle(len(guests), func(i, j int) { guests[i], guests[j] = guests[j], guests[i] })
		if diff := cmp.Diff(want, joinNames(Join(mapped, guests))); diff != "" {
			t.Fatal(diff)
		}
	}
}

func joinNames(uses []Use) []string {
	var list []string
	for _, u := range uses {
		list = append(list, u.Device+": "+strings.Join(u.Guests, ", ")+" "+u.Owner)
	}
	return list
}

// joinMany returns n guests, every sixth with a second disk: by number, by link, by
// Proxmox's link, and on a logical volume.
func joinMany(n int) ([]Mapped, []Guest) {
	var mapped []Mapped
	var guests []Guest
	add := func(vm, disk int) Disk {
		i := len(mapped)
		image := fmt.Sprintf("vm-%d-disk-%d", 100+vm, disk)
		m := Mapped{ID: i, Device: fmt.Sprintf("rbd%d", i), Major: 251, Minor: uint32(i * 16), Pool: "pool", Image: image, FSID: joinFSID,
			Holders: []Holder{{Device: fmt.Sprintf("rbd%dp1", i), Kind: "partition", Major: 251, Minor: uint32(i*16 + 1)},
				{Device: fmt.Sprintf("dm-%d", i), Name: fmt.Sprintf("vg%d-lv", i), Kind: "lvm", Major: 253, Minor: uint32(i)}}}
		mapped = append(mapped, m)
		switch vm % 4 {
		case 0:
			return Disk{Target: "scsi0", Client: KRBD, Path: "/dev/" + m.Device, Major: m.Major, Minor: m.Minor}
		case 1:
			return Disk{Target: "scsi0", Client: KRBD, Path: "/dev/rbd/pool/" + image}
		case 2:
			return Disk{Target: "scsi0", Client: KRBD, Path: "/dev/rbd-pve/" + joinFSID + "/pool/" + image}
		}
		return Disk{Target: "scsi0", Path: fmt.Sprintf("/dev/vg%d/lv", i)}
	}
	for vm := range n {
		g := Guest{Name: fmt.Sprintf("vm%d", vm), ID: fmt.Sprint(100 + vm), Kind: "vm", Disks: []Disk{add(vm, 0)}}
		if vm%5 == 0 {
			g.Disks = append(g.Disks, add(vm, 1))
		}
		guests = append(guests, g)
	}
	return mapped, guests
}

// Ten times the disks and VMs of the incident's node: 780 krbd disks, 650 VMs.
func BenchmarkJoin(b *testing.B) {
	mapped, guests := joinMany(650)
	if len(mapped) != 780 {
		b.Fatalf("%d disks", len(mapped))
	}
	b.ReportAllocs()
	for b.Loop() {
		if uses := Join(mapped, Resolve(guests, mapped)); len(uses) != 780 {
			b.Fatal(len(uses))
		}
	}
}
