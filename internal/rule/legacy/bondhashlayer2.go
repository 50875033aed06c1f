package legacy

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func bondHashLayer2() Rule {
	return Rule{
		ID:        "bond-hash-layer2",
		Title:     "a bond does not spread what this host sends",
		Component: Network,
		Severity:  "info; warning where it may carry krbd's traffic",
		Impact:    "operational: it is a risk, and nothing that a customer feels",
		Needs:     []string{node.SourceBond},
		Hold:      10 * time.Second, // a bond begins as layer2 and gets its policy a moment later
		// Keep is 0: a policy does not flap, and one that was changed is gone at once.
		About: "A bond of several slaves chooses the slave of each frame by MAC address, or by MAC address and VLAN. All that this host sends to one server, or through one router, then goes out on one slave, however many there are. " +
			"It is told by the mode and the policy alone: layer2 and vlan+srcmac in 802.3ad, balance-xor, and balance-tlb without dynamic load balancing; Open vSwitch's balance-slb. In all other modes the policy has no meaning. " +
			"A bond that carries krbd's traffic is layer2-bond-krbd's, and not told here again; a bond that carries only VM traffic, or a node without krbd, gets this as an advice. Where krbd is in use and the link that carries its traffic cannot be told, it is a warning.",
		Do: []string{
			"Set `layer3+4` on the bond; on a busy node, one bond at a time, as some drivers and switches drop the links for a moment.",
			"Make it last in the network configuration: `bond-xmit-hash-policy layer3+4` in ifupdown, `transmit-hash-policy: layer3+4` in netplan.",
			"Have the switch hash its side of the bundle by IP addresses and ports too: it decides what this host receives.",
		},
		Check: func(in Input) []report.Finding {
			return overBonds(in, func(b bond.Bond) (report.Finding, bool) { return spreadsNot(in, b) })
		},
	}
}

// spreadsNot is the finding on one bond. A bond that is down is judged only while
// its finding is raised, as a link that flaps changes no policy.
func spreadsNot(in Input, b bond.Bond) (report.Finding, bool) {
	like, why := b.Layer2Like()
	_, was := in.Was(b.Name)
	_, krbds := in.CarriesStorage(b.Name)
	if !like || !b.MultiSlave() || krbds || !b.Up && !was {
		return report.Finding{}, false
	}
	f := report.Finding{
		Severity: report.Info,
		Impact:   report.Operational,
		Summary:  fmt.Sprintf("%s does not spread what this host sends: %s", bondName(b), why),
		Evidence: []report.Evidence{in.fact(bondSource(b), b.Name, fmt.Sprintf("mode %s, %s, %s", b.Mode, bondHash(b), counted(len(b.Slaves), "slave")))},
		Against:  []report.Evidence{in.fact(bondSource(b), b.Name, "the policy says nothing of what this host receives: the switch decides that")},
		Advice:   append([]report.Advice{lookAtBond(b)}, hashAdvice(b)...),
	}
	switch lost, err := unroutedDisks(in), in.Blind(node.SourceKrbd); {
	case lost > 0:
		f.Severity = report.Warning
		f.Summary += fmt.Sprintf("; it may carry the traffic of %s, which cannot be told", counted(lost, "krbd disk"))
		f.Evidence = append(f.Evidence, in.fact(node.SourceKrbd, "", fmt.Sprintf("the link that carries the traffic of %s cannot be told", counted(lost, "krbd disk"))))
	case len(in.Mapped.Value) > 0:
		f.Against = append(f.Against, in.fact(node.SourceKrbd, b.Name, fmt.Sprintf("none of the %s of this node is behind it: their traffic leaves through %s", counted(len(in.Mapped.Value), "krbd disk"), someOf(storageLinks(in), 3))))
	case err != nil:
		f.Against = append(f.Against, factAt(node.SourceKrbd, "", "whether krbd is in use here cannot be told: "+err.Text, err.Since))
	default:
		f.Against = append(f.Against, in.fact(node.SourceKrbd, "", "no krbd disk is mapped: each VM has connections of its own, and one full slave does not stall all of them"))
	}
	if n := networkDisks(in); n > 0 {
		f.Evidence = append(f.Evidence, in.fact(node.SourceLibvirt, "", fmt.Sprintf("%s through librbd or rbd-nbd: its link cannot be told from here", counted(n, "disk"))))
	}
	return f, true
}

// unroutedDisks is how many krbd disks there are of which the bond or NIC that
// carries their traffic cannot be told.
func unroutedDisks(in Input) int {
	n := len(in.Mapped.Value)
	for _, p := range in.Storage {
		if len(p.Carriers) > 0 {
			n -= p.Devices
		}
	}
	return n
}

// storageLinks are the bonds and NICs that carry krbd's traffic.
func storageLinks(in Input) []string {
	var names []string
	for _, p := range in.Storage {
		names = append(names, p.Carriers...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// networkDisks is how many disks of guests reach the cluster without krbd.
func networkDisks(in Input) int {
	n := 0
	for i := range in.Guests {
		for d := range in.Guests[i].Disks {
			if c := in.Guests[i].Disks[d].Client; c == rbd.LibRBD || c == rbd.NBD {
				n++
			}
		}
	}
	return n
}

// lookAtBond is the command that shows a bond as it is.
func lookAtBond(b bond.Bond) report.Advice {
	if b.Kind == bond.OVS {
		return report.Advice{Do: "See the bond as Open vSwitch does", Command: paste("ovs-appctl bond/show %s", b.Name)}
	}
	return report.Advice{Do: "See the bond as the kernel does", Command: paste("cat %s", "/proc/net/bonding/"+b.Name)}
}
