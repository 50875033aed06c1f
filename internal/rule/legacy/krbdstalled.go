package legacy

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type stalledLimits struct {
	Stalled time.Duration `json:"stalled" doc:"how long requests of a device are in flight without one completing" min:"3s" max:"10m"`
	Request time.Duration `json:"request" doc:"how long one and the same request waits for its OSD" min:"3s" max:"10m"`
	Long    time.Duration `json:"long" doc:"how long a device is stalled until it is critical even if it is alone" min:"5s" max:"1h"`
	Spread  float64       `json:"spread" doc:"share of all devices, at least two of them, that must be stalled to be critical" min:"0.01" max:"1"`
	Major   float64       `json:"major" doc:"share of the busy devices, at least two of them, that must be stalled for a major outage" min:"0.05" max:"1"`
}

func newStalledLimits() *stalledLimits {
	return &stalledLimits{Stalled: 10 * time.Second, Request: 10 * time.Second, Long: time.Minute, Spread: 0.1, Major: 0.5}
}

// StuckAfter is for how long a krbd device must have had requests in flight and none
// completed to be called stuck: krbd-stalled's threshold, or its default where that
// rule is off.
func StuckAfter(b rule.RuleSet) time.Duration {
	if r, on := b.Rule("krbd-stalled"); on {
		if limits, are := r.Limits.(*stalledLimits); are {
			return limits.Stalled
		}
	}
	return newStalledLimits().Stalled
}

func krbdStalled() Rule {
	limits := newStalledLimits()
	return Rule{
		ID:        "krbd-stalled",
		Title:     "krbd I/O stands still",
		Component: Storage,
		Severity:  "warning, critical",
		Impact:    "partial_outage, as the guests on these disks wait; major_outage when it is half of the busy disks or more",
		Needs:     []string{node.SourceIO},
		Keep:      20 * time.Second, // what waits for one bad OSD completes now and then
		Limits:    limits,           // no hold: the times above are holds
		About: "A krbd disk has requests in flight and none has completed for 10 s, by the block layer's counters; or debugfs osdc shows one and the same request waiting for 10 s, though other I/O of the disk goes on, as with one bad OSD. Watches and notifies, which wait by design, do not count. " +
			"krbd never returns an error for this, so libvirt, QEMU and the guest's own counters show nothing; a guest's SCSI disks give up after 30 s and its filesystems may then turn read-only, virtio-blk waits for ever. " +
			"A warning for a few disks; critical when a tenth of all disks stand still, or one for a minute. " +
			"What it waits for decides what to do: all on one OSD, that OSD; paused requests, a full cluster; sessions that are lost again and again, krbd-retry-storm; nothing that answers at all, ceph-unreachable.",
		Do: []string{
			"Look at what the requests wait for: the finding names the OSDs, where osdc can be read.",
			"Ask the cluster for its health: full, slow or inactive placement groups hold requests too.",
			"Do not unmap and do not kill the guests' processes: neither ends before the I/O does.",
		},
		Check: func(in Input) []report.Finding {
			disks := stalledDisks(in, limits.Stalled)
			krbd := map[uint64]bool{}
			for i := range in.Mapped.Value {
				krbd[in.Mapped.Value[i].ClientID] = true
			}
			waits := longWaits(in, func(w node.Wait) bool { return krbd[w.ClientID] && in.Pending.At.Sub(w.Since) >= limits.Request })
			if len(disks)+len(waits) == 0 {
				return nil
			}
			return []report.Finding{limits.judge(in, disks, waits)}
		},
	}
}

