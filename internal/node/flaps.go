package node

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// A Flap counts recent link failures of one slave by the kernel's own counter, which
// includes failures between two readings.
type Flap struct {
	Bond, Slave string
	Last        time.Time // when the counter was last observed to have risen; zero: never since nodewatch started
	index       int
	count       uint32
	tens        Ring
}

// Within returns how many failures were found in the last d before now, with a
// resolution of ten seconds, up to ten minutes.
func (f Flap) Within(now time.Time, d time.Duration) uint64 {
	return f.tens.sum(now.Unix()/10, int64(d/(10*time.Second)))
}

// Flap returns the recent link failures of a slave.
func (s Snapshot) Flap(bond, slave string) Flap {
	i, found := slices.BinarySearchFunc(s.flaps, Flap{Bond: bond, Slave: slave}, Flap.compare)
	if !found {
		return Flap{Bond: bond, Slave: slave}
	}
	return s.flaps[i]
}

func (f Flap) compare(o Flap) int {
	return cmp.Or(cmp.Compare(f.Bond, o.Bond), cmp.Compare(f.Slave, o.Slave))
}

// flapped follows the failure counters of the kernel bonds' slaves. A counter that
// went down, or another ifindex, means that a slave was enslaved again.
func (s Snapshot) flapped(bonds []bond.Bond, at time.Time) []Flap {
	var list []Flap
	for _, b := range bonds {
		for _, slave := range b.Slaves {
			f := s.Flap(b.Name, slave.Name)
			if f.index != 0 && f.index == slave.Index && slave.LinkFailures > f.count {
				f.tens = f.tens.add(at.Unix()/10, uint64(slave.LinkFailures-f.count))
				f.Last = at
			}
			f.index, f.count = slave.Index, slave.LinkFailures
			list = append(list, f)
		}
	}
	slices.SortFunc(list, Flap.compare)
	return list
}
