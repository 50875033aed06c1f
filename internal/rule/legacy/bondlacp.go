package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// noPartner is the partner's MAC address of a bond that nobody answers.
const noPartner = "00:00:00:00:00:00"

func bondLACP() Rule {
	return Rule{
		ID:        "bond-lacp",
		Title:     "a bond and its switch do not agree on the bundle",
		Component: Network,
		Severity:  "warning",
		Impact:    "operational: what is left of the bundle goes on; if nothing is, that is bond-degraded",
		Needs:     []string{node.SourceBond},
		Hold:      15 * time.Second, // ports agree within a few seconds of a link coming up
		Keep:      30 * time.Second, // as long as a slow LACP timer's period
		About: "Only bonds that speak LACP are judged: the kernel's in mode 802.3ad, and Open vSwitch's with lacp on. The switch does not answer at all (partner MAC all zero), a port has not heard from it for too long (defaulted, expired), the switch has not taken a port into the bundle, ports lie in different aggregators, or the kernel sees a port churn. " +
			"Links stay up and the kernel logs nothing. Ports outside of the active aggregator carry nothing: with a switch that does not answer, one NIC of several carries everything, which looks like a saturated NIC and is one.",
		Do: []string{
			"Look at the switch: is the port in the right bundle, is LACP on, do both ports belong to one switch or one MLAG pair?",
			"Compare both sides: `cat /proc/net/bonding/bondX` shows the partner of each port.",
			"If both sides are passive nobody begins: set `lacp_active on` here, or active there.",
		},
		Check: func(in Input) []report.Finding {
			return overBonds(in, func(b bond.Bond) (report.Finding, bool) { return disagrees(in, b) })
		},
	}
}

func disagrees(in Input, b bond.Bond) (report.Finding, bool) {
	ofBond, ofPorts := lacpComplaints(b)
	if ofBond == "" && len(ofPorts) == 0 {
		return report.Finding{}, false
	}
	f := report.Finding{Severity: report.Warning, Impact: report.Operational}
	if ofBond != "" {
		f.Summary = bondName(b) + ": " + ofBond
		f.Evidence = append(f.Evidence, in.fact(bondSource(b), b.Name, ofBond))
	} else {
		f.Summary = bondName(b) + ": " + complaintText(ofPorts)
	}
	carrying := b.Carrying()
	f.Summary += fmt.Sprintf("; %d of %s carry traffic", len(carrying), counted(len(b.Slaves), "slave"))
	for _, c := range ofPorts[:min(len(ofPorts), 8)] {
		f.Evidence = append(f.Evidence, in.fact(bondSource(b), c.slave, c.text))
	}
	if b.AD != nil {
		f.Evidence = append(f.Evidence, in.fact(bondSource(b), b.Name, fmt.Sprintf("aggregator %d is active, with %s; partner %s", b.AD.Aggregator, counted(int(b.AD.Ports), "port"), b.AD.PartnerMAC)))
	}
	if len(carrying) > 0 {
		f.Against = append(f.Against, in.fact(bondSource(b), b.Name, "traffic goes on over "+someOf(slaveNames(carrying), 4)))
	}
	if b.LACPActive == "off" {
		f.Advice = append(f.Advice, beginLACP(b))
	}
	f.Advice = append(f.Advice, lookAtLACP(b), report.Advice{Do: "Look at the switch: are these ports in one bundle with LACP on, and on one switch or one MLAG pair?"})
	return f, true
}

// beginLACP is the command that makes a passive bond speak first.
func beginLACP(b bond.Bond) report.Advice {
	a := report.Advice{Do: b.Name + " is passive: if the switch is too, nobody begins. Begin here", Command: paste("ip link set dev %s type bond lacp_active on", b.Name)}
	if b.Kind == bond.OVS {
		a.Command = paste("ovs-vsctl set port %s lacp=active", b.Name)
	}
	return a
}

// lookAtLACP is the command that shows both ends of each port.
func lookAtLACP(b bond.Bond) report.Advice {
	if b.Kind == bond.OVS {
		return report.Advice{Do: "See what each port hears of its partner", Command: paste("ovs-appctl lacp/show %s", b.Name)}
	}
	return report.Advice{Do: "See what each port hears of its partner (as root: addresses, keys, port states)", Command: paste("cat %s", "/proc/net/bonding/"+b.Name)}
}

// lacpComplaints are what is wrong with the bundle as a whole, and with its ports.
// Ports without link are bond-degraded's.
func lacpComplaints(b bond.Bond) (ofBond string, ofPorts []complaint) {
	if b.Kind == bond.OVS {
		return "", staleOVS(b)
	}
	if b.Mode != bond.LACP {
		return "", nil
	}
	if b.AD != nil && b.AD.PartnerMAC == noPartner {
		ofBond = "the switch does not answer LACP (partner MAC " + noPartner + ")"
	}
	for _, s := range b.Slaves {
		if text := portComplaint(b, s); text != "" && !isDown(s) {
			ofPorts = append(ofPorts, complaint{s.Name, s.Name + " " + text})
		}
	}
	return ofBond, ofPorts
}

// portComplaint is the first thing that is wrong with a port, the cause before
// its consequences.
func portComplaint(b bond.Bond, s bond.Slave) string {
	const taken = bond.PortInSync | bond.PortCollecting | bond.PortDistributing
	switch {
	case s.Actor != nil && *s.Actor&bond.PortDefaulted != 0:
		return "hears no LACP from the switch (defaulted)"
	case s.Actor != nil && *s.Actor&bond.PortExpired != 0:
		return "has not heard the switch in time (expired)"
	case s.Partner != nil && *s.Partner&(bond.PortDefaulted|bond.PortExpired) != 0:
		return "is not heard by the switch (the partner says " + s.Partner.String() + ")"
	case b.AD != nil && s.Aggregator != b.AD.Aggregator:
		return fmt.Sprintf("is in aggregator %d, the active one is %d: it carries nothing", s.Aggregator, b.AD.Aggregator)
	case s.Partner != nil && *s.Partner&taken != taken:
		return "is not taken into the bundle by the switch (the partner says " + s.Partner.String() + ")"
	case s.ActorChurn == "churned":
		return "churns: this host cannot bring it into the bundle"
	case s.PartnerChurn == "churned":
		return "churns: the switch cannot bring it into the bundle"
	}
	return ""
}

// staleOVS are the ports of an Open vSwitch bond whose partner is not heard.
func staleOVS(b bond.Bond) []complaint {
	var list []complaint
	for _, s := range b.Slaves {
		if b.LACPActive != "" && s.LACPCurrent != nil && !*s.LACPCurrent && !isDown(s) {
			list = append(list, complaint{s.Name, s.Name + " hears no LACP from the switch (lacp_current false)"})
		}
	}
	return list
}
