package network

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type imbalanceLimits struct {
	Share  float64       `json:"share" doc:"share of a two-slave bond's traffic in one direction on one slave at which the bond counts as unbalanced; scaled for bonds with more slaves" min:"0.75" max:"1"`
	Floor  float64       `json:"floor" doc:"share of its line rate that the busiest slave must carry for the imbalance to count; a slave of unknown speed counts as 10 Gbit/s" min:"0.01" max:"0.9"`
	Window time.Duration `json:"window" doc:"time over which shares are averaged" min:"10s" max:"60s"`
}

func bondImbalance() rule.Rule {
	l := &imbalanceLimits{Share: 0.85, Floor: 0.25, Window: 30 * time.Second}
	return rule.Rule{
		ID:            "bond-imbalance",
		Title:         "one slave carries nearly all of a bond's traffic",
		Component:     report.ComponentNetwork,
		Severity:      "warning",
		Impact:        "operational: no customer impact until that slave is saturated",
		Needs:         []string{node.SourceBond, node.SourceNIC},
		For:           rule.Always(3 * time.Minute), // a single short connection is no imbalance of the bond
		KeepFiringFor: rule.Always(2 * time.Minute), // the load varies
		Explains:      []string{"nic-saturated"},
		Limits:        l,
		About: "Received and sent traffic are evaluated separately, as average shares per slave. The bond's policy distributes what this host sends; the switch's policy distributes what it receives. If only the receive side is skewed, the cause is on the switch side, and no setting on this host fixes it. " +
			"A hash over ports distributes connections randomly: a 30:70 split is normal, and the threshold is well above it. Bonds with little traffic are ignored, and so are modes that do not distribute: active-backup, broadcast, and the receive side of balance-tlb and balance-alb. " +
			"A single connection is never distributed: a long backup or migration looks the same.",
		Do: []string{
			"Receive side: on the switch, hash the LAG by layer 3+4 (IP addresses and ports; often called `src-dst-ip-l4port`).",
			"Transmit side: set `layer3+4` on the bond, if it hashes by MAC address.",
			"Check whether it is a single large connection: it ends by itself, and no policy distributes it.",
		},
		Check: func(in rule.Input) []rule.Result {
			return overBonds(in, func(b bond.Bond) (rule.Result, bool) { return l.check(in, b) })
		},
	}
}

// distributesRx reports whether the mode leaves the choice of the receiving slave to
// the switch or to chance. In balance-tlb one slave receives everything by design,
// and in balance-alb the host itself assigns its peers to slaves.
func distributesRx(b bond.Bond) bool {
	switch b.Mode {
	case bond.LACP, bond.BalanceXOR, bond.BalanceRR, bond.BalanceSLB, bond.BalanceTCP:
		return true
	}
	return false
}

// distributesTx reports whether the mode is meant to distribute transmitted traffic.
func distributesTx(b bond.Bond) bool { return b.Hashes() || b.Mode == bond.BalanceRR }

func (l *imbalanceLimits) check(in rule.Input, b bond.Bond) (rule.Result, bool) {
	s := in.SpreadOver(b, l.Window)
	badRx, badTx := distributesRx(b) && l.skewed(s.Rx), distributesTx(b) && l.skewed(s.Tx)
	if !s.Measured || !badRx && !badTx {
		return rule.Result{}, false
	}
	r := rule.Result{
		Severity: report.Warning,
		RestsOn:  []string{facts.BondSource(b), node.SourceNIC},
		Explains: []string{s.Rx.Slave, s.Tx.Slave},
		Summary:  l.summary(b, s, badRx, badTx),
		Evidence: []report.Evidence{
			in.Fact(node.SourceNIC, s.Rx.Slave, "receive: "+directionText(s.Rx)+", on average over "+human.Span(l.Window)),
			in.Fact(node.SourceNIC, s.Tx.Slave, "transmit: "+directionText(s.Tx)+", on average over "+human.Span(l.Window)),
			in.Fact(facts.BondSource(b), b.Name, "this host sends by "+policyText(b)),
		},
		Against: []report.Evidence{in.Fact(node.SourceNIC, b.Name,
			"a few large connections cannot be balanced: one backup or one migration looks the same")},
	}
	if badTx && s.Like {
		r.Evidence = append(r.Evidence, in.Fact(facts.BondSource(b), b.Name, s.Why))
	}
	r.Advice = append(spreadAdvice(b, s, badRx, badTx), report.Advice{Do: "See which connections cause it",
		Command: "ss -Htin state established"}, showBond(b))
	return r, true
}

// spreadAdvice returns how to distribute the traffic, beginning with the direction
// that is closer to full.
func spreadAdvice(b bond.Bond, s facts.Spread, badRx, badTx bool) []report.Advice {
	var list []report.Advice
	if badRx {
		list = append(list, rule.SpreadReceived(b))
	}
	if badTx && s.Like {
		list = append(list, rule.SpreadSent(b))
	}
	if len(list) == 2 && s.Tx.Fill > s.Rx.Fill {
		slices.Reverse(list)
	}
	return list
}

// skewed reports whether one slave carries too large a share of enough traffic to
// judge by.
func (l *imbalanceLimits) skewed(d facts.Direction) bool {
	return d.Fill >= l.Floor && d.Skew >= (l.Share-0.5)/0.5
}

// summary describes the uneven direction and, for received traffic, the side that
// causes it.
func (l *imbalanceLimits) summary(b bond.Bond, s facts.Spread, badRx, badTx bool) string {
	const little = 1e6   // bit/s; less transmitted traffic is too little to judge the policy
	const byChance = 0.4 // two slaves at 30 % and 70 %
	rx, tx := directionText(s.Rx), directionText(s.Tx)
	var said, short string
	switch {
	case badRx && badTx:
		said, short = fmt.Sprintf("is out of balance both ways: receives %s, sends %s (%s)", rx, tx, policyText(b)),
			fmt.Sprintf("is out of balance both ways: receives %s, sends %s", rx, tx)
	case badTx:
		said, short = fmt.Sprintf("is out of balance: sends %s (%s)", tx, policyText(b)), "is out of balance: sends "+tx
	case s.Tx.Total < little:
		said, short = fmt.Sprintf("is out of balance on the switch side: receives %s, and sends little", rx),
			"is out of balance on the switch side: receives "+rx
	case s.Tx.Skew <= byChance:
		said, short = fmt.Sprintf("is out of balance on the switch side: receives %s; what it sends is distributed", rx),
			"is out of balance on the switch side: receives "+rx
	case s.Tx.Skew < (l.Share-0.5)/0.5:
		said, short = fmt.Sprintf("is out of balance on the switch side: receives %s; what it sends is less uneven", rx),
			"is out of balance on the switch side: receives "+rx
	default:
		said, short = fmt.Sprintf("is out of balance: receives %s, and what little it sends is as uneven", rx),
			"is out of balance: receives "+rx
	}
	return rule.Summary(bondName(b)+" "+said, bondName(b)+" "+short, b.Name+" "+short)
}

// directionText describes one direction's share on a slave: "96 % of 8.3 Gbit/s on
// eth1".
func directionText(d facts.Direction) string {
	return fmt.Sprintf("%s of %s on %s", human.Percent(d.Share), human.BitRate(d.Total), d.Slave)
}
