package cause

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// quiet is how long no session must have been lost for the sessions to be reported as
// quiet.
const quiet = 5 * time.Minute

// OfStall weighs the causes of I/O that makes no progress without a session loop.
func OfStall(f *facts.Facts, stalls []*facts.Stall) Analysis {
	all := map[Cause][]Evidence{}
	add := func(c Cause, list ...Evidence) { all[c] = append(all[c], list...) }
	since := f.Now
	for i := range stalls {
		since = facts.Earlier(since, stalls[i].Since)
	}
	if f.FullSince(since) {
		c := f.Cluster()
		if c.Full != "" {
			add(ClusterFull, evidenceAt(node.SourceCeph, "", f.Snapshot.Cluster.At, 6,
				"%s is full: writes wait until space is freed", c.Full))
		} else {
			add(ClusterFull, evidenceAt(node.SourceKmsg, "", c.FullAt, 6,
				"the kernel logged at %s that the cluster or a pool is full: writes wait until space is freed", human.Clock(c.FullAt)))
		}
	}
	noOSD(f, since, add)
	locked(f, stalls, since, add)
	waitsFor(f, stalls, add)
	down(f, add)
	losses := f.SessionLosses(time.Minute)
	l := Loop{Losses: losses, OSDs: make([]*facts.OSDLosses, 0, len(losses.OSDs)), Stalls: stalls}
	for i := range losses.OSDs {
		if losses.OSDs[i].Broken()+losses.OSDs[i].Ended()+losses.OSDs[i].Refused() > 0 {
			l.OSDs = append(l.OSDs, losses.OSDs[i])
		}
	}
	l.refusals(add)
	l.memory(f, add)
	corruptedFrames(f, add)
	mtu(f, stalls, add)
	return weigh(all)
}

// noOSD weighs whether the kernel finds no OSD to send requests to.
func noOSD(f *facts.Facts, since time.Time, add func(Cause, ...Evidence)) {
	for _, s := range f.Kernel.Of(kmsg.NoOSD) {
		if !s.Last.Before(since.Add(-time.Minute)) {
			add(NoOSD, evidenceAt(node.SourceKmsg, "", s.Last, 5, "CRUSH maps no OSD, so requests are not sent: %s", s.Text))
			return
		}
	}
}

// locked weighs whether the waiting images wait for their exclusive lock.
func locked(f *facts.Facts, stalls []*facts.Stall, since time.Time, add func(Cause, ...Evidence)) {
	of := map[string]*node.Series{}
	for _, s := range f.Kernel.Of(kmsg.RBDLock) {
		if !s.Last.Before(since.Add(-time.Minute)) && (of[s.Device] == nil || of[s.Device].Last.Before(s.Last)) {
			of[s.Device] = s
		}
	}
	var list []Evidence
	for i := range stalls {
		if s := of[stalls[i].Device]; s != nil && s.Device != "" {
			list = append(list, evidenceAt(node.SourceKmsg, s.Device, s.Last, 0, "%s waits for its exclusive lock: %s", s.Device, s.Text))
		}
	}
	if 2*len(list) >= len(stalls) && len(list) > 0 {
		list[0].Weight = 5
		add(Lock, list[:min(len(list), 3)]...)
	}
}

// waitsFor weighs which OSDs the requests wait for, if osdc shows it.
func waitsFor(f *facts.Facts, stalls []*facts.Stall, add func(Cause, ...Evidence)) {
	osds, requests, covered, paused := map[int]int{}, 0, 0, 0
	for i := range stalls {
		if len(stalls[i].Waits) > 0 {
			covered++
		}
		for _, w := range stalls[i].Waits {
			requests++
			osds[w.Request.OSD]++
			if w.Request.Paused {
				paused++
			}
		}
	}
	switch {
	case requests == 0 || 2*covered < len(stalls):
	case paused > 0:
		add(ClusterFull, evidenceAt(node.SourceOSDC, "", f.Pending.At, 4,
			"%s paused: the cluster or a pool is full, or a flag pauses reads or writes", human.Count(paused, "request")))
	case len(osds) == 1:
		for osd := range osds {
			switch {
			case osd >= 0:
				add(OneOSD, evidenceAt(node.SourceOSDC, facts.OSDName(osd), f.Pending.At, 4, "all pending requests (%s) are waiting for %s",
					human.Number(requests), facts.OSDName(osd)))
			default:
				add(NoOSD, evidenceAt(node.SourceOSDC, "", f.Pending.At, 3, "%s with no OSD mapped", human.Count(requests, "request")))
			}
		}
	default:
		add(OneOSD, evidenceAt(node.SourceOSDC, "", f.Pending.At, -4, "pending requests are waiting for %s", human.Count(len(osds), "OSD")))
	}
}

// down weighs which OSDs are down or have changed recently.
func down(f *facts.Facts, add func(Cause, ...Evidence)) {
	c := f.Cluster()
	if n := len(c.Down); n > 0 {
		weight := 1
		if 2*n >= len(c.OSDs) && n > 1 {
			weight = 4
		}
		add(ClusterDown, evidenceAt(node.SourceKmsg, "", f.Now, weight, "%s down in the kernel's OSD map: %s", human.Count(n, "OSD"),
			names(c.Down)))
	}
	if n := len(c.Changes); n > 0 {
		flips, worst := map[string]int{}, c.Changes[n-1].OSD
		for _, m := range c.Changes {
			flips[m.OSD]++
			if flips[m.OSD] > flips[worst] {
				worst = m.OSD
			}
		}
		add(OneOSD, evidenceAt(node.SourceKmsg, worst, c.Changes[n-1].At, min(flips[worst]/2, 4),
			"%s changed between up and down %s in %s%s", worst, human.Count(flips[worst], "time"), human.Span(10*time.Minute),
			more(len(flips)-1)))
	}
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s", human.Count(n, "other OSD"))
}

// mtu weighs whether only large requests are lost: small ones complete, the waiting
// requests are for many OSDs, no session is lost, and no NIC is busy.
func mtu(f *facts.Facts, stalls []*facts.Stall, add func(Cause, ...Evidence)) {
	osds, completing := map[int]bool{}, 0
	for i := range stalls {
		for _, w := range stalls[i].Waits {
			osds[w.Request.OSD] = true
		}
		if d, known := f.DiskIO(stalls[i].Device); known && d.Completed > 0.1 && d.StalledFor() < facts.MinStall {
			completing++
		}
	}
	if len(f.SessionLosses(time.Minute).OSDs) > 0 && f.Now.Sub(f.LastLoss()) < quiet && len(osds) < 2 {
		return
	}
	if completing < 2 || len(osds) == 1 {
		return
	}
	nics, _ := f.StorageNICs()
	for _, n := range nics {
		if n.Rx.Full || n.Tx.Full {
			return
		}
	}
	add(PathMTU, evidenceAt(node.SourceIO, "", f.Now, 3,
		"%s complete some requests while requests to more than one OSD hang, and no storage NIC is saturated: large packets may be lost on the path", human.Count(completing, "krbd disk")))
}
