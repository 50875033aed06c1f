package bond

import (
	"cmp"
	"slices"
	"strings"
)

// The columns of the three OVSDB tables that make up a bond (ovs-vswitchd.conf.db(5)).
type (
	ovsBridge struct {
		Name  string    `json:"name"`
		Ports set[uuid] `json:"ports"`
	}
	ovsPort struct {
		UUID       uuid        `json:"_uuid"`
		Name       string      `json:"name"`
		Interfaces set[uuid]   `json:"interfaces"`
		Mode       set[string] `json:"bond_mode"`
		LACP       set[string] `json:"lacp"`
		ActiveMAC  set[string] `json:"bond_active_slave"`
		Other      dict        `json:"other_config"`
	}
	ovsInterface struct {
		UUID        uuid         `json:"_uuid"`
		Name        string       `json:"name"`
		Type        string       `json:"type"`
		Index       set[int]     `json:"ifindex"`
		Link        set[string]  `json:"link_state"`
		Speed       set[float64] `json:"link_speed"` // bit/s
		Duplex      set[string]  `json:"duplex"`
		MAC         set[string]  `json:"mac_in_use"`
		MTU         set[int]     `json:"mtu"`
		LACPCurrent set[bool]    `json:"lacp_current"`
		Status      dict         `json:"status"`
	}
)

// ovsState is the content of the three tables.
type ovsState struct {
	bridges    []ovsBridge
	ports      []ovsPort
	interfaces []ovsInterface
}

// bonds returns a Bond for each port with more than one interface, sorted by name.
func (s ovsState) bonds() []Bond {
	ports, interfaces := map[uuid]ovsPort{}, map[uuid]ovsInterface{}
	for _, p := range s.ports {
		ports[p.UUID] = p
	}
	for _, i := range s.interfaces {
		interfaces[i.UUID] = i
	}
	var out []Bond
	taken := map[uuid]bool{} // a port is in one bridge only
	for _, bridge := range s.bridges {
		var bonds []Bond
		var internal []string
		for _, id := range bridge.Ports {
			p, known := ports[id]
			if !known || taken[id] {
				continue
			}
			taken[id] = true
			members := p.members(interfaces)
			for _, m := range members {
				if m.Type == "internal" {
					internal = append(internal, m.Name)
				}
			}
			if len(members) > 1 {
				bonds = append(bonds, p.bond(members))
			}
		}
		slices.Sort(internal)
		for i := range bonds {
			bonds[i].Ports = slices.Clone(internal)
		}
		out = append(out, bonds...)
	}
	slices.SortFunc(out, func(a, b Bond) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// members returns the port's interfaces by ifindex, each once: the database does not
// keep their order.
func (p ovsPort) members(all map[uuid]ovsInterface) []ovsInterface {
	var out []ovsInterface
	seen := map[uuid]bool{}
	for _, id := range p.Interfaces {
		if i, known := all[id]; known && !seen[id] {
			seen[id] = true
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b ovsInterface) int {
		return cmp.Or(cmp.Compare(a.Index.first(), b.Index.first()), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// bond returns the Bond of a port.
func (p ovsPort) bond(members []ovsInterface) Bond {
	b := Bond{Name: p.Name, Kind: OVS, Mode: Mode(cmp.Or(p.Mode.first(), string(ActiveBackup))), Miimon: -1}
	switch p.LACP.first() {
	case "active":
		b.LACPActive = lacpActives[1]
	case "passive":
		b.LACPActive = lacpActives[0]
	}
	if b.LACPActive != "" {
		b.LACPRate = cmp.Or(p.Other["lacp-time"], lacpRates[0])
	}
	fallback := b.Mode != ActiveBackup && p.fallsBack(members)
	if fallback {
		b.Mode, b.ConfiguredMode = ActiveBackup, b.Mode
	}
	active := strings.ToLower(p.ActiveMAC.first())
	for _, m := range members {
		s := m.slave()
		if s.PermMAC != "" && s.PermMAC == active {
			b.Active = s.Name
		}
		s.State = slaveStates[1]
		idle := b.Mode == ActiveBackup && s.Name != b.Active
		if fallback && active == "" { // not reported: use one with a link
			idle = false
		}
		refused := !fallback && b.LACPActive != "" && s.LACPCurrent != nil && !*s.LACPCurrent
		if s.Carrier && !idle && !refused {
			s.State = slaveStates[0]
		}
		b.Up = b.Up || s.Carrier
		if s.MTU > 0 && (b.MTU == 0 || s.MTU < b.MTU) {
			b.MTU = s.MTU
		}
		b.Slaves = append(b.Slaves, s)
	}
	return b
}

// fallsBack reports whether the bond is effectively active-backup: the switch
// responds to LACP on none of its members, and other_config:lacp-fallback-ab is set
// (vswitch.xml; ofproto/bond.c, bond_reconfigure and bond_run).
func (p ovsPort) fallsBack(members []ovsInterface) bool {
	if lacp := p.LACP.first(); p.Other["lacp-fallback-ab"] != "true" || lacp != "active" && lacp != "passive" {
		return false
	}
	return !slices.ContainsFunc(members, func(i ovsInterface) bool { return len(i.LACPCurrent) == 0 || i.LACPCurrent[0] })
}

// slave returns the Slave of a member, without its state.
func (i ovsInterface) slave() Slave {
	s := Slave{
		Name: i.Name, Index: i.Index.first(), PermMAC: strings.ToLower(i.MAC.first()),
		Carrier: i.Link.first() == "up", Duplex: i.Duplex.first(), MTU: i.MTU.first(),
		Driver: i.Status["driver_name"],
	}
	switch i.Link.first() {
	case "up":
		s.MIIStatus = miiStatuses[0]
	case "down":
		s.MIIStatus = miiStatuses[2]
	}
	if speed := i.Speed.first() / 1e6; s.Carrier && speed >= 1 && speed < 1e9 {
		s.Speed = int(speed)
	}
	if len(i.LACPCurrent) > 0 {
		s.LACPCurrent = &i.LACPCurrent[0]
	}
	return s
}
