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
		Factor float64 `json:"factor" doc:"bytes received by the storage NICs per byte read by krbd" min:"1.5" max:"1000"`
		Losses int     `json:"losses" doc:"established sessions lost in a minute, over all OSDs" min:"2" max:"100000"`
		Share  float64 `json:"share" doc:"share of its line rate at which a storage NIC must receive" min:"0.05" max:"0.98"`
	}{3, 10, 0.3}
	return rule.Rule{
		ID:            "krbd-resend",
		Title:         "resent requests load the storage NIC",
		Component:     report.ComponentStorage,
		Severity:      "warning",
		Impact:        "operational: krbd-slow, krbd-stalled or krbd-retry-storm report the customer impact",
		Needs:         []string{node.SourceNIC, node.SourceIO, node.SourceKmsg},
		For:           rule.Always(10 * time.Second),
		KeepFiringFor: rule.Always(time.Minute),
		Limits:        limits,
		About: "At least 10 sessions are lost in a minute, and the storage NICs receive at least 3 times what krbd's reads return to the guests, with one NIC at 30 % of its line rate or more: each lost session resends every in-flight request to that OSD, and the replies arrive again. " +
			"This is how a retry storm sustains itself, visible before I/O stalls. Other traffic on the same NICs counts too, so the finding is raised only together with lost sessions.",
		Do: []string{"Find out why sessions are lost: see libceph-crc and libceph-session-loop.",
			"Until then, reduce other traffic on the NIC."},
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
					Summary: fmt.Sprintf("Resent requests load %s: it receives %s, %s what krbd reads, while %s reset in 1 min", n.Label,
						human.BitRate(n.Rx.Bits), human.Times(factor),
						human.Count(lost, "session")),
					Evidence: append(lossEvidence(losses, osds), rule.FactAt(node.SourceNIC, n.Name,
						fmt.Sprintf("%s receives %s, %s of line rate", n.Label, human.BitRate(n.Rx.Bits),
							human.Percent(n.Rx.Share)), n.At)),
					Advice: append(append(osdLogAdvice(osds), compareNodes), saturationAdvice(in, layer2Bonds(in))...),
				}}
			}
			return nil
		},
	}
}
