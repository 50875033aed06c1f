package storage

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type unreachableLimits struct {
	Mons    time.Duration `json:"mons" doc:"how long a kernel client has been without a monitor session" min:"5s" max:"10m"`
	Stalled time.Duration `json:"stalled" doc:"how long no krbd device of a cluster has completed a request while some are in flight" min:"3s" max:"10m"`
	Window  time.Duration `json:"window" doc:"time window for failed connections; the kernel retries after at most 15 s (before 5.11: 5 min)" min:"30s" max:"10m"`
	Share   float64       `json:"share" doc:"share of the known OSDs that cannot be connected to" min:"0.1" max:"1"`
}

func cephUnreachable(stalled *stalledLimits) rule.Rule {
	limits := &unreachableLimits{Mons: 20 * time.Second, Stalled: 10 * time.Second, Window: 2 * time.Minute, Share: 0.5}
	return rule.Rule{
		ID:            "ceph-unreachable",
		Title:         "Ceph cannot be reached from this node",
		Component:     report.ComponentStorage,
		Severity:      "warning, critical",
		Impact:        "by the guests whose disks are stalled; operational if only monitors are lost, because open sessions to OSDs continue until the map changes; degraded_performance if guests on librbd are at risk and the cluster does not answer",
		Needs:         []string{node.SourceKmsg, node.SourceIO},
		For:           rule.Always(5 * time.Second),  // each completion, also the rare one of an idle disk, disproves an outage
		KeepFiringFor: rule.Always(20 * time.Second), // sessions return one by one
		Explains:      []string{"krbd-stalled", "libceph-session-loop", "host-io-pressure", "source-stalled"},
		Limits:        limits,
		About: "Either kernel clients have been without a monitor session for 20 s (libceph logged \"session lost, hunting for new mon\" and no new session), or the OSDs are unreachable: at least half of the known ones are down or connections to them fail, and no krbd device of that cluster has completed a request for 10 s. Each cluster is evaluated separately. " +
			"On a node whose guests use only librbd, it means that nodewatch-ceph got no answer for a minute. " +
			"Either this host has lost its path to the cluster, or the cluster is down. The finding names which one, if known, from nodewatch-ceph's queries and the link state of the bond that carries krbd's traffic. " +
			"This is not a retry storm: connections that were never established are retried with a back-off, and nothing is resent.",
		Do: []string{
			"Query the cluster from another host. If it is down, this host is not at fault: krbd waits and resumes by itself once the cluster is back.",
			"If the cluster is healthy, check this host's links, routes and firewall, and the MTU of the storage network.",
			"Do not unmap devices or reboot guests prematurely: waiting I/O is not lost.",
		},
		Check: func(in rule.Input) []rule.Result {
			if len(in.Mapped.Value) == 0 {
				return limits.librbd(in)
			}
			clusters := map[string]map[string]bool{} // devices by cluster
			for _, c := range in.Clients() {
				if clusters[c.FSID] == nil {
					clusters[c.FSID] = make(map[string]bool, len(c.Devices))
				}
				for _, d := range c.Devices {
					clusters[c.FSID][d] = true
				}
			}
			var list []rule.Result
			for _, fsid := range slices.Sorted(maps.Keys(clusters)) {
				subject := fsid
				if len(clusters) == 1 {
					subject = ""
				}
				if r, is := limits.osds(in, subject, clusters[fsid], len(clusters)); is {
					list = append(list, r)
				}
			}
			if len(list) == 0 {
				if r, is := limits.monitors(in, stalled); is {
					list = append(list, r)
				}
			}
			return list
		},
	}
}

// osdsGone is the stored state while the OSDs of a cluster are unreachable.
type osdsGone struct{}

