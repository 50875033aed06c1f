package facts

import (
	"cmp"
	"slices"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// A Throttle is a rate limit, set by tc, on a link that carries krbd's traffic.
type Throttle struct {
	bond.Limit
	Line    float64 // bit/s, capacity of the links below; 0: unknown
	Devices int     // number of krbd devices whose traffic the link carries
}

// Throttles returns the limits below a share of the line rate on the links that carry
// krbd's traffic, by link, lowest first. Limits of other links, such as guests' taps,
// do not count.
func (f *Facts) Throttles(share float64) []Throttle {
	var list []Throttle
	for _, l := range f.Limits.Value.Limits {
		t := Throttle{Limit: l}
		for i := range f.Storage {
			p := &f.Storage[i]
			if slices.Contains(p.Way, l.Link) {
				t.Devices += p.Devices
				t.Line = max(t.Line, f.lineRate(l.Link, p.Carriers))
			}
		}
		line := t.Line
		if line == 0 {
			line = unknownLine * 1e6
		}
		if t.Devices > 0 && float64(l.Rate) < share*line {
			list = append(list, t)
		}
	}
	slices.SortStableFunc(list, func(a, b Throttle) int { return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.Rate, b.Rate)) })
	return list
}

// lineRate returns the capacity of a link, in bit/s: for a slave or NIC its own
// speed, for a bond the sum of its slaves, for another link that of the links below
// it. 0: unknown.
func (f *Facts) lineRate(link string, carriers []string) float64 {
	speed := 0 // Mbit/s
	for _, b := range f.Bonds() {
		if b.Name == link {
			for _, s := range f.Carries(b) {
				speed += s.Speed
			}
			return float64(speed) * 1e6
		}
		for _, s := range b.Slaves {
			if s.Name == link {
				return float64(s.Speed) * 1e6
			}
		}
	}
	for _, n := range f.Links.Value.NICs {
		if n.Name == link {
			return float64(n.Speed) * 1e6
		}
	}
	sum := 0.0
	for _, c := range carriers {
		if c != link {
			sum += f.lineRate(c, nil)
		}
	}
	return sum
}

// LimitsKnown reports whether the limits of all links that carry krbd's traffic have
// been read.
func (f *Facts) LimitsKnown() bool {
	for _, link := range f.StorageLinks() {
		if !slices.Contains(f.Limits.Value.Links, link) {
			return false
		}
	}
	return !f.Limits.At.IsZero() && f.Limits.Err == nil
}