func (l *stalledLimits) judge(in Input, disks []*node.DiskIO, waits []node.Wait) report.Finding {
	devices, covered := withWaits(in, disksOf(disks), waits)
	since := in.Now
	for _, w := range waits {
		since = earlier(since, w.Since)
	}
	for _, d := range disks {
		since = earlier(since, d.Moved)
	}
	all, busy, n := len(in.Mapped.Value), max(busyDisks(in), 1), len(devices)
	f := report.Finding{Severity: report.Warning, Impact: report.PartialOutage, Since: since}
	if n > 1 && float64(n) >= l.Spread*float64(all) || in.Now.Sub(since) >= l.Long {
		f.Severity = report.Critical
	}
	if n > 1 && float64(n) >= l.Major*float64(busy) {
		f.Impact = report.MajorOutage
	}
	what := fmt.Sprintf("%s%s", counted(n, "krbd disk"), usersOf(in, devices).of())
	if n == 0 { // a clone's parent, or an image that is not mapped any more
		what = counted(len(waits), "request") + " of no mapped image"
	}
	f.Summary = fmt.Sprintf("no completion for up to %s on %s, of %d busy and %d in all: %s", span(in.Now.Sub(since)), what, busyDisks(in), all, stalledNames(in, devices))
	f.Evidence = append(stallEvidence(in, disks, waits), loadEvidence(in)...)
	l.reasons(in, waits, n, covered, &f)
	return f
}

// stalledNames names a few disks in full.
func stalledNames(in Input, devices []string) string {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = d
		if i < 3 {
			names[i] = diskName(in, d)
		}
	}
	return someOf(names, 3)
}

// oneOSDOf returns the OSD that all the requests wait for, if it is one.
func oneOSDOf(waits []node.Wait) (osd int, one bool) {
	for _, w := range waits {
		if w.Request.OSD < 0 || w.Request.OSD != waits[0].Request.OSD {
			return 0, false
		}
		osd = w.Request.OSD
	}
	return osd, len(waits) > 0
}

// reasons adds what the requests may wait for, and what to do. Of the devices,
// osdc covers some: what it shows of a few says nothing of the others.
func (l *stalledLimits) reasons(in Input, waits []node.Wait, devices, covered int, f *report.Finding) {
	if osd, one := oneOSDOf(waits); one && 2*covered >= devices {
		f.Summary += fmt.Sprintf("; what osdc shows of it all waits for osd%d", osd)
		f.Evidence = append(f.Evidence, in.fact(node.SourceOSDC, peerName(osd), fmt.Sprintf("%s long in flight, all at osd%d", counted(len(waits), "request"), osd)))
		f.Advice = append(f.Advice, report.Advice{Do: fmt.Sprintf("Look at osd%d: its host, its disk, its slow requests", osd), Command: paste("ceph osd find %s; ceph health detail", strconv.Itoa(osd))})
	}
	if clusterFull(in, 10*time.Minute) {
		f.Summary += "; the cluster or a pool is full"
		f.Evidence = append(f.Evidence, factAt(node.SourceKmsg, "", "the cluster or a pool is full: writes wait until there is room", in.Now))
	}
	if down := downNow(in); len(down) > 0 {
		f.Evidence = append(f.Evidence, in.fact(node.SourceKmsg, "", fmt.Sprintf("%s down by the kernel's map", counted(len(down), "OSD"))))
	}
	if last := lastLine(in, kmsg.CRC, kmsg.ClosedOpen, kmsg.SocketError, kmsg.Closed, kmsg.ConnectError); in.Now.Sub(last) > 5*time.Minute && in.Blind(node.SourceKmsg) == nil {
		f.Against = append(f.Against, in.fact(node.SourceKmsg, "", "libceph has logged no lost session in the last 5 min: the sessions stand, the OSDs do not answer"))
	}
	if in.Blind(node.SourceOSDC) != nil {
		f.Against = append(f.Against, factAt(node.SourceOSDC, "", "which OSDs the requests wait for cannot be told: osdc cannot be read", in.Now))
	}
	f.Advice = append(f.Advice, report.Advice{Do: "Ask the cluster for full, slow and inactive parts", Command: "ceph --connect-timeout 5 health detail"})
	f.Advice = append(f.Advice, linkAdvice(in)...)
}
