package node

// A batch is a group of entries that are applied together. No intermediate snapshot
// is visible, so results that a later entry replaces need not be computed.
type batch struct {
	kernel   ownLog
	unjoined bool // a later entry of the batch joins guests and disks
}

// TakeAll returns the snapshot with all entries of the list applied, as if each had
// been applied by itself. It costs less: the log is copied once for the several
// batches of a second, and guests and disks are joined once.
func (s Snapshot) TakeAll(list []Entry) Snapshot {
	last := len(list) - 1
	for last >= 0 && !joins(list[last].Obs) {
		last--
	}
	for i, e := range list {
		if s.batch == nil { // the first entry, or the first after a restart
			s.batch = &batch{}
		}
		s.batch.unjoined = i < last
		s = s.Take(e)
	}
	s.batch = nil
	return s
}

// joins reports whether the observation causes guests and disks to be joined,
// whatever it contains.
func joins(o Observation) bool {
	switch o.(type) {
	case SawLibvirt, *SawLibvirt, SawQEMU, *SawQEMU:
		return true
	}
	return false
}

// ownLog returns which parts of the log belong to the batch; none if there is no
// batch.
func (r *batch) ownLog() *ownLog {
	if r == nil {
		return &ownLog{}
	}
	return &r.kernel
}
