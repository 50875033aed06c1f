package node

// ringLen is how many slots a Ring has.
const ringLen = 60

// A Ring counts in the latest 60 slots of time, a second or ten each. It is a
// value: adding gives another.
type Ring struct {
	head int64 // the latest slot's number
	n    [ringLen]uint32
}

// add returns the ring with n more in the given slot. What is older than the
// ring reaches is left out.
func (r Ring) add(slot int64, n uint64) Ring {
	r.count(slot, n)
	return r
}

// count adds n to the given slot of a ring that nobody else has yet.
func (r *Ring) count(slot int64, n uint64) {
	if slot > r.head {
		for i := max(r.head+1, slot-ringLen+1); i <= slot; i++ {
			r.n[i%ringLen] = 0
		}
		r.head = slot
	}
	if slot < 0 || slot <= r.head-ringLen {
		return
	}
	i := slot % ringLen
	r.n[i] = uint32(min(uint64(r.n[i])+n, 1<<32-1))
}

// span is which of the last slots up to now the ring can tell of: from first to
// last; none if first is after last.
func (r *Ring) span(now, slots int64) (first, last int64) {
	return max(now-slots+1, r.head-ringLen+1, 0), min(now, r.head)
}

// sum is how many fell into the last slots up to now, now's own included.
func (r *Ring) sum(now, slots int64) uint64 {
	var sum uint64
	first, last := r.span(now, slots)
	i := first % ringLen
	for ; first <= last; first++ {
		sum += uint64(r.n[i])
		if i++; i == ringLen {
			i = 0
		}
	}
	return sum
}

// first is the earliest slot of the last slots up to now in which something was
// counted, and whether there is one.
func (r *Ring) first(now, slots int64) (int64, bool) {
	first, last := r.span(now, slots)
	for slot := first; slot <= last; slot++ {
		if r.n[slot%ringLen] > 0 {
			return slot, true
		}
	}
	return 0, false
}
