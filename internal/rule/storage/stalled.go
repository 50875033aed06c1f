package storage

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/cause"
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type stalledLimits struct {
	Stalled time.Duration `json:"stalled" doc:"how long a device has requests in flight without completing any" min:"3s" max:"10m"`
	Request time.Duration `json:"request" doc:"how long a single request waits for its OSD" min:"3s" max:"10m"`
	Queue   time.Duration `json:"queue" doc:"time per request, at the current completion rate, at which a device that completes some requests counts as stalled" min:"5s" max:"10m"`
	Long    time.Duration `json:"long" doc:"how long a single device is stalled until it is critical" min:"5s" max:"1h"`
	Spread  float64       `json:"spread" doc:"share of all devices that must be stalled to be critical; at least two, unless there is only one" min:"0.01" max:"1"`
	Major   float64       `json:"major" doc:"deprecated, no effect: half of the running guests make a major outage" min:"0.05" max:"1"`
}

func newStalledLimits() *stalledLimits {
	return &stalledLimits{Stalled: 10 * time.Second, Request: 10 * time.Second, Queue: 30 * time.Second, Long: time.Minute,
		Spread: 0.1, Major: 0.5}
}

// StalledAfter returns how long a krbd device must have had requests in flight without
// a completion to be shown as stalled: krbd-stalled's threshold, or its default if
// that rule is disabled.
func StalledAfter(rules rule.RuleSet) time.Duration {
	if r, on := rules.Rule("krbd-stalled"); on {
		if limits, are := r.Limits.(*stalledLimits); are {
			return limits.Stalled
		}
	}
	return newStalledLimits().Stalled
}

func krbdStalled(limits *stalledLimits) rule.Rule {
	return rule.Rule{
		ID:            "krbd-stalled",
		Title:         "krbd I/O is stalled",
		Component:     report.ComponentStorage,
		Severity:      "warning, critical",
		Impact:        "by the guests whose disks are stalled: major_outage at once if at least half of them, partial_outage after 30 s if fewer",
		Needs:         []string{node.SourceIO},
		KeepFiringFor: rule.Always(20 * time.Second), // requests that wait for one bad OSD complete occasionally
		Explains:      []string{"krbd-slow", "host-io-pressure"},
		Limits:        limits, // no For: the thresholds above replace it
		About: "A krbd disk has requests in flight and the block layer's counters show no completion for 10 s; or so few complete that each request takes 30 s; or debugfs osdc shows the same request waiting for 10 s although other I/O of the disk continues, as with one bad OSD. Watches and notifies do not count; they wait by design. " +
			"krbd never returns an error for this, so libvirt, QEMU and the guest's counters show nothing. A guest's SCSI disks time out after 30 s and its filesystems may then turn read-only; virtio-blk waits indefinitely. " +
			"A warning for a few disks; critical if a tenth of all disks are stalled, or one disk for a minute. " +
			"The remedy depends on what the requests are waiting for, which the finding names where it can: one OSD, a full cluster, a path that loses large packets, a CRUSH rule without an OSD, OSDs that are down.",
		Do: []string{
			"Check what the requests are waiting for: the finding names the OSDs if osdc can be read.",
			"Check the cluster's health: full, slow or inactive placement groups also block requests.",
			"Do not unmap the devices or kill the guests' processes: both block until the I/O completes.",
		},
		Check: func(in rule.Input) []rule.Result {
			stalls := limits.of(in)
			if len(stalls) == 0 {
				return nil
			}
			return []rule.Result{limits.result(in, stalls)}
		},
	}
}

// of returns the stalls that are long enough.
func (l *stalledLimits) of(in rule.Input) []*facts.Stall {
	var stalls []*facts.Stall
	for _, s := range in.Stalls() {
		byDisk := s.Disk != nil && s.For >= l.Stalled && (!s.Crawls || s.Disk.QueueTime() >= l.Queue)
		if byDisk || len(s.Waits) > 0 && in.Pending.At.Sub(s.Waits[0].Since) >= l.Request {
			stalls = append(stalls, s)
		}
	}
	return stalls
}

// severity returns how urgent stalls are: critical at once if there are many, after a
// while if there are few.
func (l *stalledLimits) severity(in rule.Input, stalls []*facts.Stall) report.Severity {
	n, all := len(facts.Devices(stalls)), len(in.Mapped.Value)
	since := in.Now
	for _, s := range stalls {
		since = facts.Earlier(since, s.Since)
	}
	if (n > 1 || all == 1) && n > 0 && float64(n) >= l.Spread*float64(all) || n > 0 && in.Now.Sub(since) >= l.Long {
		return report.Critical
	}
	return report.Warning
}

