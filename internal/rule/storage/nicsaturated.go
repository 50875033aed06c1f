package storage

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// idleShare is the share of its line rate below which another slave of a bond can
// carry more.
const idleShare = 0.5

func krbdNICSaturated(limits *congestionLimits) rule.Rule {
	return rule.Rule{
		ID:            "krbd-nic-saturated",
		Title:         "a saturated NIC slows krbd although its bond has spare capacity",
		Component:     report.ComponentStorage,
		Severity:      "warning, critical",
		Impact:        "degraded_performance; by the guests whose disks are stalled, if some are",
		Needs:         []string{node.SourceNIC},
		KeepFiringFor: rule.Timing{Warning: 30 * time.Second, Critical: 45 * time.Second}, // the load varies
		Explains: []string{"krbd-stalled", "krbd-slow", "krbd-resend", "libceph-crc", "libceph-session-loop", "nic-saturated", "nic-drops",
			"bond-imbalance", "bond-spread",
			"slave-missing", "link-speed"}, // on the same bond, because too little capacity is left
		Limits: limits,
		About: "A NIC that carries krbd's traffic is at 90 % or more of its line rate one way for 5 s, and krbd is affected: a quarter of the disks behind it are slow, or the NIC keeps dropping frames because its buffers are exhausted, or sessions are lost. The host's policy distributes what it sends, so layer2-bond-krbd does not apply. " +
			"Critical where another slave of the same bond is below half of its line rate: the load does not spread, because the switch hashes by MAC address, or because a few peers hash to one slave (layer2+3), and a retry storm is near. A warning if all slaves are saturated or the NIC is not in a bond: the link is too small for the load.",
		Do: []string{
			"Receive side: on the switch, hash the LAG by layer 3+4 (IP addresses and ports).",
			"Transmit side: use layer3+4, which hashes each connection separately.",
			"Find what else uses the NIC and stop it, or limit it at its source.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			for _, name := range carriers(in) {
				b, isBond := in.BondNamed(name)
				if like, _ := b.Layer2Like(); isBond && like && b.MultiSlave() {
					continue
				}
				behind := devicesBehind(in, name)
				nics := in.NICsOf(name)
				if !limits.congested(in, name) {
					continue
				}
				s := limits.saturated(in, nics, behind)
				if len(s.signs) == 0 {
					continue
				}
				list = append(list, s.result(in, name, nics, behind))
			}
			return list
		},
	}
}

func (s saturation) result(in rule.Input, carrier string, nics []*facts.NIC, behind map[string]bool) rule.Result {
	carries := fmt.Sprintf("%s %s, %s of line rate", s.load.Way, human.BitRate(s.load.Bits), human.Percent(s.load.Share))
	r := rule.Result{
		Subject: carrier, Severity: report.Warning, Impact: report.DegradedPerformance, Hits: s.hits, RestsOn: s.rests,
		Explains: []string{carrier},
		Summary: fmt.Sprintf("%s is saturated (%s %s) for %s and slows %s", s.nic.Label, s.load.Way, human.Percent(s.load.Share),
			human.Span(in.Now.Sub(s.load.Since)), human.Count(len(behind), "krbd disk")),
		Evidence: append([]report.Evidence{rule.FactAt(node.SourceNIC, s.nic.Name,
			fmt.Sprintf("%s has been saturated since %s: %s", s.nic.Label, human.Clock(s.load.Since), carries), s.nic.At)}, s.signs...),
	}
	if !stallsElsewhere(in, behind) {
		r.Explains = append(r.Explains, "")
	}
	for _, n := range nics {
		r.Explains = append(r.Explains, n.Name)
		share := n.Rx.Share
		if s.load.Way == "tx" {
			share = n.Tx.Share
		}
		if n.Name == s.nic.Name {
			continue
		}
		r.Evidence = append(r.Evidence, rule.FactAt(node.SourceNIC, n.Name,
			fmt.Sprintf("%s carries %s of its line rate the same way", n.Label, human.Percent(share)), n.At))
		if share >= idleShare || n.Speed <= 0 || r.Severity == report.Critical {
			continue
		}
		r.Severity = report.Critical
		b, _ := in.BondNamed(carrier)
		says := "the switch sends it all to one slave"
		switch {
		case s.load.Way == "rx":
			r.Advice = append(r.Advice, rule.SpreadReceived(b))
		case b.ByPorts(): // one connection is never distributed
			says = "the bond sends it all on one slave"
		default:
			says = "the bond sends it all on one slave"
			r.Advice = append(r.Advice, rule.SpreadSent(b))
		}
		r.Summary = rule.Summary(fmt.Sprintf("%s; %s, %s is at %s", r.Summary, says, n.Name, human.Percent(share)),
			r.Summary+"; "+says, r.Summary)
	}
	r.Advice = append(r.Advice, saturationAdvice(in, nil)...)
	return r
}

// stallsElsewhere reports whether a krbd device that does not use the NIC is stalled. The
// NIC then does not explain the node's storage problem.
func stallsElsewhere(in rule.Input, behind map[string]bool) bool {
	return slices.ContainsFunc(in.Stalls(), func(s *facts.Stall) bool { return s.For >= longStall && !behind[s.Device] })
}
