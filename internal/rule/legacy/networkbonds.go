package legacy

import (
	"fmt"
	"slices"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// bondsInSight are the bonds that can be seen now: the kernel's, and Open
// vSwitch's where it is there and answers.
func bondsInSight(in Input) []bond.Bond {
	return slices.DeleteFunc(slices.Clone(in.Bonds()), func(b bond.Bond) bool { return in.Blind(bondSource(b)) != nil })
}

// bondSource is the source that sees the bond.
func bondSource(b bond.Bond) string {
	if b.Kind == bond.OVS {
		return node.SourceOVS
	}
	return node.SourceBond
}

// overBonds judges each bond that can be seen. What is raised on a bond of Open
// vSwitch stays while Open vSwitch does not answer: it cannot be among a rule's
// Needs, as most nodes do not have it.
func overBonds(in Input, judge func(bond.Bond) (report.Finding, bool)) []report.Finding {
	var found []report.Finding
	for _, b := range bondsInSight(in) {
		if f, is := judge(b); is {
			f.Subject = b.Name
			found = append(found, f)
		}
	}
	for _, f := range in.Raised {
		b, known := bondOf(in, f.Subject)
		if known && b.Kind == bond.OVS && in.Blind(node.SourceOVS) != nil {
			f.State = report.Blind
			found = append(found, f)
		}
	}
	return found
}

// bondName introduces a bond: "bond0 (802.3ad, 2x10G)".
func bondName(b bond.Bond) string {
	if len(b.Slaves) == 0 {
		return fmt.Sprintf("%s (%s, no slave)", b.Name, b.Mode)
	}
	return fmt.Sprintf("%s (%s, %s)", b.Name, b.Mode, slaveText(b))
}

// bondHash is what the bond spreads by, as its configuration names it.
func bondHash(b bond.Bond) string {
	if b.HashPolicy == "" {
		return "mode " + string(b.Mode)
	}
	return "xmit_hash_policy " + string(b.HashPolicy)
}

// slaveOf returns the bond that a NIC is a slave of, and whether there is one.
func slaveOf(in Input, nic string) (bond.Bond, bool) {
	for _, b := range in.Bonds() {
		if slices.ContainsFunc(b.Slaves, func(s bond.Slave) bool { return s.Name == nic }) {
			return b, true
		}
	}
	return bond.Bond{}, false
}

// carries returns the link that krbd's traffic would name for a NIC: the bond it
// is in, or itself; and how many krbd devices are behind it.
func carries(in Input, nic string) (link string, devices int) {
	link = nic
	if b, is := slaveOf(in, nic); is {
		link = b.Name
	}
	devices, _ = in.CarriesStorage(link)
	return link, devices
}

// inUse says what stands on a bond: an address of its own, a VLAN, a bridge, a
// port of Open vSwitch; empty if nothing does.
func inUse(in Input, b bond.Bond) string {
	if len(b.Ports) > 0 {
		return b.Ports[0]
	}
	if b.Index == 0 {
		return ""
	}
	for _, u := range in.Links.Value.Uppers {
		if slices.Contains(u.Lowers, b.Index) {
			return u.Name
		}
	}
	for _, a := range in.Links.Value.Addresses {
		if a.Index == b.Index {
			return a.IP
		}
	}
	return ""
}

// hashAdvice says how a bond is made to spread what it sends, and that the switch
// decides what it receives.
func hashAdvice(b bond.Bond) []report.Advice {
	change := report.Advice{
		Do:      fmt.Sprintf("Let %s spread what this host sends. Some NIC drivers and switches drop the links for a moment when it changes. Put it into the network configuration as well (bond-xmit-hash-policy layer3+4), or the next boot undoes it", b.Name),
		Command: paste("ip link set dev %s type bond xmit_hash_policy layer3+4", b.Name),
	}
	if b.Kind == bond.OVS {
		change = report.Advice{
			Do:      fmt.Sprintf("Let %s spread what this host sends; balance-tcp needs LACP on the switch's ports first", b.Name),
			Command: paste("ovs-vsctl set port %s bond_mode=balance-tcp lacp=active", b.Name),
		}
	}
	return []report.Advice{change,
		{Do: fmt.Sprintf("Have the switch hash the LAG to %s by IP addresses and ports as well: its policy, not this host's, decides what %s receives, and reads arrive", b.Name, b.Name)},
	}
}
