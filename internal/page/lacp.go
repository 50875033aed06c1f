package page

import (
	"fmt"
	"strings"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// bondFacts returns further facts about a bond.
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

// lacpOf describes the state of an 802.3ad bundle: its problems, or its ports.
func lacpOf(b bond.Bond) string {
	if problem := facts.LACPOf(b).Bond; problem != "" {
		return "LACP: " + problem
	}
	if b.AD == nil {
		return "LACP: no slave"
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

// slaveOf returns a slave without its traffic.
func slaveOf(b bond.Bond, s bond.Slave) portView {
	p := portView{Name: s.Name, State: "link up", Tone: good, Detail: speed(s.Speed)}
	problem := facts.LACPOf(b).Problem(s.Name)
	switch {
	case facts.LinkDown(s):
		p.State, p.Tone = "no link", bad
	case s.MIIStatus != "" && s.MIIStatus != "UP":
		p.State, p.Tone = "MII "+strings.ToLower(strings.ReplaceAll(s.MIIStatus, "_", " ")), bad
	case problem != "":
		p.State, p.Tone = "LACP: "+problem, warn
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
