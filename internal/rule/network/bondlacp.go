package network

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func bondLACP() rule.Rule {
	return rule.Rule{
		ID:            "bond-lacp",
		Title:         "a bond and its switch disagree about the bundle",
		Component:     report.ComponentNetwork,
		Severity:      "warning",
		Impact:        "operational: the remaining ports carry traffic; if none remains, see bond-degraded",
		Needs:         []string{node.SourceBond},
		For:           rule.Always(15 * time.Second), // ports agree within a few seconds of a link coming up
		KeepFiringFor: rule.Always(30 * time.Second), // as long as a slow LACP timer's period
		Explains:      []string{"bond-imbalance", "nic-saturated"},
		About: "Applies only to bonds with LACP: kernel bonds in mode 802.3ad, and Open vSwitch bonds with lacp on. The switch does not answer at all (partner MAC all zero), a port has received no LACP for too long (defaulted, expired), the switch has not added a port to the bundle, ports are in different aggregators, or the kernel reports a churning port. " +
			"Links stay up and the kernel logs nothing. Ports outside the active aggregator carry no traffic: if the switch does not answer, one NIC carries all of it.",
		Do: []string{
			"Check the switch: is the port in the right bundle, is LACP on, do both ports belong to one switch or one MLAG pair?",
			"Compare both sides: `cat /proc/net/bonding/bondX` shows the partner of each port.",
			"If both sides are passive, neither starts LACP: set `lacp_active on` here, or active on the switch.",
		},
		Check: func(in rule.Input) []rule.Result {
			return overBonds(in, func(b bond.Bond) (rule.Result, bool) { return disagrees(in, b) })
		},
	}
}

func disagrees(in rule.Input, b bond.Bond) (rule.Result, bool) {
	l := facts.LACPOf(b)
	if l.OK() {
		return rule.Result{}, false
	}
	source := facts.BondSource(b)
	r := rule.Result{Severity: report.Warning, Explains: explainedSubjects(b)}
	what := l.Bond
	if what == "" {
		what = problemText(l.Ports)
	} else {
		r.Evidence = append(r.Evidence, in.Fact(source, b.Name, what))
	}
	r.Summary = fmt.Sprintf("%s: %s; %s", bondName(b), what, carryText(in, b))
	r.Evidence = append(r.Evidence, problemFacts(in, source, l.Ports)...)
	if b.AD != nil {
		r.Evidence = append(r.Evidence, in.Fact(source, b.Name, fmt.Sprintf("aggregator %d is active, with %s; partner %s", b.AD.Aggregator,
			human.Count(int(b.AD.Ports), "port"), b.AD.PartnerMAC)))
	}
	if carrying := in.Carries(b); len(carrying) > 0 {
		r.Against = append(r.Against, in.Fact(source, b.Name, "it carries traffic on "+human.Names(slaveNames(carrying), 4)))
	}
	if b.LACPActive == "off" {
		r.Advice = append(r.Advice, beginLACP(b))
	}
	r.Advice = append(r.Advice, checkBundle, showLACP(b))
	return r, true
}

// checkBundle lists what to check on the switch.
var checkBundle = report.Advice{Do: "Check the switch: are these ports in one bundle with LACP on, and on one switch or one MLAG pair?"}

// beginLACP returns the command that makes a passive bond send LACP first.
func beginLACP(b bond.Bond) report.Advice {
	a := report.Advice{Do: b.Name + " is passive: if the switch is passive too, neither side starts LACP. Make this side active",
		Command: rule.ShellCommand("ip link set dev %s type bond lacp_active on", b.Name)}
	if b.Kind == bond.OVS {
		a.Command = rule.ShellCommand("ovs-vsctl set port %s lacp=active", b.Name)
	}
	return a
}

// showLACP returns the command that shows both ends of each port.
func showLACP(b bond.Bond) report.Advice {
	if b.Kind == bond.OVS {
		return report.Advice{Do: "Show what each port receives from its partner",
			Command: rule.ShellCommand("ovs-appctl lacp/show %s", b.Name)}
	}
	return report.Advice{Do: "Show what each port receives from its partner (as root: addresses, keys, port states)",
		Command: rule.ShellCommand("cat %s", "/proc/net/bonding/"+b.Name)}
}
