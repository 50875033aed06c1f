package node

// ringLen is how many slots a Ring has.
const ringLen = 60

// A Ring counts in the latest 60 slots of time, a second or ten each. It is a
// value: adding gives another. Rings share what they have counted in slots that
// are over, so that one costs little to copy while its latest slot fills.
type Ring struct {
	head int64            // the latest slot's number
	now  uint32           // counted in it
	past *[ringLen]uint32 // counted in the slots before it; never changed; nil: nothing
	all  uint64           // the sum of past
}

// add returns the ring with n more in the given slot. What is older than the
// ring reaches is left out.
func (r Ring) add(slot int64, n uint64) Ring {
	r.count(slot, n)
	return r
}

// count adds n to the given slot of a ring that nobody else has yet.
func (r *Ring) count(slot int64, n uint64) {
	switch {
	case slot < 0 || slot <= r.head-ringLen:
	case slot == r.head:
		r.now = plus(r.now, n)
	case slot < r.head:
		past := r.copied()
		was := past[slot%ringLen]
		past[slot%ringLen] = plus(was, n)
		r.past, r.all = past, r.all+uint64(past[slot%ringLen]-was)
	default:
		r.turn(slot)
		r.now = plus(0, n)
	}
}

// turn makes slot, which is later than the latest, the latest.
func (r *Ring) turn(slot int64) {
	var past *[ringLen]uint32
	var all uint64
	if slot < r.head+ringLen && (r.past != nil || r.now > 0) {
		past, all = r.copied(), r.all+uint64(r.now)
		past[r.head%ringLen] = r.now
		for i := r.head + 1; i <= slot; i++ {
			all -= uint64(past[i%ringLen])
			past[i%ringLen] = 0
		}
	}
	r.head, r.past, r.now, r.all = slot, past, 0, all
}

// copied is a copy of the past.
func (r *Ring) copied() *[ringLen]uint32 {
	past := new([ringLen]uint32)
	if r.past != nil {
		*past = *r.past
	}
	return past
}

// plus is n more than a count, at most what a slot holds.
func plus(count uint32, n uint64) uint32 {
	return uint32(min(uint64(count)+min(n, 1<<32-1), 1<<32-1))
}

// at is what was counted in the given slot.
func (r *Ring) at(slot int64) uint32 {
	switch {
	case slot == r.head:
		return r.now
	case slot < 0 || slot > r.head || slot <= r.head-ringLen || r.past == nil:
		return 0
	}
	return r.past[slot%ringLen]
}

// sum is how many fell into the last slots up to now, now's own included.
func (r *Ring) sum(now, slots int64) uint64 {
	var sum uint64
	if r.head <= now && r.head > now-slots {
		sum = uint64(r.now)
	}
	if r.past != nil && now >= r.head && now-slots < r.head-ringLen+1 {
		return sum + r.all // the whole ring
	}
	i, n := r.span(now, slots)
	for ; n > 0; n-- {
		sum += uint64(r.past[i])
		if i++; i == ringLen {
			i = 0
		}
	}
	return sum
}

// used is in how many of the last slots up to now something was counted.
func (r *Ring) used(now, slots int64) int {
	used := 0
	if r.now > 0 && r.head <= now && r.head > now-slots {
		used = 1
	}
	i, n := r.span(now, slots)
	for ; n > 0; n-- {
		if r.past[i] > 0 {
			used++
		}
		if i++; i == ringLen {
			i = 0
		}
	}
	return used
}

// span is which places of past the last slots up to now are: the first, and how many
// follow it, around the ring.
func (r *Ring) span(now, slots int64) (first, n int64) {
	if r.past == nil {
		return 0, 0
	}
	from, to := max(now-slots+1, r.head-ringLen+1, 0), min(now, r.head-1)
	return from % ringLen, to - from + 1
}

// first is the earliest slot of the last slots up to now in which something was
// counted, and whether there is one.
func (r *Ring) first(now, slots int64) (int64, bool) {
	for slot := max(now-slots+1, r.head-ringLen+1, 0); slot <= min(now, r.head); slot++ {
		if r.at(slot) > 0 {
			return slot, true
		}
	}
	return 0, false
}
