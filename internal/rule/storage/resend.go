package storage

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdResend() rule.Rule {
	limits := &struct {
		Factor float64 `json:"factor" doc:"bytes that the storage NICs receive for each byte that krbd reads" min:"1.5" max:"1000"`
		Losses int     `json:"losses" doc:"working sessions lost in a minute, over all OSDs" min:"2" max:"100000"`
		Share  float64 `json:"share" doc:"share of its line rate that a storage NIC must receive" min:"0.05" max:"0.98"`
	}{3, 10, 0.3}
	return rule.Rule{
		ID:            "krbd-resend",
		Title:         "resent requests fill the storage NIC",
		Component:     rule.Storage,
		Severity:      "warning",
		Impact:        "operational: what customers feel of it is krbd-slow, krbd-stalled or krbd-retry-storm",
		Needs:         []string{node.SourceNIC, node.SourceIO, node.SourceKmsg},
		For:           rule.Always(10 * time.Second),
		KeepFiringFor: rule.Always(time.Minute),
		Limits:        limits,
		About: "Sessions are lost, at least 10 in a minute, and the storage NICs receive at least 3 times what krbd's reads return to the guests, with one NIC at 30 % of its line rate or more: each lost session resends every in-flight request to that OSD, and the replies arrive again. " +
			"It is how a retry storm feeds itself, seen before I/O stalls. Other traffic of the same NICs counts too, so that it is raised only together with lost sessions.",
		Do: []string{"Find why sessions are lost: see libceph-crc and libceph-session-loop.", "Reduce other traffic of the NIC until it is found."},
		Check: func(in rule.Input) []rule.Result {
			factor := in.Amplification()
			if factor < limits.Factor {
				return nil
			}
			losses := in.SessionLosses(time.Minute)
			lost, osds := uint64(0), make([]*facts.OSDLosses, 0, len(losses.OSDs))
			for i := range losses.OSDs {
				if n := losses.OSDs[i].Broken() + losses.OSDs[i].Ended(); n > 0 {
					lost += n
					osds = append(osds, losses.OSDs[i])
				}
			}
			if lost < uint64(limits.Losses) {
				return nil
			}
			nics, _ := in.StorageNICs()
			for _, n := range nics {
				if n.Rx.Share < limits.Share {
					continue
				}
				return []rule.Result{{
					Severity: report.Warning,
					Summary: fmt.Sprintf("Resent requests load %s: it receives %s, %s what krbd reads, while %s reset in 1 min", n.Label, human.BitRate(n.Rx.Bits), human.Times(factor),
						human.Count(lost, "session")),
					Evidence: append(lossEvidence(losses, osds), rule.FactAt(node.SourceNIC, n.Name, fmt.Sprintf("%s receives %s, %s of line rate", n.Label, human.BitRate(n.Rx.Bits), human.Percent(n.Rx.Share)), n.At)),
					Advice:   append(append(osdLogAdvice(osds), compareNodes), saturationAdvice(in, layer2Bonds(in))...),
				}}
			}
			return nil
		},
	}
}
