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

type spreadLimits struct {
	Share float64 `json:"share" doc:"share of a two-slave bond's traffic in one direction on one slave at which storage traffic counts as not distributed; scaled for bonds with more slaves" min:"0.75" max:"1"`
	Floor float64 `json:"floor" doc:"share of its line rate that the busiest slave must carry" min:"0.01" max:"0.9"`
}

func bondSpread() rule.Rule {
	l := &spreadLimits{Share: 0.9, Floor: 0.25}
	return rule.Rule{
		ID:            "bond-spread",
		Title:         "krbd's traffic uses one slave of a bond although the hash policy should distribute it",
		Component:     report.ComponentNetwork,
		Severity:      "warning",
		Impact:        "operational: a risk; krbd-nic-saturated reports the customer impact",
		Needs:         []string{node.SourceBond, node.SourceNIC, node.SourceKrbd},
		For:           rule.Always(3 * time.Minute),
		KeepFiringFor: rule.Always(2 * time.Minute), // the load varies
		Explains:      []string{"bond-imbalance"},
		Limits:        l,
		About: "layer2-bond-krbd reads the hash policy of this host. What a host receives is decided by the hash of the switch, and a storage client mostly receives: a switch that hashes by MAC address puts everything on one slave, whatever the policy here. " +
			"A policy that hashes by addresses without ports (layer2+3) does the same with few Ceph hosts. So this rule measures the traffic: for minutes, one slave carries nearly all that a bond with krbd's traffic receives or sends. " +
			"If that slave saturates, all krbd disks stall together, as with layer2.",
		Do: []string{
			"Receive side: on the switch, hash the LAG by layer 3+4 (IP addresses and ports).",
			"Transmit side: set the bond's policy to `layer3+4`.",
		},
		Check: func(in rule.Input) []rule.Result {
			return overBonds(in, func(b bond.Bond) (rule.Result, bool) { return l.check(in, b) })
		},
	}
}

func (l *spreadLimits) check(in rule.Input, b bond.Bond) (rule.Result, bool) {
	devices, storage := in.CarriesStorage(b.Name)
	s := in.SpreadOver(b, 30*time.Second)
	if !storage || s.Like || !s.Measured {
		return rule.Result{}, false
	}
	worst, found := l.worst(b, s)
	if !found || worst.Way == "tx" && b.ByPorts() { // the policy distributes, so this is one large connection
		return rule.Result{}, false
	}
	r := rule.Result{
		Severity: report.Warning,
		RestsOn:  []string{facts.BondSource(b), node.SourceNIC},
		Explains: append([]string{"", b.Name}, slaveNames(b.Slaves)...),
		Evidence: []report.Evidence{
			in.Fact(node.SourceNIC, s.Rx.Slave, "receive: "+directionText(s.Rx)+", on average over 30 s"),
			in.Fact(node.SourceNIC, s.Tx.Slave, "transmit: "+directionText(s.Tx)+", on average over 30 s"),
			in.Fact(facts.BondSource(b), b.Name, "this host sends by "+policyText(b)),
			in.Fact(node.SourceKrbd, b.Name, fmt.Sprintf("it carries the traffic of %s", human.Count(devices, "krbd disk"))),
		},
		Against: []report.Evidence{in.Fact(node.SourceNIC, b.Name,
			"a few large connections cannot be distributed: one backup or one migration looks the same")},
	}
	r.Summary = fmt.Sprintf("%s does not distribute krbd's traffic: %s. If it saturates, %s stall", b.Name, l.reason(b, worst),
		human.Count(devices, "krbd disk"))
	if worst.Way == "rx" {
		r.Advice = append(r.Advice, rule.SpreadReceived(b))
	} else {
		r.Advice = append(r.Advice, rule.SpreadSent(b))
	}
	r.Advice = append(r.Advice, report.Advice{Do: "See which connections use " + worst.Slave, Command: "ss -Htin state established"},
		showBond(b))
	return r, true
}

// worst returns the direction that is not distributed; of both, the one with the
// fuller slave.
func (l *spreadLimits) worst(b bond.Bond, s facts.Spread) (worst facts.Direction, found bool) {
	for _, d := range []facts.Direction{s.Rx, s.Tx} {
		if d.Way == "rx" && !distributesRx(b) || d.Way == "tx" && !distributesTx(b) || d.Fill < l.Floor || d.Skew < (l.Share-0.5)/0.5 {
			continue
		}
		if !found || d.Fill > worst.Fill {
			worst, found = d, true
		}
	}
	return worst, found
}

// reason describes what is not distributed, and which side's hash decides it.
func (l *spreadLimits) reason(b bond.Bond, d facts.Direction) string {
	if d.Way == "rx" {
		return fmt.Sprintf("the switch sends %s", directionText(d))
	}
	return fmt.Sprintf("it sends %s (%s)", directionText(d), policyText(b))
}
