package node

// A batch is entries that are taken together: nobody looks between two of them, so
// that what only the last of them leaves need be made.
type batch struct {
	kernel   ownLog
	unjoined bool // guests and disks are joined by an entry to come
}

// TakeAll returns the snapshot that knows all entries of the list, as if each had
// been taken by itself. Its cost is less: the log is copied once for the several
// batches of a second, and guests and disks are joined once.
func (s Snapshot) TakeAll(list []Entry) Snapshot {
	last := len(list) - 1
	for last >= 0 && !joins(list[last].Obs) {
		last--
	}
	for i, e := range list {
		if s.batch == nil { // the first entry, or one that starts again
			s.batch = &batch{}
		}
		s.batch.unjoined = i < last
		s = s.Take(e)
	}
	s.batch = nil
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
func (r *batch) ownLog() *ownLog {
	if r == nil {
		return &ownLog{}
	}
	return &r.kernel
}
