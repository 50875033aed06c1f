package node

// ringLen is the number of slots of a Ring.
const ringLen = 60

// A Ring counts in the latest 60 slots of time, of one second or ten each. It is
// immutable: adding returns another.
type Ring struct {
	head int64           // the latest slot's number
	n    [ringLen]uint32 // by slot modulo ringLen
}

// add returns the ring with n more in the given slot. Counts older than the ring are
// left out.
func (r Ring) add(slot int64, n uint64) Ring {
	if slot < 0 || slot <= r.head-ringLen {
		return r
	}
	for i := max(r.head+1, slot-ringLen+1); i <= slot; i++ {
		r.n[i%ringLen] = 0
	}
	r.head = max(r.head, slot)
	r.n[slot%ringLen] = plus(r.n[slot%ringLen], n)
	return r
}

// plus returns the count plus n, limited to the maximum of a slot.
func plus(count uint32, n uint64) uint32 {
	return uint32(min(uint64(count)+min(n, 1<<32-1), 1<<32-1))
}

// at returns the count in the given slot.
func (r *Ring) at(slot int64) uint32 {
	if slot < 0 || slot > r.head || slot <= r.head-ringLen {
		return 0
	}
	return r.n[slot%ringLen]
}

// sum returns the count in the last slots up to and including now's.
func (r *Ring) sum(now, slots int64) (sum uint64) {
	for slot := max(now-slots+1, r.head-ringLen+1, 0); slot <= min(now, r.head); slot++ {
		sum += uint64(r.at(slot))
	}
	return sum
}

// used returns in how many of the last slots up to now something was counted.
func (r *Ring) used(now, slots int64) (used int) {
	for slot := max(now-slots+1, r.head-ringLen+1, 0); slot <= min(now, r.head); slot++ {
		if r.at(slot) > 0 {
			used++
		}
	}
	return used
}

// first returns the earliest slot of the last slots up to now in which something was
// counted, and whether there is one.
func (r *Ring) first(now, slots int64) (int64, bool) {
	for slot := max(now-slots+1, r.head-ringLen+1, 0); slot <= min(now, r.head); slot++ {
		if r.at(slot) > 0 {
			return slot, true
		}
	}
	return 0, false
}
