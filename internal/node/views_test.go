package node

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// onKrbd returns a guest with one disk on a device number.
func onKrbd(name, id string, minor uint32) rbd.Guest {
	return rbd.Guest{Name: name, ID: id, Kind: "vm", Disks: []rbd.Disk{{Target: "vda", Path: "/dev/x", Major: 251, Minor: minor}}}
}

func virt(at float64, guests ...rbd.Guest) Observation {
	return SawLibvirt{read(at, rbd.Guests{Guests: guests})}
}

func qemu(at float64, guests ...rbd.Guest) Observation {
	return SawQEMU{read(at, rbd.Guests{Guests: guests})}
}

func names(guests []rbd.Guest) []string {
	var list []string
	for _, g := range guests {
		list = append(list, g.Name)
	}
	return list
}

// libvirt has more information about a guest than its process; processes add guests that
// libvirt does not know, identified by UUID or, until that has been read, by the name in
// their scope.
func TestGuestsOfTwoViews(t *testing.T) {
	known := onKrbd("vm1", "uuid-1", 0)
	known.State = "running"
	list := []Observation{
		virt(0, onKrbd("vm3", "uuid-3", 32), known),
		qemu(0, rbd.Guest{Name: "vm1", Libvirt: true}, rbd.Guest{Name: "other", ID: "uuid-3"},
			rbd.Guest{Name: "ct2", ID: "102", Kind: "container"}),
	}
	for _, order := range [][]Observation{list, {list[1], list[0]}} {
		s := took(Snapshot{}, 0, order...)
		if got, want := names(s.Guests), []string{"ct2", "vm1", "vm3"}; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if s.Guests[1].State != "running" || len(s.Guests[1].Disks) != 1 {
			t.Errorf("got %+v, want libvirt's view of vm1", s.Guests[1])
		}
	}
}

func TestGuestsAreJoinedWithDevices(t *testing.T) {
	mapped := []rbd.Mapped{{ID: 0, Device: "rbd0", Major: 251, Minor: 0, Pool: "vms", Image: "a"},
		{ID: 1, Device: "rbd1", Major: 251, Minor: 16, Pool: "vms", Image: "b"}}
	list := []Observation{SawMapped{read(0, mapped)}, virt(0, onKrbd("vm2", "2", 16), onKrbd("vm1", "1", 16))}
	for what, order := range map[string][]Observation{"devices first": list, "guests first": {list[1], list[0]}} {
		s := took(Snapshot{}, 0, order...)
		if diff := cmp.Diff([]string{"vm1", "vm2"}, s.UsedBy("rbd1")); diff != "" {
			t.Errorf("%s: rbd1 (-want +got):\n%s", what, diff)
		}
		if got := s.UsedBy("rbd0"); len(got) != 0 {
			t.Errorf("%s: got %v on rbd0, want nobody", what, got)
		}
		if got := s.UsedBy("rbd9"); got != nil {
			t.Errorf("%s: got %v on a device that is not there", what, got)
		}
		if d := s.Guests[0].Disks[0]; d.Client != rbd.KRBD || d.Image != "b" {
			t.Errorf("%s: got disk %+v, want it resolved", what, d)
		}
	}
}

func TestGuestsStayWhileTheirSourceIsBlind(t *testing.T) {
	s := took(Snapshot{}, 0, virt(0, onKrbd("vm1", "1", 0)))
	s = took(s, 5, SawLibvirt{Reading[rbd.Guests]{Err: &Error{Kind: Stalled, Since: after(5)}}})
	if len(s.Guests) != 1 {
		t.Errorf("got %v, want what was known", names(s.Guests))
	}
}

func TestGuestsKnownByEitherView(t *testing.T) {
	bad := func(kind ErrorKind) Reading[rbd.Guests] {
		return Reading[rbd.Guests]{Err: &Error{Kind: kind, Text: string(kind), Since: t0}}
	}
	start := took(Snapshot{}, 0, Started{Sources: []Source{{Name: SourceLibvirt}, {Name: SourceQEMU}}})
	for what, c := range map[string]struct {
		list []Observation
		want ErrorKind
	}{
		"both":                         {[]Observation{virt(0), qemu(0)}, ""},
		"libvirt only":                 {[]Observation{virt(0), SawQEMU{bad(Failed)}}, ""},
		"processes only":               {[]Observation{SawLibvirt{bad(Absent)}, qemu(0)}, ""},
		"neither":                      {[]Observation{SawLibvirt{bad(Denied)}, SawQEMU{bad(Failed)}}, Denied},
		"no libvirt, processes denied": {[]Observation{SawLibvirt{bad(Absent)}, SawQEMU{bad(Denied)}}, Denied},
		"not read yet":                 {nil, Failed},
	} {
		var got ErrorKind
		if err := took(start, 0, c.list...).GuestsKnown(); err != nil {
			got = err.Kind
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
	}
}

func TestSinceWhenADeviceIsMapped(t *testing.T) {
	seen := func(s Snapshot, at float64, list ...rbd.Mapped) Snapshot {
		return took(s, at, SawMapped{read(at, list)})
	}
	a := rbd.Mapped{ID: 0, Device: "rbd0", Pool: "vms", Image: "a", ClientID: 7}
	b := rbd.Mapped{ID: 10, Device: "rbd10", Pool: "vms", Image: "b", ClientID: 7}
	c := rbd.Mapped{ID: 2, Device: "rbd2", Pool: "vms", Image: "c", ClientID: 7}
	at := func(s Snapshot, device string) float64 {
		t.Helper()
		m, since, found := s.Device(device)
		if !found || m.Device != device {
			t.Fatalf("%s: got %+v, found %v", device, m, found)
		}
		if since.IsZero() {
			return -1
		}
		return since.Sub(t0).Seconds()
	}
	s := seen(Snapshot{}, 0, a, b)
	if at(s, "rbd0") != -1 || at(s, "rbd10") != -1 {
		t.Error("what is there at the first look has been there before")
	}
	s = seen(s, 5, a, c, b)
	if at(s, "rbd0") != -1 || at(s, "rbd10") != -1 || at(s, "rbd2") != 5 {
		t.Errorf("got rbd0 %v, rbd10 %v, rbd2 %v", at(s, "rbd0"), at(s, "rbd10"), at(s, "rbd2"))
	}
	s = took(s, 7, SawMapped{Reading[[]rbd.Mapped]{Err: &Error{Kind: Failed, Since: after(7)}}})
	if at(s, "rbd2") != 5 {
		t.Error("a reading that failed made a device new")
	}
	again, other := a, b
	again.ClientID, other.Image = 8, "z"
	s = seen(s, 10, again, c, other)
	if at(s, "rbd0") != 10 || at(s, "rbd10") != 10 || at(s, "rbd2") != 5 {
		t.Errorf("got rbd0 %v, rbd10 %v, rbd2 %v, want another client and another image to be new", at(s, "rbd0"), at(s, "rbd10"),
			at(s, "rbd2"))
	}
	s = seen(s, 15, c)
	s = seen(s, 20, again, c)
	if at(s, "rbd0") != 20 {
		t.Errorf("got %v for a device that was gone, want 20", at(s, "rbd0"))
	}
	if _, _, found := s.Device("rbd10"); found {
		t.Error("rbd10 is gone")
	}
	if s.MappedAt(1) != after(5) {
		t.Errorf("got %s of the second device", s.MappedAt(1))
	}
	if first := seen(Snapshot{}, 30); at(seen(first, 35, a), "rbd0") != 35 {
		t.Error("after a first look that found nothing, a device is new")
	}
}
