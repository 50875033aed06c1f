package facts

import (
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// Inventory returns the known configuration of this node, which is compared with that of
// the other nodes of its site. The keys are client (of RBD), hash_policy, kernel, mtu,
// nic_speed and nodewatch. Only bonds that carry storage count, or all if that is unknown.
func (f *Facts) Inventory() map[string]string {
	all := map[string]string{}
	add := func(key, value string) {
		if value != "" {
			all[key] = value
		}
	}
	add("nodewatch", f.Version)
	add("kernel", f.Host.Value.Release)
	add("client", f.clientKinds())
	bonds := f.storageBonds()
	add("hash_policy", ofEach(bonds, func(b bond.Bond) string {
		if b.HashPolicy == "" {
			return string(b.Mode) // in Open vSwitch the mode determines the policy
		}
		return string(b.HashPolicy)
	}))
	add("mtu", ofEach(bonds, func(b bond.Bond) string {
		if b.MTU == 0 {
			return ""
		}
		return human.Number(b.MTU)
	}))
	add("nic_speed", ofEach(bonds, linkSpeeds))
	return all
}

// clientKinds returns the kinds of RBD clients of this node: krbd, librbd, rbd-nbd, or
// none.
func (f *Facts) clientKinds() string {
	if f.Mapped.At.IsZero() || f.Libvirt.At.IsZero() && f.QEMU.At.IsZero() {
		return "" // krbd or guests cannot be read
	}
	kinds := map[rbd.Client]bool{rbd.KRBD: len(f.Mapped.Value) > 0}
	for _, g := range f.Guests {
		for _, d := range g.Disks {
			kinds[d.Client] = true
		}
	}
	var names []string
	for _, kind := range []rbd.Client{rbd.KRBD, rbd.LibRBD, rbd.NBD} {
		if kinds[kind] {
			names = append(names, string(kind))
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// storageBonds returns the bonds that carry the traffic of krbd, or all if that is unknown.
func (f *Facts) storageBonds() []bond.Bond {
	all := f.Bonds()
	var carriers []string
	for _, p := range f.Storage {
		carriers = append(carriers, p.Carriers...)
	}
	var list []bond.Bond
	for _, b := range all {
		if slices.Contains(carriers, b.Name) {
			list = append(list, b)
		}
	}
	if len(list) == 0 {
		return all
	}
	return list
}

// linkSpeeds returns the speeds of a bond's slaves, such as 2 x 10 Gbit/s; empty: one is
// down, so its speed is unknown.
func linkSpeeds(b bond.Bond) string {
	var speeds []int
	for _, s := range b.Slaves {
		if s.Speed <= 0 {
			return ""
		}
		speeds = append(speeds, s.Speed)
	}
	slices.Sort(speeds)
	var parts []string
	for len(speeds) > 0 {
		n := 0
		for n < len(speeds) && speeds[n] == speeds[0] {
			n++
		}
		parts = append(parts, human.Number(n)+" x "+human.BitRate(float64(speeds[0])*1e6))
		speeds = speeds[n:]
	}
	return strings.Join(parts, " + ")
}

// ofEach returns the value of f for the bonds: one value if they agree, or each value
// with the bond's name if they differ. Empty: the value of one bond is unknown.
func ofEach(bonds []bond.Bond, f func(bond.Bond) string) string {
	var values, named []string
	for _, b := range bonds {
		value := f(b)
		if value == "" {
			return ""
		}
		values, named = append(values, value), append(named, b.Name+" "+value)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(values)))) == 1 {
		return values[0]
	}
	return strings.Join(named, ", ")
}
