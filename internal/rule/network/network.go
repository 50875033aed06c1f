// Package network contains the rules about bonds and NICs, one file each.
package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Rules returns the rules of the component network, in the order in which findings
// of equal severity are reported.
func Rules() []rule.Rule {
	return []rule.Rule{
		bondGone(), bondDegraded(), nicDown(), bondSpread(), nicFault(), slaveMissing(), bondLACP(), linkSpeed(), nicErrors(),
		throttleLeft(), nicDrops(), nicSaturated(), bondImbalance(), bondHashLayer2(),
	}
}

// storageEffects are the rules about the effects on storage when a link that carries
// krbd's traffic fails.
func storageEffects() []string {
	return []string{"krbd-stalled", "krbd-slow", "ceph-unreachable", "libceph-session-loop", "host-io-pressure"}
}

// overBonds returns the results of check for each bond, which depend on the source
// that reads the bond.
func overBonds(in rule.Input, check func(bond.Bond) (rule.Result, bool)) []rule.Result {
	var list []rule.Result
	for _, b := range in.Bonds() {
		if r, is := check(b); is {
			r.Subject = b.Name
			if r.RestsOn == nil {
				r.RestsOn = []string{facts.BondSource(b)}
			}
			list = append(list, r)
		}
	}
	return list
}

// overNICs returns the results of check for each watched NIC.
func overNICs(in rule.Input, check func(rule.Input, *facts.NIC) (rule.Result, bool)) []rule.Result {
	var list []rule.Result
	for i := range in.AllNICs() {
		if r, is := check(in, &in.AllNICs()[i]); is {
			list = append(list, r)
		}
	}
	return list
}

// bondName describes a bond: "bond0 (802.3ad, 2x10G)".
func bondName(b bond.Bond) string {
	return fmt.Sprintf("%s (%s, %s)", b.Name, b.Mode, facts.SlaveText(b))
}

// policyText names the policy by which a bond distributes frames, as in its
// configuration.
func policyText(b bond.Bond) string {
	if b.HashPolicy == "" {
		return "mode " + string(b.Mode)
	}
	return "xmit_hash_policy " + string(b.HashPolicy)
}

func slaveNames(list []bond.Slave) []string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	return names
}

// explainedSubjects returns the subjects of findings that a finding about the bond
// can explain: the node, the bond and its slaves.
func explainedSubjects(b bond.Bond) []string {
	return append([]string{"", b.Name}, slaveNames(b.Slaves)...)
}

// usedBy names what uses a bond: a port of Open vSwitch, a VLAN or bridge, or an
// address; empty if nothing does.
func usedBy(in rule.Input, b bond.Bond) string {
	if len(b.Ports) > 0 {
		return b.Ports[0]
	}
	if b.Index == 0 {
		return ""
	}
	return usedByIndex(in, b.Index)
}

// usedByIndex names what uses a link.
func usedByIndex(in rule.Input, index int) string {
	for _, u := range in.Links.Value.Uppers {
		if slices.Contains(u.Lowers, index) {
			return u.Name
		}
	}
	for _, a := range in.Links.Value.Addresses {
		if a.Index == index {
			return a.IP
		}
	}
	return ""
}

// problemText joins the first few problems: "eth0 has no link, eth1 …, and 3 more".
func problemText(list []facts.PortProblem) string {
	const most = 3
	var texts []string
	for _, p := range list[:min(len(list), most)] {
		texts = append(texts, p.Slave+" "+p.Problem)
	}
	text := strings.Join(texts, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// problemFacts returns the first few problems as evidence.
func problemFacts(in rule.Input, source string, list []facts.PortProblem) []report.Evidence {
	var evidence []report.Evidence
	for _, p := range list[:min(len(list), 8)] {
		evidence = append(evidence, in.Fact(source, p.Slave, p.Slave+" "+p.Problem))
	}
	return evidence
}

// carryText describes how many slaves of a bond carry traffic.
func carryText(in rule.Input, b bond.Bond) string {
	return fmt.Sprintf("%d of %s carry traffic", len(in.Carries(b)), human.Count(len(b.Slaves), "slave"))
}

// Commands that several rules advise.

func showBond(b bond.Bond) report.Advice {
	if b.Kind == bond.OVS {
		return report.Advice{Do: "Show the bond as Open vSwitch sees it", Command: rule.ShellCommand("ovs-appctl bond/show %s", b.Name)}
	}
	return report.Advice{Do: "Show the bond as the kernel sees it", Command: rule.ShellCommand("cat %s", "/proc/net/bonding/"+b.Name)}
}

// checkLinks returns what to do about slaves without a link; nil if there are none.
func checkLinks(nics []string) []report.Advice {
	if len(nics) == 0 {
		return nil
	}
	return []report.Advice{{Do: "Check the cable, the transceiver and the switch port of " + human.Names(nics, 4),
		Command: rule.ShellCommand("ethtool %s", nics[0])}}
}

func showLink(nic string) report.Advice {
	return report.Advice{Do: "Show the link of " + nic + " and its speed", Command: rule.ShellCommand("ethtool %s", nic)}
}

func showOptics(nic string) report.Advice {
	return report.Advice{Do: "Show the transceiver of " + nic + ": received power, temperature",
		Command: rule.ShellCommand("ethtool -m %s", nic)}
}
