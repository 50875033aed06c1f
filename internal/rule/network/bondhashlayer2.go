package network

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func bondHashLayer2() rule.Rule {
	return rule.Rule{
		ID:            "bond-hash-layer2",
		Title:         "a bond does not distribute what this host sends",
		Component:     report.ComponentNetwork,
		Severity:      "info; warning where it may carry krbd's traffic",
		Impact:        "operational: a risk",
		Needs:         []string{node.SourceBond},
		For:           rule.Always(10 * time.Second), // a bond is created with layer2 and gets its policy a moment later
		KeepFiringFor: rule.Always(time.Minute),      // an ifreload removes the bond for seconds
		About: "A bond of several slaves chooses the slave of each frame by MAC address, or by MAC address and VLAN. All traffic to one server, or through one router, then leaves on one slave. " +
			"Only the mode and the policy are checked: layer2 and vlan+srcmac in 802.3ad, balance-xor, and balance-tlb without dynamic load balancing; Open vSwitch's balance-slb. In all other modes the policy has no meaning. " +
			"A bond that carries krbd's traffic is reported by layer2-bond-krbd, not here; for a bond that carries only VM traffic, or on a node without krbd, this is an info. If krbd is in use and the link that carries its traffic is unknown, this is a warning.",
		Do: []string{
			"Set `layer3+4` on the bond; on a busy node change one bond at a time, because some drivers and switches drop the links briefly.",
			"Make it persistent: `bond-xmit-hash-policy layer3+4` in ifupdown, `transmit-hash-policy: layer3+4` in netplan.",
			"On the switch, hash the LAG by layer 3+4 (IP addresses and ports) too: it chooses the slave that receives.",
		},
		Check: func(in rule.Input) []rule.Result {
			return overBonds(in, func(b bond.Bond) (rule.Result, bool) { return notDistributed(in, b) })
		},
	}
}

// notDistributed returns the finding on one bond. A bond that is down is judged only
// while its finding is raised, because a flapping link does not change the policy.
func notDistributed(in rule.Input, b bond.Bond) (rule.Result, bool) {
	like, reason := b.Layer2Like()
	_, was := in.Was(b.Name)
	_, storage := in.CarriesStorage(b.Name)
	if !like || !b.MultiSlave() || storage || !b.Up && !was {
		return rule.Result{}, false
	}
	source := facts.BondSource(b)
	does := bondName(b) + " does not distribute what this host sends"
	hashes, _, _ := strings.Cut(reason, ": ")
	r := rule.Result{
		Severity: report.Info,
		Summary:  rule.Summary(does+": "+reason, does+": "+hashes, does),
		Evidence: []report.Evidence{in.Fact(source, b.Name, fmt.Sprintf("mode %s, %s, %s", b.Mode, policyText(b),
			human.Count(len(b.Slaves), "slave")))},
		Against: []report.Evidence{in.Fact(source, b.Name,
			"the policy does not affect received traffic: the switch decides which slave receives")},
		Advice: []report.Advice{showBond(b), rule.SpreadSent(b)},
	}
	mapped := len(in.Mapped.Value)
	switch lost, err := unroutedDisks(in), in.Blind(node.SourceKrbd); {
	case lost > 0:
		r.Severity = report.Warning
		may := fmt.Sprintf("; it may carry the traffic of %s", human.Count(lost, "krbd disk"))
		r.Summary = rule.Summary(r.Summary+may, does+": "+hashes+may, does+may)
		r.Evidence = append(r.Evidence, in.Fact(node.SourceKrbd, "",
			fmt.Sprintf("the link that carries the traffic of %s is not known", human.Count(lost, "krbd disk"))))
	case mapped > 0:
		r.Against = append(r.Against, in.Fact(node.SourceKrbd, b.Name,
			fmt.Sprintf("none of the %s of this node uses it: their traffic leaves through %s", human.Count(mapped, "krbd disk"),
				human.Names(storageLinks(in), 3))))
	case err != nil:
		r.Against = append(r.Against, rule.FactAt(node.SourceKrbd, "", "whether krbd is in use here is unknown: "+err.Text, err.Since))
	default:
		r.Against = append(r.Against, in.Fact(node.SourceKrbd, "",
			"no krbd disk is mapped: each VM has its own connections, and one saturated slave does not stall all of them"))
	}
	if n := networkDisks(in); n > 0 {
		r.Evidence = append(r.Evidence, in.Fact(node.SourceLibvirt, "",
			fmt.Sprintf("%s through librbd or rbd-nbd: its link is not known", human.Count(n, "disk"))))
	}
	return r, true
}

// unroutedDisks returns the number of krbd disks whose bond or NIC is unknown.
func unroutedDisks(in rule.Input) int {
	n := len(in.Mapped.Value)
	for _, p := range in.Storage {
		if len(p.Carriers) > 0 {
			n -= p.Devices
		}
	}
	return n
}

// storageLinks returns the bonds and NICs that carry krbd's traffic.
func storageLinks(in rule.Input) []string {
	var names []string
	for _, p := range in.Storage {
		names = append(names, p.Carriers...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// networkDisks returns the number of guest disks that use the cluster without krbd.
func networkDisks(in rule.Input) int {
	n := 0
	for i := range in.Guests {
		for d := range in.Guests[i].Disks {
			if disk := &in.Guests[i].Disks[d]; !disk.Part && (disk.Client == rbd.LibRBD || disk.Client == rbd.NBD) {
				n++
			}
		}
	}
	return n
}
