package storage

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func cephMap() rule.Rule {
	limits := &struct {
		Fresh time.Duration `json:"fresh" doc:"how long the finding stays after its latest kernel line" min:"1m" max:"24h"`
	}{10 * time.Minute}
	return rule.Rule{
		ID:        "ceph-map",
		Title:     "the kernel cannot use the cluster's map",
		Component: rule.Storage,
		Severity:  "warning",
		Impact:    "operational: krbd-stalled reports stalled I/O, krbd-io-error failed I/O",
		Needs:     []string{node.SourceKmsg},
		Limits:    limits, // a line is a fact, and stays for a while
		About: "The kernel could not read an osdmap, a monmap or a reply (\"corrupt inc osdmap\"), so that it has no newer map and sends requests by the old one; or the map gives no OSD for a request (\"error -22 from crush rule\"), which then waits and was sent to nobody; or a pool does not exist any more. " +
			"The finding stays for 10 minutes after the latest such line.",
		Do: []string{"Corrupt map: check whether the kernel is too old for the cluster.", "No OSD: correct the pool's CRUSH rule.", "Missing pool: unmap its images."},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			byClass := func(s *node.Series) (string, bool) { return string(s.Class), s.Total > 0 }
			for _, lines := range in.LinesBy(limits.Fresh, byClass, kmsg.MapCorrupt, kmsg.NoOSD, kmsg.PoolGone) {
				latest := lines.Latest
				r := rule.Result{Subject: lines.Subject, Severity: report.Warning, Evidence: []report.Evidence{rule.FactAt(node.SourceKmsg, latest.Peer, fmt.Sprintf("%s, latest: %s", human.Count(lines.N, "line"), latest.Text), latest.Last)}, Advice: []report.Advice{askCluster}}
				switch latest.Class {
				case kmsg.NoOSD:
					r.Summary = rule.Summary("CRUSH maps some requests to no OSD; they wait: "+latest.Text, "CRUSH maps some requests to no OSD; they wait")
					r.Advice = []report.Advice{{Do: "Correct the CRUSH rule of the pool", Command: "ceph --connect-timeout 10 osd crush rule dump"}, askCluster}
				case kmsg.PoolGone:
					r.Summary = rule.Summary("Requests go to a pool that does not exist: "+latest.Text, "Requests go to a pool that does not exist")
					r.Advice = []report.Advice{{Do: "See which pools there are, and unmap the images of the one that is gone", Command: "ceph --connect-timeout 10 osd pool ls"}}
				default:
					r.Summary = rule.Summary("The kernel cannot read the cluster's map and uses an old one: "+latest.Text, "The kernel cannot read the cluster's map (osdmap, monmap) and uses an old one")
				}
				list = append(list, r)
			}
			return list
		},
	}
}
