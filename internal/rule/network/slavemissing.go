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

func slaveMissing() rule.Rule {
	return rule.Rule{
		ID:            "slave-missing",
		Title:         "a bond has lost a slave, or has only one",
		Component:     report.ComponentNetwork,
		Severity:      "warning when a slave has left the bond; info for a bond with a single slave that carries krbd's traffic",
		Impact:        "operational while a slave carries traffic; if none does, see bond-degraded",
		Needs:         []string{node.SourceBond},
		For:           rule.Always(10 * time.Second), // a reload of the configuration removes slaves for seconds
		KeepFiringFor: rule.Always(10 * time.Second),
		Explains:      []string{"bond-lacp"},
		About: "A slave is no longer part of its bond: its driver removed the device, an administrator removed it, or the card failed and the kernel unregistered it. No link failure is counted in this case, and the bond looks healthy. " +
			"A bond that came up with a single slave has no redundancy, and no policy can distribute its traffic.",
		Do: []string{
			"Check whether the NIC still exists: `ip -br link`, `lspci -nn | grep -i ethernet`, `journalctl -k -g ethX`.",
			"If it does, add it again: `ip link set ethX down; ip link set ethX master bondX`.",
			"If the card is missing from the bus, migrate the VMs away and plan a reboot or a replacement.",
		},
		Check: func(in rule.Input) []rule.Result {
			return overBonds(in, func(b bond.Bond) (rule.Result, bool) { return missing(in, b) })
		},
	}
}

func missing(in rule.Input, b bond.Bond) (rule.Result, bool) {
	s := in.Spread(b)
	if len(s.Missing) > 0 {
		return lostSlave(in, b, s.Missing)
	}
	devices, storage := in.CarriesStorage(b.Name)
	if len(b.Slaves) != 1 || !storage {
		return rule.Result{}, false
	}
	only := b.Slaves[0].Name
	return rule.Result{
		Severity: report.Info, Setting: true,
		Summary: fmt.Sprintf("%s (%s) has one slave, %s, and no redundancy; it carries the traffic of %s", b.Name, b.Mode, only,
			human.Count(devices, "krbd disk")),
		Evidence: []report.Evidence{in.Fact(facts.BondSource(b), b.Name, "its only slave is "+only)},
		Advice: []report.Advice{
			showBond(b),
			{Do: "Compare the bond with the network configuration: a slave that is misspelled there or did not exist at boot is missing"},
		},
	}, true
}

func lostSlave(in rule.Input, b bond.Bond, lost []node.SeenSlave) (rule.Result, bool) {
	names := make([]string, len(lost))
	r := rule.Result{Severity: report.Warning, Explains: []string{b.Name}}
	for i, s := range lost {
		names[i] = s.Name
		r.Since = facts.Later(r.Since, s.Gone)
		r.Evidence = append(r.Evidence, rule.FactAt(facts.BondSource(b), s.Name,
			fmt.Sprintf("%s was a slave of %s until %s", s.Name, b.Name, human.Clock(s.Gone)), s.Gone))
	}
	r.Summary = fmt.Sprintf("%s (%s) has lost its slave %s: %s left (%s)", b.Name, b.Mode, human.Names(names, 4),
		human.Count(len(b.Slaves), "slave"), human.Names(slaveNames(b.Slaves), 4))
	if left := in.Carries(b); len(left) > 0 {
		r.Against = []report.Evidence{in.Fact(facts.BondSource(b), b.Name, "it carries traffic on "+human.Names(slaveNames(left), 4))}
	}
	r.Advice = []report.Advice{
		{Do: "Check whether the NIC still exists", Command: rule.ShellCommand("ip -br link show dev %s", names[0])},
		{Do: "Show the kernel log lines about it", Command: rule.ShellCommand("journalctl -k --since -30min -g %s", names[0])},
		{Do: "If it exists, add it again. Its link goes down briefly",
			Command: rule.ShellCommand("ip link set dev %s down; ip link set dev %s master %s", names[0], names[0], b.Name)},
	}
	return r, true
}
