package legacy

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type unreachableLimits struct {
	Mons    time.Duration `json:"mons" doc:"how long no monitor session has been established since one was lost" min:"5s" max:"10m"`
	Stalled time.Duration `json:"stalled" doc:"how long no request of any krbd device has completed while some are in flight" min:"3s" max:"10m"`
	Window  time.Duration `json:"window" doc:"how far back failed connections count; the kernel tries again after at most 15 s, before 5.11 after at most 5 min" min:"30s" max:"10m"`
	Share   float64       `json:"share" doc:"share of the known OSDs that no connection can be made to" min:"0.1" max:"1"`
}

func cephUnreachable() Rule {
	limits := &unreachableLimits{Mons: 20 * time.Second, Stalled: 10 * time.Second, Window: 2 * time.Minute, Share: 0.5}
	return Rule{
		ID:        "ceph-unreachable",
		Title:     "Ceph cannot be reached from this node",
		Component: Storage,
		Severity:  "warning, critical",
		Impact:    "major_outage when no krbd I/O completes; operational when only the monitors are lost, as open sessions with OSDs go on until the map changes",
		Needs:     []string{node.SourceKmsg, node.SourceIO},
		Hold:      5 * time.Second,  // a quiet disk completes a request now and then: one at any time denies it
		Keep:      20 * time.Second, // sessions come back one by one
		Limits:    limits,
		About: "Either every monitor session is lost and none has been established for 20 s (libceph's \"session lost, hunting for new mon\" without a later \"session established\"), or the OSDs are gone: at least half of the known ones are down or the kernel's connections to them fail, and no request of any krbd device has completed for 10 s. " +
			"Either this host has lost its way to the cluster, or the cluster is gone. The finding says which, where it can: what the cluster itself says through nodewatch-ceph, and whether the bond that carries krbd's traffic has a link. " +
			"It is not a retry storm: sessions that were never opened are tried again with a back-off, and nothing is sent.",
		Do: []string{
			"Ask the cluster from another host. If it is gone, this host is not at fault: krbd waits and goes on by itself when it is back.",
			"If the cluster is well, look at this host's links, routes and firewall, and at the MTU of the storage network.",
			"Do not unmap, and do not reboot guests in a hurry: what waits is not lost.",
		},
		Check: func(in Input) []report.Finding {
			if len(in.Mapped.Value) == 0 {
				return nil
			}
			was, raised := in.Was("")
			r := reachOf(in, limits, raised && was.Impact == report.MajorOutage)
			if !r.mons && !r.osds {
				return nil
			}
			return []report.Finding{r.finding(in)}
		},
	}
}

// A reach is what this node can reach of the cluster.
type reach struct {
	mons     bool // no monitor session is established
	monsLost time.Time
	osds     bool     // the OSDs cannot be reached
	gone     []string // OSDs that are down or that no connection can be made to
	failing  []faults // of them, those that no connection can be made to
	known    int      // OSDs
	tally    tally
	stalled  []*node.DiskIO
	still    bool // no request of any device completes
}

// reachOf looks at the monitors' sessions and at the OSDs'. An outage lasts while
// nothing completes, as the kernel tries ever more seldom.
func reachOf(in Input, l *unreachableLimits, outage bool) reach {
	r := reach{stalled: stalledDisks(in, l.Stalled), monsLost: monsLost(in)}
	r.mons = !r.monsLost.IsZero() && in.Now.Sub(r.monsLost) >= l.Mons
	r.still = len(r.stalled) > 0 && nothingCompletes(in, l.Stalled)
	if !r.still {
		return r
	}
	r.tally = tally{others: []kmsg.Class{kmsg.ConnectError, kmsg.Closed}, window: l.Window, noun: "failed connection"}
	r.failing = r.tally.every(in)
	gone := downNow(in)
	for _, f := range r.failing {
		gone[f.osd] = true
	}
	if len(gone) == 0 {
		r.osds = outage
		return r
	}
	osds, _ := knownOSDs(in)
	for osd := range gone {
		osds[osd] = true
	}
	r.gone, r.known = slices.SortedFunc(maps.Keys(gone), byNumber), len(osds)
	all := float64(len(r.gone)) >= l.Share*float64(r.known)
	r.osds = outage || all && (len(r.gone) > 1 || len(r.gone) == 1 && len(in.Cluster.Value.OSDMap.OSDs) == 1)
	return r
}

