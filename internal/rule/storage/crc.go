package storage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/cause"
	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func libcephCRC() rule.Rule {
	limits := &struct {
		Faults   int           `json:"faults" doc:"faults of all OSDs together, within window, from which the finding is raised" min:"1" max:"10000"`
		Degraded int           `json:"degraded" doc:"faults in a series that has lasted 10 s, without a gap of 20 s, from which the impact is degraded performance" min:"1" max:"100000"`
		Critical int           `json:"critical" doc:"faults within a minute, in a series that has lasted 10 s, that make the finding critical even if I/O does not stall" min:"2" max:"1000000"`
		Window   time.Duration `json:"window" doc:"time window for faults" min:"10s" max:"10m"`
	}{1, 10, 300, 5 * time.Minute}
	return rule.Rule{
		ID:            "libceph-crc",
		Title:         "Ceph sessions are lost because of checksum errors",
		Component:     report.ComponentStorage,
		Severity:      "info, warning, critical",
		Impact:        "operational for a few faults, because I/O continues after each; degraded_performance for many, because each resends all requests to an OSD. krbd-stalled or krbd-retry-storm reports stalled I/O",
		Needs:         []string{node.SourceKmsg},
		KeepFiringFor: rule.Timing{Critical: 20 * time.Second},
		Explains:      []string{"nic-errors", "krbd-no-rxbounce"},
		Limits:        limits,
		About: "A reply of an OSD failed its checksum (or, in msgr2's secure mode, its authentication tag), and the kernel gave up the session: libceph's lines \"bad crc/signature\" and \"integrity error\" of the last 5 minutes. " +
			"After each fault the kernel reconnects at once and resends every in-flight request to that OSD: a retry storm begins with this line. Info for a few faults, kept for two hours so that one fault per hour is a single finding; warning for 2 or more; critical for 300 or more in a minute that have continued for 10 s, which is a loop, until 20 s pass without a fault. If I/O stalls as well, krbd-retry-storm or layer2-bond-krbd is raised before that and explains this finding. Faults logged before nodewatch started are reported for a day. " +
			"The network is usually not the cause, because TCP and Ethernet checksums would have caught corruption: the buffer changed while the kernel used it. The known trigger is a Windows guest on a krbd disk that is mapped without rxbounce; others are bad memory, a NIC's or driver's offload, and a bad cable, which shows in rx_crc_errors. " +
			"A failure of data sent to an OSD is logged by the OSD, not on this host; it is reported as libceph-session-loop.",
		Do: []string{
			"Check whether the faults come from one OSD (check that OSD) or from many (check this host).",
			"Map the disks of Windows guests again with rxbounce, or move them to librbd.",
			"If rx_crc_errors of a NIC also rise, check the cable, optics and switch port.",
		},
		Check: func(in rule.Input) []rule.Result {
			losses := in.SessionLosses(limits.Window)
			osds := make([]*facts.OSDLosses, 0, len(losses.OSDs))
			n, tags, last := uint64(0), uint64(0), time.Time{}
			for i := range losses.OSDs {
				o := losses.OSDs[i]
				if of := o.Of(kmsg.ReasonCRC, kmsg.ReasonAuthTag); of > 0 {
					osds = append(osds, o)
					n, tags, last = n+of, tags+o.Of(kmsg.ReasonAuthTag), facts.Later(last, o.Last())
				}
			}
			if n < uint64(limits.Faults) {
				return earlierFaults(in)
			}
			slices.SortStableFunc(osds, func(a, b *facts.OSDLosses) int { return int(min(b.All(), 1<<30)) - int(min(a.All(), 1<<30)) })
			noun := "CRC fault"
			if 2*tags > n {
				noun = "failed authentication tag"
			}
			r := rule.Result{
				Severity: report.Info,
				Summary: fmt.Sprintf("%s in the last %s ended sessions with %s, latest at %s", human.Count(n, noun),
					human.Span(limits.Window), osdsText(osds), human.Clock(last)),
				Evidence: lossEvidence(losses, osds),
				Explains: []string{},
			}
			r.Evidence = append(r.Evidence, in.Fact(node.SourceKmsg, "", "each lost session resends every in-flight request to that OSD"))
			if n >= 2 {
				r.Severity = report.Warning
			}
			if run, continues := runOf(in); continues {
				lasts := in.Now.Sub(run.first) >= loopAge
				if !run.felt && lasts && n >= uint64(limits.Degraded) {
					run.felt = faultsWithin(in, min(in.Now.Sub(run.began).Truncate(time.Second), limits.Window)) >= uint64(limits.Degraded)
				}
				if run.felt {
					r.Impact = report.DegradedPerformance
				}
				// Lost sessions are detected even if the kernel log cannot be read. If the
				// disks that stalled with them complete requests again, customers no longer
				// notice the fault.
				if stalls := in.Stalls(); len(stalls) > 0 {
					r.Ended, r.Remains = ended(stalls), r.Severity
				}
				if lasts && faultsWithin(in, time.Minute) >= uint64(limits.Critical) {
					r.Severity = report.Critical
				}
				r.State = run
			}
			a := cause.OfLoop(in.Facts, cause.Loop{First: osds[0].Last().Add(-limits.Window), Losses: losses, OSDs: osds,
				Before: []cause.Evidence{}})
			if a.Supports(cause.Wire) {
				r.Explains = corruptedNICs(in)
			}
			if a.Supports(cause.UnstableBuffers) {
				r.Explains = append(r.Explains, "")
			}
			evidence, against := causeEvidence(a)
			r.Evidence, r.Against, r.Cause = append(r.Evidence, evidence...), against, a.Concluded()
			if in.Blind(node.SourceIO) == nil && len(in.IO) > 0 && len(in.Stalls()) == 0 {
				r.Against = append(r.Against, in.Fact(node.SourceIO, "", fmt.Sprintf("krbd I/O continues: of %s none is stalled",
					human.Count(len(in.IO), "krbd disk"))))
			}
			for _, c := range a.Likely() {
				r.Advice = append(r.Advice, causeAdvice(in, c, osds, nil)...)
			}
			if r.Advice = append(r.Advice, bounceAdvice(in, in.Exposure())...); len(r.Advice) == 0 {
				r.Advice = append(r.Advice, compareNodes)
			}
			r.Advice = distinct(append(r.Advice,
				report.Advice{Do: "Watch the faults as they occur",
					Command: "journalctl -kf --grep 'libceph: .*(bad crc|bad data crc|integrity error)'"}))
			return []rule.Result{r}
		},
	}
}

