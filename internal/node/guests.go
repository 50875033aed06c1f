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
	return s.heard(SourceLibvirt, o.At, o.Every, s.Libvirt.Err).joined()
}

// SawQEMU is a reading of QEMU's and containers' processes.
type SawQEMU struct{ Reading[rbd.Guests] }

// Apply implements Observation.
func (o SawQEMU) Apply(s Snapshot) Snapshot {
	s.QEMU = o.after(s.QEMU)
	return s.heard(SourceQEMU, o.At, o.Every, s.QEMU.Err).joined()
}

// joined works out anew which guests there are and which krbd device each sits
// on. libvirt knows more of a guest than its process does, so its view of a
// guest wins; the processes add those that libvirt does not know.
func (s Snapshot) joined() Snapshot {
	if s.run != nil && s.run.unjoined {
		return s
	}
	guests := slices.Clip(s.Libvirt.Value.Guests)
	known := make(map[string]bool, 2*len(guests))
	for i := range guests {
		known[guests[i].Name], known[guests[i].ID] = true, true
	}
	answers := s.Blind(SourceLibvirt) == nil
	for _, g := range s.QEMU.Value.Guests {
		// A process whose command line is not read yet bears no name libvirt knows.
		if g.Libvirt && answers {
			continue
		}
		if !known[g.Name] && !known[g.ID] {
			guests = append(guests, g)
		}
	}
	s.Guests = rbd.Resolve(guests, s.Mapped.Value)
	slices.SortFunc(s.Guests, func(a, b rbd.Guest) int { return strings.Compare(a.Name, b.Name) })
	s.Uses = rbd.Join(s.Mapped.Value, s.Guests)
	return s
}

// GuestsKnown returns nil if at least one view of the guests can be believed,
// else why neither can.
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
