package page

import (
	"fmt"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// noPartner is the partner's address when the switch does not speak LACP.
const noPartner = "00:00:00:00:00:00"

// bondFacts are what else there is to know of a bond.
func bondFacts(b bond.Bond) []string {
	var list []string
	if b.Mode == bond.LACP && b.Kind == bond.Kernel {
		list = append(list, lacpOf(b))
	}
	if b.Active != "" {
		list = append(list, "active slave "+b.Active)
	}
	if b.MTU > 0 {
		list = append(list, fmt.Sprintf("MTU %d", b.MTU))
	}
	if b.Kind == bond.OVS {
		list = append(list, "Open vSwitch")
	}
	if !b.Up {
		list = append(list, "no carrier")
	}
	return list
}

// lacpOf says how 802.3ad fares.
func lacpOf(b bond.Bond) string {
	switch {
	case b.AD == nil:
		return "LACP: no active aggregator"
	case b.AD.PartnerMAC == noPartner:
		return "LACP: the switch does not answer"
	}
	text := fmt.Sprintf("LACP: %d of %d ports in the active aggregator", b.AD.Ports, len(b.Slaves))
	if b.AD.PartnerMAC != "" {
		text += ", partner " + b.AD.PartnerMAC
	}
	if b.LACPRate != "" {
		text += ", rate " + b.LACPRate
	}
	return text
}

// slaveOf is a slave without its traffic.
func slaveOf(b bond.Bond, s bond.Slave) portView {
	p := portView{Name: s.Name, State: "link up", Tone: good, Detail: speed(s.Speed)}
	trouble := portTrouble(b, s)
	switch {
	case !s.Carrier:
		p.State, p.Tone = "no link", bad
	case s.MIIStatus != "" && s.MIIStatus != "UP":
		p.State, p.Tone = "MII "+strings.ToLower(strings.ReplaceAll(s.MIIStatus, "_", " ")), bad
	case trouble != "":
		p.State, p.Tone = trouble, warn
	case s.State == "BACKUP":
		p.State, p.Tone = "backup", info
	case b.AD != nil:
		p.State = "link up, LACP in sync"
	}
	if s.Duplex == "half" {
		p.Detail += ", half duplex"
	}
	if s.LinkFailures > 0 {
		p.Detail += "; " + plural(uint64(s.LinkFailures), "link failure", "link failures")
	}
	return p
}

// portTrouble says what is wrong with a slave's part in LACP; empty: nothing is
// known to be.
func portTrouble(b bond.Bond, s bond.Slave) string {
	const working = bond.PortInSync | bond.PortCollecting | bond.PortDistributing
	switch {
	case s.LACPCurrent != nil && !*s.LACPCurrent:
		return "LACP: the partner is silent"
	case b.Mode != bond.LACP:
		return ""
	case b.AD != nil && s.Aggregator != b.AD.Aggregator:
		return "LACP: not in the active aggregator"
	case s.Partner != nil && *s.Partner&working != working:
		return "LACP: the partner does not take part"
	case s.Actor != nil && *s.Actor&(bond.PortExpired|bond.PortDefaulted) != 0:
		return "LACP: the partner is silent"
	case s.ActorChurn == "churned" || s.PartnerChurn == "churned":
		return "LACP: churned"
	}
	return ""
}
