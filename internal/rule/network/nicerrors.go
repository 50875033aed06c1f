package network

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type errorLimits struct {
	Rate  float64 `json:"rate" doc:"corrupted frames per second, in one second of a 10 s period, at which the period counts" min:"0.1" max:"1000000"`
	Times int     `json:"times" doc:"number of 10 s periods in the last ten minutes that must have corrupted frames" min:"1" max:"60"`
}

func nicErrors() rule.Rule {
	l := &errorLimits{Rate: 1, Times: 3}
	return rule.Rule{
		ID:            "nic-errors",
		Title:         "a NIC receives corrupted frames",
		Component:     report.ComponentNetwork,
		Severity:      "warning",
		Impact:        "operational: TCP retransmits lost frames; the storage rules report slow disks",
		Needs:         []string{node.SourceNIC},
		KeepFiringFor: rule.Always(2 * time.Minute), // a bad cable corrupts frames in bursts
		Limits:        l,
		About: "The NIC received frames whose Ethernet checksum was wrong (rx_crc_errors) and dropped them: the cable, a transceiver or the port of the switch is bad. Lost frames are retransmitted by TCP, which makes disks slow. " +
			"Corruption on the wire does not cause libceph's CRC errors: the checksums of Ethernet and TCP catch it first.",
		Do: []string{
			"Show the received optical power: `ethtool -m ethX`.",
			"Clean or replace the cable and the transceivers on both sides, one after the other; watch `ip -s -s link show dev ethX`.",
			"Take the slave out of the bond until then, if the other one can carry the load: `ip link set dev ethX nomaster`.",
		},
		Check: func(in rule.Input) []rule.Result { return overNICs(in, l.check) },
	}
}

func (l *errorLimits) check(in rule.Input, n *facts.NIC) (rule.Result, bool) {
	times, most, at := n.Corrupted(in.Now)
	if times < l.Times || most < l.Rate {
		return rule.Result{}, false
	}
	r := rule.Result{
		Subject: n.Name, Severity: report.Warning,
		Summary: fmt.Sprintf("%s receives corrupted frames: up to %s, in %d of the last 60 periods of 10 s", n.Label,
			human.Rate(most, "frame"), times),
		Evidence: []report.Evidence{
			rule.FactAt(node.SourceNIC, n.Name, fmt.Sprintf("rx_crc_errors rose by up to %s, %s in all", human.Rate(most, "frame"),
				human.Number(n.Last.RxCRC)), at),
		},
		Against: []report.Evidence{rule.FactAt(node.SourceNIC, n.Name,
			"TCP retransmits lost frames: corruption on the wire does not cause libceph's CRC errors", n.At)},
		Advice: []report.Advice{
			{Do: "Check the cable and the transceivers of " + n.Name + " on both sides, and the switch port"},
			showOptics(n.Name),
			{Do: "Show the NIC's counters", Command: rule.ShellCommand("ip -s -s link show dev %s", n.Name)},
		},
	}
	if n.Bond != "" {
		r.Advice = append(r.Advice, report.Advice{Do: "If the other slaves of " + n.Bond + " can carry the load, take " + n.Name +
			" out of the bond until it is repaired", Command: rule.ShellCommand("ip link set dev %s nomaster", n.Name)})
	}
	return r, true
}