// justNow is how long faults count as continuing after the latest one: longer than
// the 15 s of the slowest loop.
const justNow = 20 * time.Second

// loopAge is how long a run of faults must last to be a loop by itself. The faults of a
// retry storm stall I/O within that time, and then the storm is the main finding.
const loopAge = 10 * time.Second

// A faultRun is a series of faults with gaps of less than 20 s. A fault after the end
// of a storm begins a new run.
type faultRun struct {
	first time.Time // first observation
	began time.Time // start of the run
	felt  bool      // enough faults for customers to notice
}

// runOf returns the run that the latest fault belongs to, and whether it continues.
func runOf(in rule.Input) (run faultRun, continues bool) {
	if in.Now.Unix()-lastFault(in).Unix() >= int64(justNow/time.Second) {
		return faultRun{}, false
	}
	if was, raised := rule.StateOf[faultRun](in, ""); raised && !was.began.IsZero() {
		return was, true
	}
	return faultRun{first: in.Now, began: in.Now.Add(-justNow)}, true
}

// faultsWithin returns the number of faults in the last d.
func faultsWithin(in rule.Input, d time.Duration) uint64 {
	n := uint64(0)
	for _, o := range in.SessionLosses(d).OSDs {
		n += o.Of(kmsg.ReasonCRC, kmsg.ReasonAuthTag)
	}
	return n
}

// lastFault returns when the latest fault was logged while nodewatch was running;
// zero: none was.
func lastFault(in rule.Input) time.Time {
	var last time.Time
	for _, class := range []kmsg.Class{kmsg.CRC, kmsg.Integrity} {
		for _, s := range in.Kernel.Of(class) {
			if s.Total > 0 && strings.HasPrefix(s.Peer, "osd") {
				last = facts.Later(last, s.Last)
			}
		}
	}
	return last
}

// earlierFor is how long faults are reported after the latest one, so that one fault
// per hour is a single finding.
const earlierFor = 2 * time.Hour

// earlierFaults reports past faults, including those logged before nodewatch started.
func earlierFaults(in rule.Input) []rule.Result {
	n, last := uint64(0), (*node.Series)(nil)
	for _, class := range []kmsg.Class{kmsg.CRC, kmsg.Integrity} {
		for _, s := range in.Kernel.Of(class) {
			if s.Total > 0 && in.Now.Sub(s.Last) < earlierFor && strings.HasPrefix(s.Peer, "osd") {
				if n += s.Total; last == nil || s.Last.After(last.Last) {
					last = s
				}
			}
		}
	}
	evidence := history(in)
	follow := []report.Advice{{Do: "Read them: past faults are the best warning of the next storm",
		Command: "journalctl -k --grep 'libceph: .*(bad crc|bad data crc|integrity error)'"}}
	switch {
	case last != nil:
		fact := fmt.Sprintf("%s since nodewatch started, latest with %s at %s: %s", human.Count(n, "CRC fault"), last.Peer,
			human.Clock(last.Last), last.Text)
		return []rule.Result{{
			Severity: report.Info,
			Summary: fmt.Sprintf("%s, none in the last %s; latest with %s at %s", human.Count(n, "CRC fault"),
				human.Span(in.Now.Sub(last.Last).Truncate(time.Minute)), last.Peer, human.Clock(last.Last)),
			Evidence: append([]report.Evidence{rule.FactAt(node.SourceKmsg, last.Peer, fact, last.Last)}, evidence...),
			Advice:   append(bounceAdvice(in, in.Exposure()), follow...),
		}}
	case len(evidence) > 0:
		return []rule.Result{{Severity: report.Info, Summary: "CRC faults before nodewatch started: " + evidence[0].Fact,
			Evidence: evidence, Advice: follow}}
	}
	return nil
}

// history reports CRC faults of the last day that were logged before nodewatch started.
func history(in rule.Input) []report.Evidence {
	n, osds, last := uint64(0), 0, time.Time{}
	for _, class := range []kmsg.Class{kmsg.CRC, kmsg.Integrity} {
		for _, s := range in.Kernel.Of(class) {
			if s.History > 0 && s.Total == 0 && in.Now.Sub(s.Last) < 24*time.Hour {
				n, osds, last = n+s.History, osds+1, facts.Later(last, s.Last)
			}
		}
	}
	if n < 2 {
		return nil
	}
	return []report.Evidence{rule.FactAt(node.SourceKmsg, "", fmt.Sprintf("%s of %s in the kernel log, latest at %s: an earlier storm?",
		human.Count(n, "CRC fault"), human.Count(osds, "OSD"), human.Clock(last)), last)}
}
