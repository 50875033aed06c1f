package metrics

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule/storage"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// Limits on what would otherwise be unbounded.
const (
	maxSubjects = 50   // per rule; the rest are summed under one name
	maxBonds    = 32   // by name
	maxNICs     = 64   // slaves first
	maxCounters = 32   // per NIC driver
	maxLimits   = 64   // limits set by tc
	maxOSDs     = 50   // those with most log lines
	maxStalled  = 50   // krbd devices, longest stalled first
	maxDevices  = 1000 // krbd devices with an info metric
)

// A picture is a View with values that several metrics use.
type picture struct {
	judge.View
	bonds   []bond.Bond
	nics    []placed
	stalled []node.DiskIO // longest stalled first
	osds    []osdCount    // most log lines first
}

// A placed NIC is a NIC with the bond of which it is a slave; empty: none.
type placed struct {
	node.NIC
	bond string
}

func survey(v judge.View) *picture {
	p := &picture{View: v, bonds: v.Bonds(), osds: osdsInTrouble(&v)}
	if len(p.bonds) > maxBonds {
		p.bonds = p.bonds[:maxBonds]
	}
	p.place()
	stalledAfter := storage.StalledAfter(v.Rules)
	for _, d := range v.IO {
		if d.StalledFor() >= stalledAfter {
			p.stalled = append(p.stalled, d)
		}
	}
	slices.SortStableFunc(p.stalled, func(a, b node.DiskIO) int { return cmp.Compare(b.StalledFor(), a.StalledFor()) })
	return p
}

// place finds the bond of each watched NIC.
func (p *picture) place() {
	of := map[string]string{}
	for _, b := range p.bonds {
		for _, s := range b.Slaves {
			of[s.Name] = b.Name
		}
	}
	for _, n := range p.NICs {
		p.nics = append(p.nics, placed{n, of[n.Name]})
	}
	slices.SortStableFunc(p.nics, func(a, b placed) int {
		return cmp.Or(cmp.Compare(truth(b.bond != ""), truth(a.bond != "")), strings.Compare(a.Name, b.Name))
	})
	if len(p.nics) > maxNICs {
		p.nics = p.nics[:maxNICs]
	}
}
