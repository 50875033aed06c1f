package bond

import (
	"net/netip"
	"slices"
)

// Carriers returns the links that carry the traffic of one of this host's addresses.
// holder is the link that has the address; it is empty if no link of l has it. carriers
// are the bonds and NICs it uses, through VLANs, bridges and macvlans, sorted. They are
// empty if unknown: for example, for an internal port of Open vSwitch that is on none
// of the bonds in ovs (see ReadOVS) while Open vSwitch has several uplinks.
func (l Links) Carriers(ip string, ovs []Bond) (holder string, carriers []string) {
	d := l.descend(ip, ovs)
	return d.holder, d.found
}

// Way returns the sorted names of the links on the path of one of this host's
// addresses: the link that has the address, the links it uses, and the slaves of the
// bonds among them.
func (l Links) Way(ip string, ovs []Bond) []string {
	d := l.descend(ip, ovs)
	var names []string
	for i := range d.seen {
		names = append(names, d.down[i].name)
	}
	for _, b := range slices.Concat(l.Bonds, ovs) {
		if slices.Contains(d.found, b.Name) {
			for _, s := range b.Slaves {
				names = append(names, s.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// descend walks down from the links that have the address.
func (l Links) descend(ip string, ovs []Bond) descent {
	d := descent{down: l.byIndex(), ovs: ovs, seen: map[int]bool{}}
	want, err := netip.ParseAddr(ip)
	if err != nil {
		return d
	}
	for _, a := range l.Addresses {
		if have, err := netip.ParseAddr(a.IP); err != nil || have != want.Unmap().WithZone("") {
			continue
		}
		if d.holder == "" {
			d.holder = d.down[a.Index].name
		}
		d.from(a.Index)
	}
	slices.Sort(d.found)
	d.found = slices.Compact(d.found)
	return d
}

// Indexes returns the ascending ifindexes of the links whose counters do not overlap:
// the slaves of all bonds, and the NICs in no bond. The counters of bonds, VLANs and
// bridges count the same frames again.
func (l Links) Indexes() []int {
	var all []int
	for _, b := range l.Bonds {
		for _, s := range b.Slaves {
			all = append(all, s.Index)
		}
	}
	for _, n := range l.NICs {
		all = append(all, n.Index)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A step is one link on the path down.
type step struct {
	name   string
	kind   string
	lowers []int
}

func (l Links) byIndex() map[int]step {
	steps := map[int]step{}
	for _, u := range l.Uppers {
		steps[u.Index] = step{u.Name, u.Kind, u.Lowers}
	}
	for _, n := range l.NICs {
		steps[n.Index] = step{name: n.Name}
	}
	for _, b := range l.Bonds {
		for _, s := range b.Slaves {
			steps[s.Index] = step{name: s.Name}
		}
	}
	for _, b := range l.Bonds { // after the slaves, which may include a bond
		steps[b.Index] = step{name: b.Name}
	}
	return steps
}

// A descent walks down to the links that use no other link.
type descent struct {
	down   map[int]step
	ovs    []Bond
	seen   map[int]bool
	holder string   // the link that has the address; empty if none has it
	found  []string // the bonds and NICs at the bottom
}

func (d *descent) from(index int) {
	s, ok := d.down[index]
	if !ok || d.seen[index] {
		return
	}
	d.seen[index] = true
	if s.kind == kindOVS {
		d.fromOVS(s)
		return
	}
	if len(s.lowers) == 0 {
		d.found = append(d.found, s.name)
	}
	for _, lower := range s.lowers {
		d.from(lower)
	}
}

// fromOVS steps from an internal port to the bond of its bridge or, if that is
// unknown, to the only uplink.
func (d *descent) fromOVS(s step) {
	uplinks := slices.Clone(s.lowers)
	for _, b := range d.ovs {
		if slices.Contains(b.Ports, s.name) {
			d.found = append(d.found, b.Name)
			uplinks = nil
		}
		for _, slave := range b.Slaves {
			uplinks = slices.DeleteFunc(uplinks, func(i int) bool { return i == slave.Index })
		}
	}
	if len(uplinks) == 1 {
		d.from(uplinks[0])
	}
}