// osds checks whether the OSDs of a cluster are unreachable. An outage lasts while
// nothing completes, because the kernel retries less and less often.
func (l *unreachableLimits) osds(in rule.Input, subject string, devices map[string]bool, clusters int) (rule.Result, bool) {
	stalls := l.still(in, devices)
	if len(stalls) == 0 {
		return rule.Result{}, false
	}
	gone, failing := map[string]bool{}, []*facts.OSDLosses(nil)
	c := in.Cluster()
	for _, osd := range c.Down {
		gone[osd] = true
	}
	losses := in.Unopened(l.Window)
	refused := 0
	for i := range losses.OSDs {
		o := losses.OSDs[i]
		switch {
		case o.Refused() > o.Unanswered():
			refused++
		case o.Unanswered() > 0:
			gone[o.OSD] = true
			failing = append(failing, o)
		}
	}
	known := len(c.OSDs)
	enough := float64(len(gone)) >= l.Share*float64(known) || clusters > 1 && len(gone) > 2
	_, raised := rule.StateOf[osdsGone](in, subject)
	stillApplies := raised && refused == 0
	if !stillApplies && (!enough || len(gone) < 2 && (len(gone) == 0 || len(in.Snapshot.Cluster.Value.OSDMap.OSDs) != 1)) {
		return rule.Result{}, false
	}
	names := slices.Sorted(maps.Keys(gone))
	slices.SortFunc(names, human.ByNumber)
	what := fmt.Sprintf("%s of %s are down or refuse connections", human.Number(len(gone)), human.Count(known, "known OSD"))
	if len(gone) == 0 {
		what = "the sessions to the OSDs were lost"
	}
	if subject != "" {
		what = "cluster " + subject + ": " + what
	}
	r := rule.Result{
		Subject: subject, Severity: report.Critical, Hits: stalledHits(stalls), Since: stalls[0].Since, State: osdsGone{},
		Evidence: append(lossEvidence(losses, failing), stallEvidence(in, stalls)...),
	}
	monEvidence(in, c, &r)
	attribution := attribute(in, &r)
	stalled := fmt.Sprintf("; %s%s stalled for %s", human.AllOf(len(stalls), len(devices), "krbd disk"),
		in.GuestsOn(facts.Devices(stalls)).In(), human.Span(stalls[0].For))
	r.Summary = rule.Summary("Ceph cannot be reached from this node: "+what+stalled, "Ceph cannot be reached: "+what+stalled,
		"Ceph cannot be reached"+stalled)
	if attribution != "" {
		r.Summary = rule.Summary("Ceph cannot be reached from this node: "+what+stalled+"; "+attribution,
			"Ceph cannot be reached"+stalled+"; "+attribution, r.Summary)
	}
	r.Evidence = append(r.Evidence, in.Fact(node.SourceKmsg, "", "down or refusing connections: "+human.Names(names, 8)))
	return r, true
}

// still returns the stalls of a cluster's devices if none of them completes anything.
func (l *unreachableLimits) still(in rule.Input, of map[string]bool) []*facts.Stall {
	for i := range in.IO {
		if d := &in.IO[i]; of[d.Device] && (d.IOPS > 0 || d.Last.InFlight() > 0 && d.StalledFor() < l.Stalled) {
			return nil
		}
	}
	var list []*facts.Stall
	for _, s := range in.Stalls() {
		if s.Disk != nil && of[s.Device] && !s.Crawls && s.For >= l.Stalled {
			list = append(list, s)
		}
	}
	return list
}