func (l *stalledLimits) result(in rule.Input, stalls []*facts.Stall) rule.Result {
	devices := facts.Devices(stalls)
	since, requests, rests := in.Now, 0, []string(nil)
	byDisk, byOSDC := false, false
	for i := range stalls {
		since = facts.Earlier(since, stalls[i].Since)
		requests += len(stalls[i].Waits)
		byDisk, byOSDC = byDisk || stalls[i].Disk != nil, byOSDC || stalls[i].Disk == nil
	}
	if byDisk {
		rests = append(rests, node.SourceIO)
	}
	if byOSDC {
		rests = append(rests, node.SourceOSDC)
	}
	all, n := len(in.Mapped.Value), len(devices)
	a := cause.OfStall(in.Facts, stalls)
	r := rule.Result{Severity: l.severity(in, stalls), Hits: stalledHits(stalls), Ended: ended(stalls), RestsOn: rests, Since: since,
		Cause: a.Concluded()}
	reason := ""
	if osd, one := onlyOSD(stalls); one {
		reason = "; all pending requests are waiting for " + osd
	} else if text := a.String(); text != "" {
		reason = "; " + text
	} else if n := mostResends(stalls); n >= 3 {
		reason = fmt.Sprintf("; requests are resent repeatedly, up to %s times so far", human.Number(n))
	}
	what := fmt.Sprintf("%s%s stalled for %s", human.Capital(human.AllOf(n, all, "krbd disk")), in.GuestsOn(devices).In(),
		human.Span(in.Now.Sub(since)))
	r.Summary = rule.Summary(what+": "+in.DiskNames(devices)+reason, what+": "+human.Names(devices, 3)+reason, what+reason)
	if n == 0 {
		r.Summary = fmt.Sprintf("%s of an unmapped image (a clone's parent?) stalled for %s%s", human.Count(requests, "request"),
			human.Span(in.Now.Sub(since)), reason)
	}
	evidence, against := causeEvidence(a)
	r.Evidence = append(append(stallEvidence(in, stalls), evidence...), lossesBeside(in)...)
	r.Evidence = append(append(r.Evidence, lockEvidence(in, devices)...), loadEvidence(in)...)
	r.Against = against
	l.unknowns(in, stalls, a, &r)
	for _, c := range a.Likely() {
		r.Advice = append(r.Advice, l.causeAdvice(in, c, stalls)...)
	}
	r.Advice = distinct(append(append(r.Advice, askCluster), linksAdvice(in, carriersOf(in, devices))...))
	return r
}

// causeAdvice returns what to do about a cause of a stall.
func (l *stalledLimits) causeAdvice(in rule.Input, c cause.Cause, stalls []*facts.Stall) []report.Advice {
	if c == cause.OneOSD {
		if osd, one := onlyOSD(stalls); one {
			o := facts.OSDLosses{OSD: osd}
			return []report.Advice{{Do: fmt.Sprintf("Check %s: its host, its disk, its slow requests", osd),
				Command: rule.ShellCommand("ceph --connect-timeout 10 osd find %s; ceph --connect-timeout 10 health detail", o.ID())}}
		}
		return nil
	}
	return causeAdvice(in, c, in.SessionLosses(time.Minute).OSDs, nil)
}

// onlyOSD returns the OSD that all pending requests wait for, if osdc shows the
// requests of most stalled devices and there is only one such OSD.
func onlyOSD(stalls []*facts.Stall) (osd string, one bool) {
	covered := 0
	for i := range stalls {
		if len(stalls[i].Waits) > 0 {
			covered++
		}
		for _, w := range stalls[i].Waits {
			name := facts.OSDName(w.Request.OSD)
			if w.Request.OSD < 0 || osd != "" && osd != name {
				return "", false
			}
			osd = name
		}
	}
	return osd, osd != "" && 2*covered >= len(stalls)
}

// mostResends returns how often one of the requests has been resent while it was
// watched, at most.
func mostResends(stalls []*facts.Stall) int {
	most := 0
	for i := range stalls {
		most = max(most, stalls[i].Resends())
	}
	return most
}

// lossesBeside describes sessions that are lost or refused at the same time, for any
// reason.
func lossesBeside(in rule.Input) []report.Evidence {
	losses := in.SessionLosses(time.Minute)
	return lossEvidence(losses, losses.OSDs)
}

// lockEvidence describes exclusive locks that the kernel log mentioned recently.
func lockEvidence(in rule.Input, devices []string) []report.Evidence {
	var list []report.Evidence
	for _, s := range in.Kernel.Of(kmsg.RBDLock) {
		if in.Now.Sub(s.Last) < 10*time.Minute && len(list) < most && slices.Contains(devices, s.Device) {
			list = append(list, rule.FactAt(node.SourceKmsg, s.Device, s.Text, s.Last))
		}
	}
	return list
}

// unknowns adds what is unknown, and evidence against a network fault.
func (l *stalledLimits) unknowns(in rule.Input, stalls []*facts.Stall, a cause.Analysis, r *rule.Result) {
	if in.Blind(node.SourceOSDC) != nil {
		r.Against = append(r.Against, rule.FactAt(node.SourceOSDC, "",
			"OSDs that the requests are waiting for unknown: osdc cannot be read", in.Now))
	}
	last := in.LastLoss()
	quiet := in.Now.Sub(last) > 5*time.Minute && !last.After(stalls[0].Since.Add(-time.Minute))
	if quiet && len(in.Kernel.Of(kmsg.NoOSD)) == 0 && a.Concluded() == cause.Unknown && in.Blind(node.SourceKmsg) == nil {
		r.Against = append(r.Against, in.Fact(node.SourceKmsg, "", "libceph has logged nothing about OSD sessions in the last 5 min"))
	}
}
