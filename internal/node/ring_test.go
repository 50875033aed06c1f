package node

import (
	"testing"
)

// A plain ring is a reference implementation of Ring: a list of every count with its
// slot.
type plain struct {
	head   int64
	counts map[int64]uint64
}

func (p *plain) add(slot int64, n uint64) {
	p.head = max(p.head, slot)
	if slot >= 0 && slot > p.head-ringLen {
		p.counts[slot] += n
	}
}

func (p *plain) sum(now, slots int64) (sum uint64, first int64, found bool) {
	for slot := max(now-slots+1, p.head-ringLen+1); slot <= now; slot++ {
		n := min(p.counts[slot], 1<<32-1)
		sum += n
		if n > 0 && !found {
			first, found = slot, true
		}
	}
	return sum, first, found
}

// FuzzCounts: each column of counts is the Ring of what was added to it, up to the
// latest slot of all columns; adding does not change the previous counts, whose rows
// are shared.
func FuzzCounts(f *testing.F) {
	f.Add([]byte{0, 1, 2, 59, 60, 61, 200, 3, 0, 255}, uint8(4))
	f.Add([]byte{1, 5, 64, 66, 64, 5}, uint8(2))
	f.Fuzz(func(t *testing.T, slots []byte, cut uint8) {
		var c, before counts
		var own, none ownRows
		var rings, then [4]Ring
		for i, slot := range slots {
			if i == int(cut) {
				before, then, own = c, rings, none
			}
			c.add(&own, int64(slot), i%4, uint64(i))
			rings[i%4] = rings[i%4].add(int64(slot), uint64(i))
		}
		if len(slots) <= int(cut) {
			before, then = c, rings
		}
		for column := range rings {
			compareColumn(t, &before, column, then[column])
			compareColumn(t, &c, column, rings[column])
		}
		kept := c.only([]int{2, 0})
		compareColumn(t, &kept, 0, rings[2])
		compareColumn(t, &kept, 1, rings[0])
	})
}

func compareColumn(t *testing.T, c *counts, column int, want Ring) {
	t.Helper()
	got := c.ring(column)
	for slot := int64(-1); slot < 300; slot++ {
		now := uint32(0)
		if slot > c.head-ringLen {
			now = want.at(slot)
		}
		if got.at(slot) != now || c.at(column, slot) != now || c.sum(column, slot, 1) != uint64(now) {
			t.Fatalf("column %d, slot %d: got %d, %d and %d, want %d", column, slot, got.at(slot), c.at(column, slot),
				c.sum(column, slot, 1), now)
		}
	}
	if got, want := c.sum(column, c.head, ringLen), want.sum(c.head, ringLen); got != want {
		t.Fatalf("column %d: got %d in all, want %d", column, got, want)
	}
}

// FuzzRing: for any additions in any order, a Ring has the sums and the start of a
// list of all counts of which only the latest 60 slots are kept; adding does not
// change the previous Ring.
func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 1, 2, 59, 60, 61, 200, 3, 0, 255}, uint8(60), uint8(70))
	f.Add([]byte{255, 0}, uint8(1), uint8(255))
	f.Add([]byte{}, uint8(0), uint8(0))
	f.Add([]byte{59, 30, 31, 30}, uint8(60), uint8(60)) // late ones
	f.Add([]byte{1, 5, 64, 66}, uint8(60), uint8(66))   // overwrites a count of the previous round
	f.Fuzz(func(t *testing.T, slots []byte, window, now uint8) {
		var r Ring
		p := plain{counts: map[int64]uint64{}}
		for i, slot := range slots {
			before := r
			sum := before.sum(int64(now), int64(window))
			r = r.add(int64(slot), uint64(i))
			p.add(int64(slot), uint64(i))
			if got := before.sum(int64(now), int64(window)); got != sum {
				t.Fatalf("adding to slot %d made another ring's sum %d, which was %d", slot, got, sum)
			}
		}
		sum, first, found := p.sum(int64(now), int64(window))
		if got := r.sum(int64(now), int64(window)); got != sum {
			t.Fatalf("sum of the last %d up to %d: got %d, want %d", window, now, got, sum)
		}
		if slot, is := r.first(int64(now), int64(window)); is != found || slot != first {
			t.Fatalf("first of the last %d up to %d: got %d %v, want %d %v", window, now, slot, is, first, found)
		}
	})
}

func TestRingOfRealTimes(t *testing.T) {
	var r Ring
	now := t0.Unix()
	for _, ago := range []int64{59, 30, 0} {
		r = r.add(now-ago, 5)
	}
	for slots, want := range map[int64]uint64{1: 5, 30: 5, 31: 10, 59: 10, 60: 15, 600: 15, 0: 0} {
		if got := r.sum(now, slots); got != want {
			t.Errorf("the last %d slots: got %d, want %d", slots, got, want)
		}
	}
	if got := r.sum(now+60, 60); got != 0 {
		t.Errorf("got %d a minute later, want 0", got)
	}
	if r = r.add(now-60, 9); r.sum(now, 60) != 15 {
		t.Errorf("got %d with a count older than the ring, want it left out", r.sum(now, 60))
	}
}

func TestRingDoesNotWrap(t *testing.T) {
	r := Ring{}.add(7, 1<<32-2).add(7, 5).add(7, 1<<63)
	if got := r.sum(7, 1); got != 1<<32-1 {
		t.Errorf("got %d, want the most that a slot holds", got)
	}
	if r = (Ring{}).add(-5, 3); r.sum(0, 60) != 0 {
		t.Errorf("got %d of a slot before 1970, want 0", r.sum(0, 60))
	}
}
