package node

// A run is entries that are taken together: nobody looks between two of them, so
// that what only the last of them leaves need be made.
type run struct {
	kernel   ownLog
	unjoined bool // guests and disks are joined by an entry to come
}

// TakeAll returns the snapshot that knows all entries of the list, as if each had
// been taken by itself. Its cost is less: a line of the log that is counted in
// several batches is copied once.
func (s Snapshot) TakeAll(list []Entry) Snapshot {
	last := len(list) - 1
	for last >= 0 && !joins(list[last].Obs) {
		last--
	}
	s.run = &run{}
	for i, e := range list {
		s.run.unjoined = i < last
		if s = s.Take(e); s.run == nil { // it has started anew
			s.run = &run{}
		}
	}
	s.run = nil
	return s
}

// joins reports whether the observation joins guests and disks, whatever it says.
func joins(o Observation) bool {
	switch o.(type) {
	case SawLibvirt, *SawLibvirt, SawQEMU, *SawQEMU:
		return true
	}
	return false
}

// ownLog says what of the log belongs to the run; nothing yet if there is none.
func (r *run) ownLog() *ownLog {
	if r == nil {
		return &ownLog{}
	}
	return &r.kernel
}
