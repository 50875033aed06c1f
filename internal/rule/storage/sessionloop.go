package storage

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/cause"
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func libcephSessionLoop() rule.Rule {
	limits := &struct {
		Losses int           `json:"losses" doc:"established sessions to one OSD lost within window that count as a loop" min:"2" max:"1000"`
		Window time.Duration `json:"window" doc:"time window for lost sessions" min:"10s" max:"60s"`
	}{5, time.Minute}
	return rule.Rule{
		ID:            "libceph-session-loop",
		Title:         "Ceph sessions keep flapping",
		Component:     report.ComponentStorage,
		Severity:      "warning",
		Impact:        "degraded_performance: each lost session resends all requests to that OSD. krbd-stalled or krbd-retry-storm reports stalled I/O",
		Needs:         []string{node.SourceKmsg},
		KeepFiringFor: rule.Always(30 * time.Second), // the count varies around the threshold
		Limits:        limits,                        // no For: the window replaces it
		About: "At least 5 established sessions to one OSD were lost within 60 s for a reason other than a checksum, although the OSD is not down and the cluster is not full: the OSD closed them, the socket failed, a message was malformed or out of sequence, a sparse-read reply could not be parsed, or this host had no memory to receive. " +
			"If the checksum of data sent to an OSD fails, the OSD logs it; the kernel of this host only logs \"socket closed (con state OPEN)\", repeatedly. A retry storm of writes therefore looks like this. " +
			"An OSD that restarts closes its session once and is reported down; rolling restarts therefore do not count; neither does one closed session for each of several kernel clients. Sessions lost more than 10 s later count again. " +
			"The loop may also come from the network: a firewall or load balancer that resets connections, or an MTU mismatch.",
		Do: []string{
			"Read the log of the named OSD: \"bad crc in data\" there means that this node's buffers change while they are sent.",
			"Look for connection resets and an MTU mismatch on the path to that OSD.",
			"Check the map options and the guests on krbd, as for libceph-crc.",
		},
		Check: func(in rule.Input) []rule.Result {
			losses := in.SessionLosses(limits.Window)
			clients := uint64(max(1, len(in.Clients())))
			full := in.FullSince(in.Now)
			looping := make([]*facts.OSDLosses, 0, len(losses.OSDs))
			n, last := uint64(0), time.Time{}
			for i := range losses.OSDs {
				o := losses.OSDs[i]
				lost := o.Ended() + o.Broken() - o.Of(facts.Reasons[0], facts.Reasons[1])
				if full || lost < max(uint64(limits.Losses), 2*clients) || o.Seconds < min(limits.Losses, 5) {
					continue
				}
				looping = append(looping, o)
				n, last = n+lost, facts.Later(last, o.Last())
			}
			if len(looping) == 0 {
				return nil
			}
			slices.SortStableFunc(looping, func(a, b *facts.OSDLosses) int { return cmp.Compare(b.All(), a.All()) })
			a := cause.OfLoop(in.Facts, cause.Loop{First: last.Add(-limits.Window), Losses: losses, OSDs: looping,
				Before: []cause.Evidence{}})
			evidence, against := causeEvidence(a)
			r := rule.Result{
				Severity: report.Warning,
				Impact:   report.DegradedPerformance,
				Cause:    a.Concluded(),
				Summary: rule.Summary(fmt.Sprintf("Sessions with %s keep flapping, latest at %s: %s", osdsText(looping), human.Clock(last),
					lossText(looping, losses.Window)),
					fmt.Sprintf("Sessions with %s keep flapping: %s lost in %s, latest at %s", osdsText(looping), human.Number(n),
						human.Span(limits.Window), human.Clock(last))),
				Evidence: append(lossEvidence(losses, looping), evidence...),
				Against:  against,
			}
			for _, c := range a.Likely() {
				r.Advice = append(r.Advice, causeAdvice(in, c, looping, nil)...)
			}
			r.Advice = distinct(append(append(r.Advice, osdLogAdvice(looping)...), mtuAdvice(in)...))
			return []rule.Result{r}
		},
	}
}
