package node

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// SawMapped is a reading of krbd's devices.
type SawMapped struct{ Reading[[]rbd.Mapped] }

// since returns when a device was mapped. Zero: before nodewatch started.
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
	s = s.recordReading(SourceKrbd, o.At, o.Every, s.Mapped.Err)
	if o.Err != nil {
		return s
	}
	var same bool
	if s.mappedSince, same = remapped(s.mappedSince, s.Mapped.Value, o.At, first); !same || s.byDevice == nil {
		s.byDevice = make(map[string]int, len(s.Mapped.Value))
		for i := range s.Mapped.Value {
			s.byDevice[s.Mapped.Value[i].Device] = i
		}
	}
	return s.recomputePaths().rejoinGuests()
}

// remapped finds devices that are new since the previous reading, and reports whether
// their names and places are the same. Usually nothing has changed.
func remapped(old []since, devices []rbd.Mapped, at time.Time, first bool) (list []since, same bool) {
	same = len(old) == len(devices)
	for i := 0; same && i < len(devices); i++ {
		same = old[i].device == devices[i].Device
	}
	known := make(map[string]int)
	for i := 0; !same && i < len(old); i++ {
		known[old[i].device] = i
	}
	list = make([]since, 0, len(devices))
	for i := range devices {
		m := &devices[i]
		n := since{device: m.Device, image: m.Spec(), clientID: m.ClientID, at: at}
		before, found := known[m.Device]
		if same {
			before, found = i, true
		}
		if found && old[before].image == n.image && old[before].clientID == n.clientID {
			n.at = old[before].at
		} else if first {
			n.at = time.Time{}
		}
		list = append(list, n)
	}
	return list, same
}

// Device returns the krbd device of the given name, when it was mapped (zero: before
// nodewatch started), and whether it exists.
func (s Snapshot) Device(name string) (m rbd.Mapped, mapped time.Time, found bool) {
	i, found := s.byDevice[name]
	if !found {
		return rbd.Mapped{}, time.Time{}, false
	}
	return s.Mapped.Value[i], s.mappedSince[i].at, true
}
