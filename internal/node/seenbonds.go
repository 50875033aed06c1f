package node

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// maxSeen is the maximum number of remembered bonds, and of remembered slaves of one
// bond.
const maxSeen = 256

// A SeenBond is a kernel bond that has existed since nodewatch started, with the
// slaves it has had.
type SeenBond struct {
	Name   string
	Slaves []SeenSlave // by name
	Last   time.Time   // when it last existed
	Gone   time.Time   // when it disappeared; zero: it exists
}

// A SeenSlave is a slave that a bond has had.
type SeenSlave struct {
	Name  string
	Speed int       // the highest observed speed, Mbit/s; 0: never known
	Gone  time.Time // when the bond lost it; zero: it still has it
}

// SeenBonds are the kernel's bonds that have existed since nodewatch started, by
// name.
func (s Snapshot) SeenBonds() []SeenBond { return s.seenBonds }

// seenBondsAfter returns the seen bonds after a reading of the bonds. It does not
// modify its input. A slave that has moved to another bond, or that another slave has
// replaced, is no longer expected in its former bond.
func seenBondsAfter(old []SeenBond, bonds []bond.Bond, at time.Time) []SeenBond {
	list := slices.Clone(old)
	moved := map[string]string{}
	for _, b := range bonds {
		for _, s := range b.Slaves {
			moved[s.Name] = b.Name
		}
	}
	for i := range list {
		n := slices.IndexFunc(bonds, func(b bond.Bond) bool { return b.Name == list[i].Name })
		if n < 0 {
			if list[i].Gone.IsZero() {
				list[i].Gone = at
			}
			continue
		}
		list[i].Last, list[i].Gone = at, time.Time{}
		list[i].Slaves = seenSlavesAfter(list[i].Slaves, bonds[n], moved, at)
	}
	for _, b := range bonds {
		if len(list) < maxSeen && !slices.ContainsFunc(old, func(s SeenBond) bool { return s.Name == b.Name }) {
			list = append(list, SeenBond{Name: b.Name, Last: at, Slaves: seenSlavesAfter(nil, b, moved, at)})
		}
	}
	slices.SortFunc(list, func(a, b SeenBond) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func seenSlavesAfter(old []SeenSlave, b bond.Bond, moved map[string]string, at time.Time) []SeenSlave {
	var list []SeenSlave
	for _, s := range b.Slaves {
		seen := SeenSlave{Name: s.Name, Speed: s.Speed}
		for _, o := range old {
			if o.Name == s.Name {
				seen.Speed = max(seen.Speed, o.Speed)
			}
		}
		list = append(list, seen)
	}
	had := len(old) // the number of slaves it has had is expected, whichever they are
	for _, o := range old {
		if to, elsewhere := moved[o.Name]; elsewhere && to != b.Name || !elsewhere && len(list) >= min(had, maxSeen) || to == b.Name {
			continue
		}
		if o.Gone.IsZero() {
			o.Gone = at
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b SeenSlave) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
