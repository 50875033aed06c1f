package network

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func nicDown() rule.Rule {
	return rule.Rule{
		ID:            "nic-down",
		Title:         "a NIC that carries krbd's traffic without a bond has no link",
		Component:     report.ComponentNetwork,
		Severity:      "critical",
		Impact:        "major_outage: krbd's traffic has no other path",
		Needs:         []string{node.SourceBond},
		For:           rule.Always(5 * time.Second),
		KeepFiringFor: rule.Always(20 * time.Second),
		Explains:      append(storageEffects(), "link-speed", "nic-errors"),
		About:         "A NIC that is in no bond and carries krbd's traffic is down or has no carrier. All krbd disks behind it stall until the link is back; libceph waits for it and resumes by itself.",
		Do: []string{
			"Show the link: `ethtool ethX`, and the transceiver: `ethtool -m ethX`.",
			"Check the cable and the switch port; find out whether the interface was shut down on purpose.",
			"Do not restart VMs: their I/O continues once the link is back.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			for _, n := range in.Links.Value.NICs {
				if r, is := noLink(in, n); is {
					list = append(list, r)
				}
			}
			return list
		},
	}
}

func noLink(in rule.Input, n bond.NIC) (rule.Result, bool) {
	devices, storage := in.CarriesStorage(n.Name)
	if n.Up || !storage {
		return rule.Result{}, false
	}
	r := rule.Result{
		Subject: n.Name, Severity: report.Critical, Impact: report.MajorOutage, Explains: []string{"", n.Name},
		Summary: fmt.Sprintf("%s has no link: %s cannot reach the cluster", n.Name, human.Count(devices, "krbd disk")),
		Evidence: []report.Evidence{in.Fact(node.SourceBond, n.Name, n.Name+" is down or has no carrier"),
			in.Fact(node.SourceKrbd, n.Name, fmt.Sprintf("the traffic of %s leaves through %s, which is in no bond",
				human.Count(devices, "krbd disk"), n.Name))},
		Advice: []report.Advice{
			showLink(n.Name), showOptics(n.Name),
			{Do: "Check the cable and the switch port of " + n.Name},
			{Do: "Do not restart VMs: their I/O continues once the link is back"},
		},
	}
	for _, s := range in.Kernel.Of(kmsg.NICDown) {
		if s.Device == n.Name && in.Now.Sub(s.Last) < 3*flapWindow {
			r.Since = facts.Later(r.Since, s.Last)
			r.Evidence = append(r.Evidence, rule.FactAt(node.SourceKmsg, n.Name, s.Text, s.Last))
		}
	}
	return r, true
}
