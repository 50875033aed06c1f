package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func libcephCRC() Rule {
	limits := &struct {
		Faults   int           `json:"faults" doc:"CRC faults of all OSDs together, within window, from which the finding is raised" min:"1" max:"10000"`
		Degraded int           `json:"degraded" doc:"CRC faults within window from which customers are taken to feel it" min:"1" max:"100000"`
		Window   time.Duration `json:"window" doc:"how far back CRC faults count" min:"10s" max:"10m"`
	}{1, 10, 5 * time.Minute}
	return Rule{
		ID:        "libceph-crc",
		Title:     "Ceph sessions are lost to bad checksums",
		Component: Storage,
		Severity:  "warning",
		Impact:    "operational for a few faults, as I/O goes on after each; degraded_performance for many, as each sends all requests of an OSD again. Never more by itself: what stands still is krbd-stalled or krbd-retry-storm",
		Needs:     []string{node.SourceKmsg},
		Limits:    limits, // no hold: one fault is a fact; no keep: the window is one
		About: "A reply of an OSD failed its checksum (or, in msgr2's secure mode, its authentication tag), and the kernel gave up the session. It is told by libceph's lines \"bad crc/signature\" and \"integrity error, bad crc\" of the last 5 minutes. " +
			"Each fault reconnects at once and sends every request of that OSD again: it is the first line of a retry storm. " +
			"It does not mean that the wire corrupts data, which TCP and Ethernet would have caught: the buffer changed while the kernel used it. The known trigger is a Windows guest on a krbd disk that is mapped without rxbounce; others are bad memory, a NIC's or driver's offload, and a damaged wire, which shows in rx_crc_errors. " +
			"A failure on the way to an OSD is not logged here but there, and shows as libceph-session-loop.",
		Do: []string{
			"See whether the faults come from one OSD (look there) or from many (look here).",
			"Map the disks of Windows guests again with rxbounce, or move them to librbd.",
			"If rx_crc_errors of a NIC rise as well, look at cable, optics and switch port.",
		},
		Check: func(in Input) []report.Finding {
			t := tally{crc: []kmsg.Class{kmsg.CRC, kmsg.Integrity}, crcWindow: limits.Window}
			osds := t.count(in)
			n, last := uint64(0), time.Time{}
			for _, f := range osds {
				n += f.crc
				last = later(last, f.line.Last)
			}
			if n < uint64(limits.Faults) {
				return nil
			}
			f := report.Finding{
				Severity: report.Warning,
				Impact:   report.Operational,
				Summary:  fmt.Sprintf("%s in the last %s lost sessions with %s, the latest at %s; each sends all requests of that OSD again", counted(n, "CRC fault"), span(limits.Window), osdsText(osds), clock(last)),
				Evidence: faultEvidence(osds, t),
			}
			if n >= uint64(limits.Degraded) {
				f.Impact = report.DegradedPerformance
			}
			crcContext(in, osds, last, &f)
			return []report.Finding{f}
		},
	}
}

// crcContext adds what separates the reasons for CRC faults, and what to do.
func crcContext(in Input, osds []faults, last time.Time, f *report.Finding) {
	t := trial{}
	s := storm{osds: osds, last: last, stalled: stalledDisks(in, 3*time.Second)}
	t.tryOneOSD(in, s, s.begun(in))
	t.tryWire(in, storageLegs(in))
	e := exposureOfAll(in)
	switch {
	case len(e.windows) > 0:
		t.speaksFor(in.fact(node.SourceKrbd, buffers, e.fact()))
	case e.told(in):
		t.speaksAgainst(in.fact(node.SourceKrbd, buffers, "no Windows guest sits on a krbd disk without rxbounce"))
	}
	f.Evidence, f.Against = append(f.Evidence, t.evidence...), append(f.Against, t.against...)
	if in.Blind(node.SourceIO) == nil && len(in.IO) > 0 && len(s.stalled) == 0 {
		f.Against = append(f.Against, in.fact(node.SourceIO, "", fmt.Sprintf("krbd I/O goes on: of %s none has requests in flight without a completion for 3 s", counted(len(in.IO), "krbd disk"))))
	}
	f.Advice = append(causeAdvice(in, s, t), bounceAdvice(in, e)...)
	f.Advice = append(f.Advice, report.Advice{Do: "Read the faults as they come", Command: "journalctl -kf --grep 'libceph: .*(bad crc|bad data crc|integrity error)'"})
}

// osdsText names one OSD, or says how many there are.
func osdsText(osds []faults) string {
	if len(osds) == 1 {
		return osds[0].osd
	}
	return counted(len(osds), "OSD")
}
