package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// The two views of the guests become one list: libvirt's values have priority, guests
// that libvirt started are counted once, and guests that it does not know are added.
func TestGuestsOfBothViewsAreCountedOnce(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	virt := SawLibvirt{Reading: Reading[rbd.Guests]{At: at, Every: time.Minute,
		Value: rbd.Guests{Guests: []rbd.Guest{{Name: "vm201", ID: "u-201", State: "paused"}}}}}
	qemu := SawQEMU{Reading: Reading[rbd.Guests]{At: at, Every: time.Minute, Value: rbd.Guests{Guests: []rbd.Guest{
		{Name: "vm201", State: "running", Libvirt: true}, // identified by its scope's name; the command line has not been read yet
		{Name: "1-vm201-with-a-long-na", Libvirt: true},  // identified by its scope; the command line has not been read yet
		{Name: "ct300", ID: "300", Kind: "container"},    // unknown to libvirt
		{Name: "vm101", ID: "101"},
	}}}}
	names := func(s Snapshot) (list []string) {
		for _, g := range s.Guests {
			list = append(list, g.Name+" "+g.State)
		}
		return list
	}
	s := Snapshot{Now: at}.Take(Entry{At: at, Obs: virt}).Take(Entry{At: at, Obs: qemu})
	if got := names(s); len(got) != 3 || got[0] != "ct300 " || got[1] != "vm101 " || got[2] != "vm201 paused" {
		t.Errorf("got %q", got)
	}
	blind := SawLibvirt{Reading: Reading[rbd.Guests]{Err: &Error{Kind: Absent}}}
	if got := names(Snapshot{Now: at}.Take(Entry{At: at, Obs: blind}).Take(Entry{At: at, Obs: qemu})); len(got) != 4 {
		t.Errorf("without libvirt: got %q, want all four", got)
	}
}

// A virtual machine that something else runs is not libvirt's guest of the same name,
// whatever is known about it.
func TestNameIsNoGuest(t *testing.T) {
	const one, other = "f799b3a2-0000-4000-8000-000000000009", "fe1d472c-1eb9-52e3-a84a-d6390ac9d37b"
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		what    string
		process rbd.Guest
		guests  int
	}{
		{"its own process", rbd.Guest{ID: one, Libvirt: true}, 1},
		{"its own process, without a cgroup of libvirt's", rbd.Guest{ID: one}, 1},
		{"its own process, not read yet", rbd.Guest{Libvirt: true}, 1},
		{"another libvirt's", rbd.Guest{ID: other, Libvirt: true}, 2},
		{"with another UUID", rbd.Guest{ID: other}, 2},
		{"Proxmox's", rbd.Guest{ID: "101"}, 2},
		{"without a UUID", rbd.Guest{}, 2},
	} {
		c.process.Name, c.process.Kind, c.process.PID = "web", "vm", 7
		s := Snapshot{Now: at}
		for _, o := range []Observation{
			SawLibvirt{Reading[rbd.Guests]{At: at, Value: rbd.Guests{Guests: []rbd.Guest{{Name: "web", ID: one, Kind: "vm"}}}}},
			SawQEMU{Reading[rbd.Guests]{At: at, Value: rbd.Guests{Guests: []rbd.Guest{c.process}}}},
		} {
			s = s.Take(Entry{At: at, Obs: o})
		}
		if len(s.Guests) != c.guests {
			t.Errorf("%s: got %+v", c.what, s.Guests)
		}
	}
}

// A guest in both views has the disks of both; a container with the name of a virtual
// machine is another guest, and so is a guest of another libvirt.
func TestViewsAreMergedGuestByGuest(t *testing.T) {
	const host, pod = "f799b3a2-0000-4000-8000-000000000009", "fe1d472c-1eb9-52e3-a84a-d6390ac9d37b"
	disk := func(target string, minor uint32) rbd.Disk {
		return rbd.Disk{Target: target, Path: "/dev/" + target, Major: 252, Minor: minor}
	}
	virt := rbd.Guests{Guests: []rbd.Guest{
		{Name: "i-2-34-VM", ID: host, Kind: "vm", State: "paused", Reason: "ioerror", OS: "linux"},
		{Name: "web", ID: "w", Kind: "vm", State: "running", Disks: []rbd.Disk{{Target: "vda", Path: "/run/qsd.sock"}}},
	}}
	processes := rbd.Guests{
		Guests: []rbd.Guest{
			{Name: "i-2-34-VM", ID: host, Kind: "vm", PID: 7, Libvirt: true, State: "running", OS: "windows",
				Disks: []rbd.Disk{disk("rbd0", 0), {Target: "log", Path: "/var/log/x"}}},
			{Name: "web", ID: "web", Kind: "container", Disks: []rbd.Disk{disk("rbd1", 16)}},
			{Name: "default_vm1", ID: pod, Kind: "vm", Libvirt: true},
		},
		Exports: []rbd.Export{{Path: "/run/qsd.sock", Disk: disk("rbd2", 32)}},
	}
	var mapped []rbd.Mapped
	for i := range 3 {
		mapped = append(mapped, rbd.Mapped{ID: i, Device: fmt.Sprint("rbd", i), Major: 252, Minor: uint32(16 * i), Pool: "p",
			Image: fmt.Sprint("i", i)})
	}
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	s := Snapshot{Now: at}
	for _, o := range []Observation{
		SawMapped{Reading[[]rbd.Mapped]{At: at, Value: mapped}}, SawLibvirt{Reading[rbd.Guests]{At: at, Value: virt}},
		SawQEMU{Reading[rbd.Guests]{At: at, Value: processes}},
	} {
		s = s.Take(Entry{At: at, Obs: o})
	}
	if got := []string{fmt.Sprint(s.UsedBy("rbd0")), fmt.Sprint(s.UsedBy("rbd1")),
		fmt.Sprint(s.UsedBy("rbd2"))}; fmt.Sprint(got) != "[[i-2-34-VM] [web (container)] [web (VM)]]" || len(s.Guests) != 4 {
		t.Errorf("got %v", got)
	}
	for _, g := range s.Guests {
		if g.ID == host && (g.PID != 7 || g.State != "paused" || g.Reason != "ioerror" || g.OS != "linux" || len(g.Disks) != 1 ||
			g.Disks[0].Image != "i0") {
			t.Errorf("got %+v", g)
		}
	}
	if len(s.Libvirt.Value.Guests[0].Disks) != 0 {
		t.Error("libvirt's view was changed")
	}
}
