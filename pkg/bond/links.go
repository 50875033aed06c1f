package bond

import (
	"cmp"
	"maps"
	"slices"
)

// The kinds of link (IFLA_INFO_KIND) that this package distinguishes.
const (
	kindBond    = "bond"
	kindVLAN    = "vlan"
	kindBridge  = "bridge"
	kindTeam    = "team"
	kindMacVLAN = "macvlan"
	kindIPVLAN  = "ipvlan"
	kindOVS     = "openvswitch"
)

// A graph maps ifindexes to the links of a host. It holds no guest interfaces (tap,
// veth, macvtap), so its size depends only on the host's own links.
type graph struct {
	links map[int]link
	isNIC func(link) bool // reports whether a link in no bond is a NIC
}

// matters reports whether a link can be part of Links at all.
func (g graph) matters(l link) bool {
	return l.kind == kindBond || l.port == kindBond || l.usesOthers() || g.isNIC(l)
}

// picture returns the Links of the graph, sorted and without the values that only
// sysfs has. It is a pure function.
func (g graph) picture() Links {
	var all Links
	inBond := map[int]bool{} // ifindexes of slaves
	indexes := slices.Sorted(maps.Keys(g.links))
	for _, i := range indexes {
		l := g.links[i]
		if l.kind != kindBond {
			continue
		}
		b, damaged := g.bond(l, indexes)
		all.Bonds = append(all.Bonds, b)
		all.Damaged += damaged
		for _, s := range b.Slaves {
			inBond[s.Index] = true
		}
	}
	for _, i := range indexes {
		if l := g.links[i]; !inBond[i] && l.kind != kindBond && g.isNIC(l) {
			all.NICs = append(all.NICs, NIC{
				Name: l.name, Index: i, MAC: l.mac, Up: l.up(), MTU: l.mtu, Bus: l.parent,
			})
		}
	}
	all.Uppers = g.uppers(all, inBond)
	slices.SortFunc(all.Bonds, func(a, b Bond) int { return byName(a.Name, b.Name, a.Index, b.Index) })
	slices.SortFunc(all.NICs, func(a, b NIC) int { return byName(a.Name, b.Name, a.Index, b.Index) })
	slices.SortFunc(all.Uppers, func(a, b Upper) int { return byName(a.Name, b.Name, a.Index, b.Index) })
	return all
}

func byName(a, b string, i, j int) int {
	return cmp.Or(cmp.Compare(a, b), cmp.Compare(i, j))
}

// bond returns the Bond of l with those slaves whose ifindexes are in indexes, in
// that order, and counts damaged attributes.
func (g graph) bond(l link, indexes []int) (b Bond, damaged int) {
	b, active, ok := l.bond()
	if !ok {
		damaged++
	}
	b.Active = g.links[active].name
	for _, i := range indexes {
		port := g.links[i]
		if port.master != l.index || i == l.index {
			continue
		}
		s, ok := port.slaveOf()
		if !ok {
			damaged++
		}
		b.Slaves = append(b.Slaves, s)
	}
	return b, damaged
}

// uppers finds the links above a bond, a NIC or a slave of the picture by climbing
// from these.
func (g graph) uppers(p Links, inBond map[int]bool) []Upper {
	reached := maps.Clone(inBond)
	for _, b := range p.Bonds {
		reached[b.Index] = true
	}
	for _, n := range p.NICs {
		reached[n.Index] = true
	}
	lowers, above := g.edges()
	for todo := slices.Collect(maps.Keys(reached)); len(todo) > 0; todo = todo[1:] {
		for _, up := range above[todo[0]] {
			if !reached[up] {
				reached[up] = true
				todo = append(todo, up)
			}
		}
	}
	var out []Upper
	for i := range reached {
		l := g.links[i]
		if inBond[i] || !l.usesOthers() {
			continue
		}
		u := Upper{Name: l.name, Index: i, Kind: l.kind, VLAN: l.vlan()}
		u.Lowers = slices.DeleteFunc(lowers[i], func(j int) bool { return !reached[j] })
		slices.Sort(u.Lowers)
		out = append(out, u)
	}
	return out
}

// edges returns which links each link uses, and which links use it.
//
// The kernel joins the ports of Open vSwitch to its datapath, not to a bridge, and
// joins the internal ports to nothing. So netlink only shows which links are in a
// datapath; an internal port uses one of them.
func (g graph) edges() (lowers, above map[int][]int) {
	lowers, above = map[int][]int{}, map[int][]int{}
	join := func(lower, upper int) {
		if _, known := g.links[lower]; known && lower != upper {
			lowers[upper] = append(lowers[upper], lower)
			above[lower] = append(above[lower], upper)
		}
	}
	datapaths, members := map[int]bool{}, []int{}
	for i, l := range g.links {
		switch l.kind {
		case kindVLAN, kindMacVLAN, kindIPVLAN:
			join(l.lower, i)
		}
		switch g.links[l.master].kind {
		case kindBridge, kindTeam:
			join(i, l.master)
		case kindOVS:
			datapaths[l.master] = true
			members = append(members, i)
		}
	}
	for i, l := range g.links {
		if l.kind != kindOVS || datapaths[i] {
			continue
		}
		for _, m := range members {
			join(m, i)
		}
	}
	return lowers, above
}

// usesOthers reports whether the link is of a kind that uses other links.
func (l link) usesOthers() bool {
	switch l.kind {
	case kindVLAN, kindBridge, kindTeam, kindMacVLAN, kindIPVLAN, kindOVS:
		return true
	}
	return false
}
