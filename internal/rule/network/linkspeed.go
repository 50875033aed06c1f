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

func linkSpeed() rule.Rule {
	return rule.Rule{
		ID:            "link-speed",
		Title:         "a NIC runs slower than it did, or than its bond's other slaves, or at half duplex",
		Component:     report.ComponentNetwork,
		Severity:      "warning",
		Impact:        "operational: less bandwidth; nic-drops and the storage rules report the customer impact",
		Needs:         []string{node.SourceBond},
		For:           rule.Always(10 * time.Second), // a link negotiates its speed within seconds
		KeepFiringFor: rule.Always(30 * time.Second),
		Explains:      []string{"bond-lacp"}, // ports of unequal speed are in different aggregators
		About: "The speed of a link that is up is compared with the highest speed of the NIC since nodewatch started, and with the other slaves of its bond. A damaged cable or transceiver, or a switch port that was reconfigured, makes a link negotiate a lower speed. " +
			"In 802.3ad ports of unequal speed are in different aggregators: either the slower or the faster one carries no traffic. NICs outside bonds are checked if they carry krbd's traffic.",
		Do: []string{
			"Show the speeds that both sides advertise: `ethtool ethX`.",
			"Replace the cable or the transceiver; compare the switch port's configuration with that of the other slave.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			for _, b := range in.Bonds() {
				list = append(list, slowSlaves(in, b)...)
			}
			for _, n := range in.Links.Value.NICs {
				if _, storage := in.CarriesStorage(n.Name); storage && n.Up {
					driver := n.Driver
					if n.Virtual {
						driver = ""
					}
					if text := slow(in, n.Name, n.Speed, n.Duplex, driver, bond.Slave{}); text != "" {
						list = append(list, speedResult(in, n.Name, n.Name, text, node.SourceBond))
					}
				}
			}
			return list
		},
	}
}

func slowSlaves(in rule.Input, b bond.Bond) []rule.Result {
	var fastest bond.Slave
	for _, s := range b.Slaves {
		if !facts.LinkDown(s) && s.Speed > fastest.Speed {
			fastest = s
		}
	}
	var list []rule.Result
	for _, s := range b.Slaves {
		if facts.LinkDown(s) {
			continue
		}
		if text := slow(in, s.Name, s.Speed, s.Duplex, s.Driver, fastest); text != "" {
			r := speedResult(in, s.Name, s.Name+" of "+b.Name, text, facts.BondSource(b))
			r.Explains = []string{b.Name}
			list = append(list, r)
		}
	}
	return list
}

// slow describes the problem with the speed of a link that is up; empty: none.
// fastest is the fastest slave of its bond.
func slow(in rule.Input, nic string, speed int, duplex, driver string, fastest bond.Slave) string {
	best := 0
	if n, watched := in.NICNamed(nic); watched {
		best = n.BestSpeed
	}
	switch {
	case duplex == "half":
		return "runs at half duplex"
	case speed > 0 && speed < best:
		return fmt.Sprintf("runs at %s; earlier it ran at %s", human.LinkSpeed(speed), human.LinkSpeed(best))
	case speed > 0 && speed < fastest.Speed:
		return fmt.Sprintf("runs at %s, %s at %s", human.LinkSpeed(speed), fastest.Name, human.LinkSpeed(fastest.Speed))
	case speed == 0 && (fastest.Speed > 0 || best > 0 || knowsItsSpeed(driver)):
		return "has a link of unknown speed"
	}
	return ""
}

// knowsItsSpeed reports whether the driver is a hardware driver, which has a speed
// whenever its link is up. Virtual NICs have none.
func knowsItsSpeed(driver string) bool {
	return driver != "" && !slices.Contains([]string{"virtio_net", "veth", "dummy", "tun", "hv_netvsc", "xen_netfront", "vif"}, driver)
}

func speedResult(in rule.Input, nic, label, text, source string) rule.Result {
	return rule.Result{
		Subject: nic, Severity: report.Warning, RestsOn: []string{source},
		Summary:  label + " " + text,
		Evidence: []report.Evidence{in.Fact(source, nic, nic+" "+text)},
		Advice: []report.Advice{
			showLink(nic), showOptics(nic),
			{Do: "Check the cable and the transceiver of " + nic + ", and its switch port's speed setting"},
		},
	}
}