// monitors checks whether kernel clients have no monitor.
func (l *unreachableLimits) monitors(in rule.Input, stalled *stalledLimits) (rule.Result, bool) {
	c := in.Cluster()
	if c.Hunting == 0 || in.Now.Sub(c.MonLost) < l.Mons {
		return rule.Result{}, false
	}
	stalls := []*facts.Stall(nil)
	for _, s := range in.Stalls() {
		if s.Disk != nil && s.For >= l.Stalled && !s.Since.Before(c.MonLost.Add(-time.Minute)) {
			stalls = append(stalls, s)
		}
	}
	r := rule.Result{Severity: report.Warning, Since: c.MonLost, RestsOn: []string{node.SourceKmsg}, Hits: stalledHits(stalls)}
	all := len(in.Clients())
	who := human.Count(c.Hunting, "kernel client")
	if c.Hunting >= all && !c.MonBack.After(c.MonLost) { // otherwise another client, such as CephFS, has found a monitor
		who = "this node"
	}
	r.Summary = fmt.Sprintf("Ceph monitors cannot be reached: %s has had no monitor session since %s", who, human.Clock(c.MonLost))
	if c.Hunting > 1 && c.Hunting < all {
		r.Summary = fmt.Sprintf("Ceph monitors cannot be reached: %s have had no monitor session since %s", who, human.Clock(c.MonLost))
	}
	monEvidence(in, c, &r)
	switch {
	case len(stalls) > 0:
		r.RestsOn, r.Severity = append(r.RestsOn, node.SourceIO), stalled.severity(in, stalls)
		disks := fmt.Sprintf("; %s%s stalled for %s", human.AllOf(len(stalls), len(in.Mapped.Value), "krbd disk"),
			in.GuestsOn(facts.Devices(stalls)).In(), human.Span(stalls[0].For))
		r.Summary = rule.Summary(r.Summary+disks, "Ceph monitors cannot be reached since "+human.Clock(c.MonLost)+disks)
		r.Evidence = append(r.Evidence, stallEvidence(in, stalls)...)
	case in.Blind(node.SourceIO) != nil:
		r.Summary += "; whether krbd I/O continues is unknown"
	default:
		r.Summary += "; open sessions continue until the map changes"
	}
	attribution := attribute(in, &r)
	if c.Refusal != nil {
		attribution = "the monitors refuse this client"
		r.Evidence = append(r.Evidence, rule.FactAt(node.SourceKmsg, "mon", "the monitors refuse this client: "+c.Refusal.Text,
			c.Refusal.Last))
		r.Advice = append(authAdvice(), r.Advice...)
	}
	if attribution != "" {
		r.Summary = rule.Summary(r.Summary+"; "+attribution, r.Summary)
	}
	return r, true
}

func monEvidence(in rule.Input, c facts.Cluster, r *rule.Result) {
	if c.Hunting == 0 {
		return
	}
	r.Evidence = append(r.Evidence, rule.FactAt(node.SourceKmsg, "mon",
		fmt.Sprintf("%s without a monitor session, latest loss at %s", human.Count(c.Hunting, "kernel client"),
			human.Clock(c.MonLost)), c.MonLost))
	if in.Kernel.LostAt.After(c.MonLost) {
		r.Against = append(r.Against, rule.FactAt(node.SourceKmsg, "mon",
			"kernel log records have been lost since; a \"session established\" may have been among them", in.Kernel.LostAt))
	}
}

// librbd checks a node without krbd whose guests use librbd: nodewatch-ceph queries
// the cluster over the same network.
func (l *unreachableLimits) librbd(in rule.Input) []rule.Result {
	err := in.Blind(node.SourceCeph)
	if err == nil || err.Kind != node.Failed && err.Kind != node.Stalled || in.Snapshot.Cluster.At.IsZero() ||
		in.Now.Sub(err.Since) < time.Minute {
		return nil
	}
	var guests []string
	for i := range in.Guests {
		if slices.ContainsFunc(in.Guests[i].Disks, func(d rbd.Disk) bool { return d.Client == rbd.LibRBD }) {
			guests = append(guests, in.Guests[i].Name)
		}
	}
	if len(guests) == 0 {
		return nil
	}
	r := rule.Result{
		Severity: report.Warning, Impact: report.DegradedPerformance, Since: err.Since, RestsOn: []string{node.SourceLibvirt},
		Summary: fmt.Sprintf("Ceph has not answered this node for %s: %s with librbd disks depend on it (%s)",
			human.Span(in.Now.Sub(err.Since)), human.Count(len(guests), "VM"), human.Names(guests, 3)),
		Evidence: []report.Evidence{rule.FactAt(node.SourceCeph, "", "nodewatch-ceph: "+err.Text, err.Since)},
		Advice: append([]report.Advice{{Do: "Query the cluster from this host and from another one",
			Command: "ceph --connect-timeout 10 -s"}}, linkAdvice(in)...),
	}
	idle := true
	for _, n := range in.AllNICs() {
		idle = idle && n.Rx.Bits < 5e6
	}
	if idle && len(in.AllNICs()) > 0 && in.Blind(node.SourceNIC) == nil {
		r.Evidence = append(r.Evidence, in.Fact(node.SourceNIC, "", "the NICs receive almost nothing"))
	}
	return []rule.Result{r}
}