// monsLost is when a monitor session was lost, if none has been established since.
func monsLost(in Input) time.Time {
	lost := time.Time{}
	for _, s := range in.Kernel.Of(kmsg.MonLost) {
		lost = later(lost, s.Last)
	}
	for _, s := range in.Kernel.Of(kmsg.MonFound) {
		if !s.Last.Before(lost) {
			return time.Time{}
		}
	}
	return lost
}

// downNow are the OSDs whose latest change in the map was to go down, and with which
// there has been no session since: that one has come up is heard by no client that
// was gone by then, and its line may be lost.
func downNow(in Input) map[string]bool {
	changed := map[string]time.Time{}
	for _, s := range in.Kernel.Of(kmsg.OSDDown) {
		changed[s.Peer] = later(changed[s.Peer], s.Last)
	}
	for _, s := range in.Kernel.Of(kmsg.OSDUp) {
		if !s.Last.Before(changed[s.Peer]) {
			delete(changed, s.Peer)
		}
	}
	for _, class := range []kmsg.Class{kmsg.ClosedOpen, kmsg.CRC} {
		for _, s := range in.Kernel.Of(class) {
			if at, is := changed[s.Peer]; is && s.Last.Sub(at) > settle {
				delete(changed, s.Peer)
			}
		}
	}
	down := map[string]bool{}
	for osd := range changed {
		down[osd] = true
	}
	return down
}

// nothingCompletes reports whether no device completes anything: all requests in
// flight have been so for that long, and no other device completed one just now.
func nothingCompletes(in Input, least time.Duration) bool {
	for i := range in.IO {
		d := &in.IO[i]
		if d.IOPS > 0 || d.Last.InFlight() > 0 && d.Stuck() < least {
			return false
		}
	}
	return true
}

func (r reach) finding(in Input) report.Finding {
	f := report.Finding{Severity: report.Warning, Impact: report.Operational, Since: r.monsLost, Evidence: []report.Evidence{}}
	what := "no monitor session is established since " + clock(r.monsLost)
	if r.osds && len(r.gone) > 0 {
		what = fmt.Sprintf("%d of %s are down or refuse connections (%s)", len(r.gone), counted(r.known, "known OSD"), someOf(r.gone, 4))
		f.Evidence = append(f.Evidence, faultEvidence(r.failing, r.tally)...)
	} else if r.osds && !r.mons {
		what = "the sessions with the OSDs were lost"
	}
	if r.mons {
		f.Evidence = append(f.Evidence, factAt(node.SourceKmsg, "mon", "the latest monitor session was lost at "+clock(r.monsLost)+" and none has been established since", r.monsLost))
	}
	goes := "krbd I/O goes on with the OSDs' open sessions"
	if r.still {
		f.Severity, f.Impact = report.Critical, report.MajorOutage
		names := disksOf(r.stalled)
		goes = fmt.Sprintf("no krbd I/O completes: %s%s stalled for up to %s", counted(len(names), "krbd disk"), usersOf(in, names).of(), span(r.stalled[0].Stuck()))
		f.Evidence = append(f.Evidence, stallEvidence(in, r.stalled, nil)...)
		if f.Since.IsZero() || r.stalled[0].Moved.Before(f.Since) {
			f.Since = r.stalled[0].Moved
		}
	} else if in.Blind(node.SourceIO) != nil {
		goes = "whether krbd I/O goes on cannot be seen"
	}
	says := blame(in, &f)
	f.Summary = fmt.Sprintf("Ceph cannot be reached from this node: %s; %s", what, goes)
	if says != "" {
		f.Summary += "; " + says
	}
	if in.Kernel.LostAt.After(r.monsLost) && r.mons {
		f.Against = append(f.Against, factAt(node.SourceKmsg, "mon", "kernel log records were lost since: a \"session established\" may have been among them", in.Kernel.LostAt))
	}
	return f
}
