package storage

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/cause"
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func cephMap(stalled *stalledLimits) rule.Rule {
	limits := &struct {
		Fresh time.Duration `json:"fresh" doc:"how long the finding stays after its latest kernel line" min:"1m" max:"24h"`
	}{10 * time.Minute}
	return rule.Rule{
		ID:        "ceph-map",
		Title:     "the kernel cannot use the cluster's map",
		Component: report.ComponentStorage,
		Severity:  "warning; critical as krbd-stalled is, where disks wait because there is no OSD for their requests",
		Impact:    "operational; where disks wait because there is no OSD, by the guests whose disks are stalled. krbd-io-error reports failed I/O",
		Needs:     []string{node.SourceKmsg},
		Explains:  []string{"krbd-stalled"},
		Limits:    limits, // no For: a log line needs no confirmation, and counts for a while
		About: "The kernel could not read an osdmap, a monmap or a reply (\"corrupt inc osdmap\"), so that it has no newer map and sends requests by the old one; or the map has no OSD for a request (\"error -22 from crush rule\"), which then waits and was sent to no OSD; or a pool no longer exists. " +
			"The finding stays for 10 minutes after the latest such line.",
		Do: []string{"Corrupt map: check whether the kernel is too old for the cluster.", "No OSD: correct the pool's CRUSH rule.",
			"Missing pool: unmap its images."},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			byClass := func(s *node.Series) (string, bool) { return string(s.Class), s.Total > 0 }
			for _, lines := range in.LinesBy(limits.Fresh, byClass, kmsg.MapCorrupt, kmsg.NoOSD, kmsg.PoolGone) {
				latest := lines.Latest
				r := rule.Result{Subject: lines.Subject, Severity: report.Warning, Explains: []string{},
					Evidence: []report.Evidence{rule.FactAt(node.SourceKmsg, latest.Peer,
						fmt.Sprintf("%s, latest: %s", human.Count(lines.N, "line"), latest.Text), latest.Last)},
					Advice: []report.Advice{askCluster}}
				switch latest.Class {
				case kmsg.NoOSD:
					r.Summary = rule.Summary("CRUSH maps some requests to no OSD; they wait: "+latest.Text,
						"CRUSH maps some requests to no OSD; they wait")
					addWaiting(in, stalled, &r)
					r.Advice = []report.Advice{{Do: "Correct the CRUSH rule of the pool",
						Command: "ceph --connect-timeout 10 osd crush rule dump"}, askCluster}
				case kmsg.PoolGone:
					r.Summary = rule.Summary("Requests go to a pool that does not exist: "+latest.Text,
						"Requests go to a pool that does not exist")
					r.Advice = []report.Advice{listPools}
				default:
					r.Summary = rule.Summary("The kernel cannot read the cluster's map and uses an old one: "+latest.Text,
						"The kernel cannot read the cluster's map (osdmap, monmap) and uses an old one")
				}
				list = append(list, r)
			}
			return list
		},
	}
}

// listPools is the advice about a pool that does not exist.
var listPools = report.Advice{Do: "See which pools there are, and unmap the images of the one that is gone",
	Command: "ceph --connect-timeout 10 osd pool ls"}

// addWaiting turns a finding about requests without an OSD into one about the disks that
// wait for them.
func addWaiting(in rule.Input, stalled *stalledLimits, r *rule.Result) {
	stalls := stalled.of(in)
	if len(stalls) == 0 || cause.OfStall(in.Facts, stalls).Concluded() != cause.NoOSD {
		return
	}
	devices := facts.Devices(stalls)
	r.Severity, r.Hits, r.Ended, r.Remains = stalled.severity(in, stalls), stalledHits(stalls), ended(stalls), report.Warning
	r.RestsOn, r.Explains = []string{node.SourceKmsg, node.SourceIO}, []string{""}
	r.Summary = rule.Summary(r.Summary+fmt.Sprintf("; %s%s stalled", human.AllOf(len(devices), len(in.Mapped.Value), "krbd disk"),
		in.GuestsOn(devices).In()),
		fmt.Sprintf("CRUSH maps some requests to no OSD: %s%s stalled for %s", human.AllOf(len(devices), len(in.Mapped.Value), "krbd disk"),
			in.GuestsOn(devices).In(), human.Span(in.Now.Sub(r.Hits.Since))))
	r.Evidence = append(r.Evidence, stallEvidence(in, stalls)...)
}
