package node

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// SawMapped is a reading of krbd's devices.
type SawMapped struct{ Reading[[]rbd.Mapped] }

// since tells since when a device is the mapping it is. Zero: since before
// nodewatch started.
type since struct {
	device   string
	image    string
	clientID uint64
	at       time.Time
}

// Apply implements Observation.
func (o SawMapped) Apply(s Snapshot) Snapshot {
	first := s.Mapped.At.IsZero()
	s.Mapped = o.after(s.Mapped)
	s = s.heard(SourceKrbd, o.At, o.Every, s.Mapped.Err)
	if o.Err != nil {
		return s
	}
	s.mappedSince = remapped(s.mappedSince, s.Mapped.Value, o.At, first)
	s.byDevice = make(map[string]int, len(s.Mapped.Value))
	for i := range s.Mapped.Value {
		s.byDevice[s.Mapped.Value[i].Device] = i
	}
	return s.routed().joined()
}

// remapped follows which devices are new since the reading before.
func remapped(old []since, devices []rbd.Mapped, at time.Time, first bool) []since {
	known := make(map[string]since, len(old))
	for _, o := range old {
		known[o.device] = o
	}
	list := make([]since, 0, len(devices))
	for _, m := range devices {
		n := since{device: m.Device, image: m.Spec(), clientID: m.ClientID, at: at}
		if o, found := known[m.Device]; found && o.image == n.image && o.clientID == n.clientID {
			n.at = o.at
		} else if first {
			n.at = time.Time{}
		}
		list = append(list, n)
	}
	return list
}

// Device returns the krbd device of the given name, since when it has been this
// mapping (zero: since before nodewatch started), and whether there is one.
func (s Snapshot) Device(name string) (m rbd.Mapped, mapped time.Time, found bool) {
	i, found := s.byDevice[name]
	if !found {
		return rbd.Mapped{}, time.Time{}, false
	}
	return s.Mapped.Value[i], s.mappedSince[i].at, true
}
