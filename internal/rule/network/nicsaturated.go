package network

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type saturatedLimits struct {
	Share float64       `json:"share" doc:"share of its line rate, in one direction, at which a NIC counts as saturated" min:"0.5" max:"0.98"`
	For   time.Duration `json:"for" doc:"how long it must be saturated without interruption" min:"2s" max:"50s"`
}

func nicSaturated() rule.Rule {
	l := &saturatedLimits{Share: node.FullShare, For: 5 * time.Second}
	return rule.Rule{
		ID:            "nic-saturated",
		Title:         "a NIC is saturated",
		Component:     report.ComponentNetwork,
		Severity:      "warning",
		Impact:        "operational: a saturated NIC is load, not a fault. nic-drops, layer2-bond-krbd, bond-spread and the storage rules report the customer impact",
		Needs:         []string{node.SourceNIC},
		KeepFiringFor: rule.Always(30 * time.Second), // a load near the threshold crosses it repeatedly
		Explains:      []string{"nic-drops"},
		Limits:        l,
		About: "A slave of a bond, or a standalone NIC, has carried 90 % or more of its line rate in one direction in each of the last five seconds. Receive and transmit are evaluated separately. " +
			"The counters exclude Ethernet's overhead per frame: at an MTU of 1500 a saturated link shows about 98 %. A NIC of unknown speed cannot be evaluated. " +
			"A backup or a migration causes this on a healthy node; with slow or stalled krbd disks on a layer2 bond, layer2-bond-krbd reports it.",
		Do: []string{
			"Find the cause: `ss -Htin state established`, and the guests' own traffic on their taps.",
			"Check whether the other slaves of the bond are idle: if so, the cause is the hash policy (bond-imbalance).",
			"Limit the backup or the migration at its source, not on the NIC: a limit on the NIC also affects corosync and Ceph.",
		},
		Check: func(in rule.Input) []rule.Result { return overNICs(in, l.check) },
	}
}

func (l *saturatedLimits) check(in rule.Input, n *facts.NIC) (rule.Result, bool) {
	r := rule.Result{Subject: n.Name, Severity: report.Warning, Explains: []string{n.Name}}
	var ways []string
	for _, direction := range []string{"rx", "tx"} {
		load := n.FullAt(direction, l.Share)
		if !load.Full || n.At.Sub(load.Since) < l.For {
			continue
		}
		text := fmt.Sprintf("%s %s, %s of %s", direction, human.BitRate(load.Bits), human.Percent(load.Share), human.LinkSpeed(n.Speed))
		ways = append(ways, fmt.Sprintf("%s, for %s", text, human.Span(n.At.Sub(load.Since))))
		r.Evidence = append(r.Evidence, rule.FactAt(node.SourceNIC, n.Name, text+" since "+human.Clock(load.Since), n.At))
		if r.Since.IsZero() || load.Since.Before(r.Since) {
			r.Since = load.Since
		}
	}
	if len(ways) == 0 {
		return rule.Result{}, false
	}
	r.Summary = fmt.Sprintf("%s is saturated: %s; %s", n.Label, strings.Join(ways, "; "), l.others(in, n, &r))
	if n.Devices > 0 {
		r.Evidence = append(r.Evidence, in.Fact(node.SourceKrbd, n.Name,
			fmt.Sprintf("it carries the traffic of %s", human.Count(n.Devices, "krbd disk"))))
	}
	if n.Rates.Overload == 0 && n.DropRate == 0 {
		r.Against = append(r.Against, rule.FactAt(node.SourceNIC, n.Name, "it drops no frames: saturated but not overloaded", n.At))
	}
	r.Advice = []report.Advice{
		{Do: "See which connections cause it", Command: "ss -Htin state established"},
		{Do: "Show the NIC's counters", Command: rule.ShellCommand("ip -s -s link show dev %s", n.Name)},
	}
	return r, true
}

// others describes how busy the other slaves of the bond are, and adds the evidence.
func (l *saturatedLimits) others(in rule.Input, n *facts.NIC, r *rule.Result) string {
	if n.Bond == "" {
		return "it is in no bond"
	}
	most, compared := 0.0, 0
	for _, o := range in.NICsOf(n.Bond) {
		if o.Name == n.Name || o.Speed <= 0 || len(o.Seconds) == 0 {
			continue
		}
		compared++
		most = max(most, o.Rx.Share, o.Tx.Share)
		r.Evidence = append(r.Evidence, rule.FactAt(node.SourceNIC, o.Name,
			fmt.Sprintf("%s carries rx %s, tx %s of its line rate", o.Name, human.Percent(o.Rx.Share), human.Percent(o.Tx.Share)), o.At))
	}
	switch compared {
	case 0:
		return "no other slave of " + n.Bond + " can be compared"
	case 1:
		return fmt.Sprintf("the other slave of %s is at %s", n.Bond, human.Percent(most))
	}
	return fmt.Sprintf("the other slaves of %s are at %s at most", n.Bond, human.Percent(most))
}
