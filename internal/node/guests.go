package node

import (
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// SawLibvirt is a reading of libvirt's domains.
type SawLibvirt struct{ Reading[rbd.Guests] }

// Apply implements Observation.
func (o SawLibvirt) Apply(s Snapshot) Snapshot {
	s.Libvirt = o.after(s.Libvirt)
	return s.recordReading(SourceLibvirt, o.At, o.Every, s.Libvirt.Err).rejoinGuests()
}

// SawQEMU is a reading of virtual machines' and containers' processes.
type SawQEMU struct{ Reading[rbd.Guests] }

// Apply implements Observation.
func (o SawQEMU) Apply(s Snapshot) Snapshot {
	s.QEMU = o.after(s.QEMU)
	return s.recordReading(SourceQEMU, o.At, o.Every, s.QEMU.Err).rejoinGuests()
}

// rejoinGuests recomputes the list of guests and the guests of each krbd device. A
// guest in both views is one guest with the information from both; the processes add
// those that libvirt does not know.
func (s Snapshot) rejoinGuests() Snapshot {
	if s.batch != nil && s.batch.unjoined {
		return s
	}
	exports := s.QEMU.Value.Exports
	s.Guests = rbd.Resolve(rbd.ResolveExports(s.Libvirt.Value.Guests, exports), s.Mapped.Value)
	processes := rbd.Resolve(s.QEMU.Value.Guests, s.Mapped.Value)
	libvirt := newGuestPlaces(slices.Clip(s.Guests))
	answers := s.Blind(SourceLibvirt) == nil
	for i := range processes {
		g := &processes[i]
		at, known := libvirt.find(g)
		switch {
		case known:
			s.Guests[at] = rbd.Merge(s.Guests[at], *g)
		case g.Libvirt && answers && g.ID == "":
			// The process' command line has not been read yet, and libvirt may not know the
			// name in its cgroup.
		default:
			s.Guests = append(s.Guests, *g)
		}
	}
	slices.SortFunc(s.Guests, func(a, b rbd.Guest) int { return strings.Compare(a.Name, b.Name) })
	s.Uses = rbd.Join(s.Mapped.Value, s.Guests)
	return s
}

// guestPlaces finds libvirt's guests by ID and by name.
type guestPlaces struct {
	guests     []rbd.Guest
	ids, names map[string]int
}

func newGuestPlaces(guests []rbd.Guest) guestPlaces {
	p := guestPlaces{guests, make(map[string]int, len(guests)), make(map[string]int, len(guests))}
	for i := range guests {
		p.ids[guests[i].ID], p.names[guests[i].Name] = i, i
	}
	delete(p.ids, "")
	return p
}

// find returns the place of libvirt's guest that a process runs. libvirt gives each QEMU
// its UUID. Several guests may have the same name, such as a container and a virtual
// machine, or virtual machines run by libvirt and by something else. The name is
// therefore used only for a process in libvirt's cgroup whose UUID is unknown because
// its command line has not been read yet.
func (p guestPlaces) find(g *rbd.Guest) (at int, known bool) {
	if g.Kind == "container" {
		return 0, false
	}
	if at, known = p.ids[g.ID]; known || g.ID != "" || !g.Libvirt {
		return at, known
	}
	at, known = p.names[g.Name]
	return at, known
}

// GuestsKnown returns nil if at least one view of the guests is available, otherwise
// why neither is.
func (s Snapshot) GuestsKnown() *Error {
	virt, qemu := s.Blind(SourceLibvirt), s.Blind(SourceQEMU)
	if virt == nil || qemu == nil {
		return nil
	}
	if virt.Kind == Absent {
		return qemu
	}
	return virt
}

// UsedBy returns the names of the guests on a krbd device, sorted.
func (s Snapshot) UsedBy(device string) []string { return usedBy(s.Uses, device) }

func usedBy(uses []rbd.Use, device string) []string {
	i, found := place(uses, device, func(u *rbd.Use) string { return u.Device })
	if !found {
		return nil
	}
	return uses[i].Guests
}