// mapLag is how long after the start of an outage the cluster's map may still show
// the OSDs as up: monitors wait for reports of other OSDs.
const mapLag = time.Minute

// attribute adds evidence that the fault is this host's or the cluster's, with the
// resulting steps, and returns the conclusion for the summary; empty if unknown.
func attribute(in rule.Input, r *rule.Result) string {
	cut := cutOff(in, r)
	asked := in.Blind(node.SourceCeph)
	health := report.Advice{Do: "Query the cluster from this host and from another one", Command: "ceph --connect-timeout 10 -s"}
	cluster := in.Snapshot.Cluster
	switch {
	case cut:
		r.Advice = linkAdvice(in)
		return "this host is disconnected: none of the links that carry krbd's traffic is up"
	case asked == nil && cluster.At.Before(r.Since):
		r.Against = append(r.Against, in.Fact(node.SourceCeph, "", "the cluster has not been queried since: its last answer is older"))
	case asked == nil:
		up, down := osdsByCluster(in)
		answers := fmt.Sprintf("the cluster answers this host (%s)", cluster.Value.Health.Status)
		if down > 0 && down >= up {
			r.Evidence = append(r.Evidence, in.Fact(node.SourceCeph, "", fmt.Sprintf("%s: %s down", answers, human.Count(down, "OSD"))))
			r.Advice = []report.Advice{health}
			return fmt.Sprintf("the cluster reports %s down: this host is not the cause", human.Count(down, "OSD"))
		}
		r.Evidence = append(r.Evidence, in.Fact(node.SourceCeph, "", answers))
		r.Advice = append(linkAdvice(in), health)
		if up > 0 && cluster.At.Sub(r.Since) > mapLag {
			return fmt.Sprintf("the cluster answers this host and reports %s up: check the path from here to the OSDs",
				human.Count(up, "OSD"))
		}
		return ""
	case asked.Kind == node.Absent || asked.Kind == node.Denied:
		r.Against = append(r.Against, rule.FactAt(node.SourceCeph, "",
			"unknown whether the cluster or this host is at fault: nodewatch is not configured to query the cluster", in.Now))
	default:
		r.Evidence = append(r.Evidence, rule.FactAt(node.SourceCeph, "",
			"the cluster does not answer nodewatch on this host either: "+asked.Text, asked.Since))
	}
	r.Advice = append([]report.Advice{health}, linkAdvice(in)...)
	return ""
}

// osdsByCluster returns the numbers of OSDs that are up and down, from the cluster's
// map or, if that is unavailable, from its health.
func osdsByCluster(in rule.Input) (up, down int) {
	c := in.Snapshot.Cluster.Value
	for _, o := range c.OSDMap.OSDs {
		switch {
		case o.Up:
			up++
		case o.In:
			down++
		}
	}
	if up+down > 0 {
		return up, down
	}
	for _, check := range c.Health.Checks {
		if check.Code == "OSD_DOWN" {
			down = check.Count
		}
	}
	return 0, down
}

// cutOff reports whether every link that carries krbd's traffic is down, and adds the
// state of the links.
func cutOff(in rule.Input, r *rule.Result) bool {
	if in.Blind(node.SourceBond) != nil {
		return false
	}
	up, all := 0, 0
	for _, name := range carriers(in) {
		text, is, known := linkState(in, name)
		if !known {
			continue
		}
		all++
		fact := in.Fact(node.SourceBond, name, text)
		if is {
			up++
			r.Against = append(r.Against, fact)
		} else {
			r.Evidence = append(r.Evidence, fact)
		}
	}
	return all > 0 && up == 0
}

// linkState describes the state of a bond or NIC, and returns whether it is up and
// whether its state is known.
func linkState(in rule.Input, name string) (text string, up, known bool) {
	if b, found := in.BondNamed(name); found {
		links := 0
		for _, s := range b.Slaves {
			if !facts.LinkDown(s) {
				links++
			}
		}
		return fmt.Sprintf("%s has %d of %s with link", name, links, human.Count(len(b.Slaves), "slave")), links > 0, true
	}
	for _, n := range in.Links.Value.NICs {
		if n.Name == name {
			if n.Up {
				return name + " is up", true, true
			}
			return name + " has no link", false, true
		}
	}
	return "", false, false
}
