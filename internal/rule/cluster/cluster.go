// Package cluster contains the rules about Ceph's own health reports, one file each.
package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Rules returns the rules of the component cluster.
func Rules() []rule.Rule { return []rule.Rule{clusterHealth()} }

func clusterHealth() rule.Rule {
	return rule.Rule{
		ID:            "cluster-health",
		Title:         "the Ceph cluster reports an error that stops or slows I/O",
		Component:     report.ComponentCluster,
		Severity:      "warning; info for slow requests on OSDs that no request of this node is waiting for; critical when disks of this node are stalled and the cluster is full or has inactive PGs",
		Impact:        "degraded_performance; partial_outage when PGs are inactive or the cluster is full. It affects the node's status only while guests of this node are affected",
		Needs:         []string{node.SourceCeph},
		For:           rule.Always(0),
		KeepFiringFor: rule.Always(time.Minute), // the cluster is queried once a minute
		Explains:      []string{"krbd-stalled"},
		About: "The cluster's health, as queried by nodewatch-ceph, shows HEALTH_ERR, a full cluster, pool or OSD, inactive PGs, I/O paused by a flag, or slow requests. " +
			"Every node of the cluster reports the same: the finding sets the status of the component cluster, and that of the node only while its guests are affected. HEALTH_WARN for other reasons is not reported: many clusters have it all the time. Muted checks do not count.",
		Do: []string{
			"Read the cluster's health: `ceph health detail --connect-timeout 10`.",
			"Full: delete data or add capacity; raising the full ratio buys time, not space: `ceph osd set-full-ratio 0.97 --connect-timeout 10`.",
			"Inactive PGs: restore the OSDs that store them: `ceph osd tree down --connect-timeout 10`.",
		},
		Check: func(in rule.Input) []rule.Result {
			if r, is := health(in, &in.Snapshot.Cluster.Value); is {
				return []rule.Result{r}
			}
			return nil
		},
	}
}

func health(in rule.Input, c *ceph.Cluster) (rule.Result, bool) {
	r := rule.Result{Severity: report.Info, Explains: []string{""}}
	var reasons []string
	stops := false
	for _, check := range c.Health.Checks {
		if check.Muted || check.Code == "SLOW_OPS" {
			continue
		}
		stop := check.Code == "PG_AVAILABILITY" || check.Code == "OSD_FULL" || check.Code == "POOL_FULL"
		if !stop && check.Severity != "HEALTH_ERR" {
			continue
		}
		stops = stops || stop
		reasons = append(reasons, check.Summary)
		r.Evidence = append(r.Evidence, in.Fact(node.SourceCeph, check.Code, fmt.Sprintf("%s: %s", check.Severity, check.Summary)))
	}
	var paused []string
	full := slices.ContainsFunc(c.Health.Checks, func(check ceph.Check) bool {
		return !check.Muted && (check.Code == "OSD_FULL" || check.Code == "POOL_FULL")
	})
	for flag := range strings.SplitSeq(c.OSDMap.Flags, ",") {
		if flag == "full" || flag == "pauserd" || flag == "pausewr" {
			stops = true
			if flag == "full" {
				full = true
				reasons = append(reasons, "the OSD map has the flag full")
			} else {
				paused = append(paused, flag)
			}
			r.Evidence = append(r.Evidence, in.Fact(node.SourceCeph, "", "the OSD map has the flag "+flag+": I/O is stopped"))
		}
	}
	if len(paused) > 0 {
		reasons = append(reasons, "I/O is paused by the flag "+human.Names(paused, 2))
	}
	slow, concern := slowOSDs(in, c)
	if len(slow) > 0 {
		r.Evidence = append(r.Evidence, in.Fact(node.SourceCeph, "SLOW_OPS", "slow requests on "+human.Names(slow, 5)))
	}
	switch {
	case len(reasons) > 0:
		r.Severity, r.Impact = report.Warning, report.DegradedPerformance
		r.Summary = fmt.Sprintf("The Ceph cluster reports %s: %s", c.Health.Status, strings.Join(reasons[:min(3, len(reasons))], "; "))
	case c.Health.Status == "HEALTH_ERR":
		r.Severity, r.Impact = report.Warning, report.DegradedPerformance
		r.Summary = "The Ceph cluster reports HEALTH_ERR"
	case len(concern) > 0:
		r.Severity, r.Impact = report.Warning, report.DegradedPerformance
		r.Summary = fmt.Sprintf("Slow requests on %s; requests of this node are waiting for them", human.Names(concern, 5))
	case len(slow) > 0:
		r.Summary = fmt.Sprintf("The cluster reports slow requests on %s; no request of this node is waiting for them",
			human.Names(slow, 5))
	default:
		return rule.Result{}, false
	}
	if stops {
		r.Impact = report.PartialOutage
		addStalled(in, &r)
	}
	if len(paused) > 0 {
		r.Advice = append(r.Advice, report.Advice{Do: "Find out who paused I/O and why, then unpause it",
			Command: "ceph osd unpause --connect-timeout 10"})
	}
	if full {
		r.Advice = append(r.Advice, report.Advice{Do: "Free space in the cluster: delete data, add OSDs, or raise the full ratio temporarily", Command: "ceph df --connect-timeout 10; ceph osd df --connect-timeout 10"})
	}
	r.Advice = append(r.Advice, report.Advice{Do: "Read the cluster's health", Command: "ceph health detail --connect-timeout 10"})
	if len(slow) > 0 {
		r.Advice = append(r.Advice, report.Advice{Do: "See what the slow OSD is waiting for, on its host",
			Command: rule.ShellCommand("ceph daemon %s dump_blocked_ops", strings.Replace(slow[0], "osd", "osd.", 1))})
	}
	r.Advice = append(r.Advice, report.Advice{Do: "See which OSDs are down", Command: "ceph osd tree down --connect-timeout 10"})
	return r, true
}

// addStalled makes the finding critical if disks of this node have been stalled for
// some time.
func addStalled(in rule.Input, r *rule.Result) {
	stalls := slices.DeleteFunc(slices.Clone(in.Stalls()), func(s *facts.Stall) bool { return s.For < 10*time.Second })
	devices := facts.Devices(stalls)
	if len(devices) == 0 {
		return
	}
	r.Severity, r.Hits.Stalled = report.Critical, devices
	for i := range stalls {
		if r.Hits.Since.IsZero() || stalls[i].Since.Before(r.Hits.Since) {
			r.Hits.Since = stalls[i].Since
		}
	}
	r.Summary += fmt.Sprintf("; %s of this node stalled", human.AllOf(len(devices), len(in.Mapped.Value), "krbd disk"))
}

// slowOSDs returns the OSDs with slow requests, by kernel name, and those of them
// that requests of this node are waiting for.
func slowOSDs(in rule.Input, c *ceph.Cluster) (slow, concern []string) {
	waits := map[string]bool{}
	for _, w := range in.Waits() {
		if in.Pending.At.Sub(w.Since) >= facts.MinStall {
			waits[facts.OSDName(w.Request.OSD)] = true
		}
	}
	for _, daemon := range c.Health.SlowOps {
		id, is := strings.CutPrefix(daemon, "osd.")
		n, err := strconv.Atoi(id)
		if !is || err != nil {
			continue
		}
		name := facts.OSDName(n)
		slow = append(slow, name)
		if waits[name] {
			concern = append(concern, name)
		}
	}
	return slow, concern
}
