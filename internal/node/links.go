package node

import (
	"slices"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// SawLinks is a full reading of bonds, NICs and what uses them.
type SawLinks struct{ Reading[bond.Links] }

// Apply implements Observation.
func (o SawLinks) Apply(s Snapshot) Snapshot {
	s.Links = o.after(s.Links)
	s = s.recordReading(SourceBond, o.At, o.Every, s.Links.Err)
	if o.Err != nil {
		return s
	}
	s.flaps = s.flapped(o.Value.Bonds, o.At)
	s.seenBonds = seenBondsAfter(s.seenBonds, o.Value.Bonds, o.At)
	return s.recomputePaths()
}

// SawOVS is a reading of Open vSwitch's bonds.
type SawOVS struct{ Reading[[]bond.Bond] }

// Apply implements Observation.
func (o SawOVS) Apply(s Snapshot) Snapshot {
	s.OVS = o.after(s.OVS)
	s = s.recordReading(SourceOVS, o.At, o.Every, s.OVS.Err)
	if o.Err != nil {
		return s
	}
	return s.recomputePaths()
}

// Bonds returns the bonds of the kernel and of Open vSwitch, in this order.
func (s Snapshot) Bonds() []bond.Bond {
	if len(s.OVS.Value) == 0 {
		return s.Links.Value.Bonds
	}
	return slices.Concat(s.Links.Value.Bonds, s.OVS.Value)
}

// A Path is the path by which the traffic of one krbd client address leaves this
// node.
type Path struct {
	IP       string   // the client's address on this node
	Link     string   // the interface with the address; empty: none has it
	Carriers []string // the bonds or NICs at the bottom, by name; none: not found
	Way      []string // all links on the path, including slaves, by name
	Clients  []uint64 // client ids that use it, sorted
	Devices  int      // number of krbd devices that use it
}

// recomputePaths recomputes which bond or NIC carries the traffic of each krbd client.
func (s Snapshot) recomputePaths() Snapshot {
	byIP := map[string]*Path{}
	for _, m := range s.Mapped.Value {
		if m.ClientAddr == "" {
			continue
		}
		p := byIP[m.ClientAddr]
		if p == nil {
			p = &Path{IP: m.ClientAddr}
			p.Link, p.Carriers = s.Links.Value.Carriers(m.ClientAddr, s.OVS.Value)
			p.Way = s.Links.Value.Way(m.ClientAddr, s.OVS.Value)
			byIP[m.ClientAddr] = p
		}
		p.Devices++
		if !slices.Contains(p.Clients, m.ClientID) {
			p.Clients = append(p.Clients, m.ClientID)
		}
	}
	s.Storage = nil
	for _, ip := range sortedKeys(byIP) {
		slices.Sort(byIP[ip].Clients)
		s.Storage = append(s.Storage, *byIP[ip])
	}
	return s
}

// CarriesStorage reports whether the named bond or NIC carries krbd's traffic, and
// how many krbd devices use it.
func (s Snapshot) CarriesStorage(name string) (devices int, carries bool) {
	for _, p := range s.Storage {
		if slices.Contains(p.Carriers, name) {
			devices += p.Devices
			carries = true
		}
	}
	return devices, carries
}
