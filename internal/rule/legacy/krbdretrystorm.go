package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func krbdRetryStorm(limits *stormLimits) Rule {
	return Rule{
		ID:        "krbd-retry-storm",
		Title:     "krbd loses and reopens sessions without end while I/O stands still",
		Component: Storage,
		Severity:  "critical",
		Impact:    "major_outage: one client stands for all disks of the host, and a loop with one OSD reaches most of them in time",
		Needs:     []string{node.SourceKmsg, node.SourceIO},
		Keep:      30 * time.Second, // in a loop some I/O completes now and then; and it must be clear within a minute of the end
		Limits:    limits,
		About: "libceph has no back-off on a session that was open: when a reply fails its checksum, or an OSD closes the session because a write failed its checksum there, the kernel reconnects at once and sends every request of that OSD again, without limit, for all disks that share the client. " +
			"It is told by at least 2 CRC faults of one OSD in 10 s, or at least 5 sessions that one OSD closed in 60 s (those up to 10 s after it went down do not count) while the cluster is not full, or the lines of the sparse-read loop, and at the same time by krbd I/O that stands still: requests in flight of which none completes for 3 s, or one request that debugfs osdc shows to be sent again and again. There is no hold, as the 3 s are one. " +
			"It needs no bond and no hash policy, and stays until I/O completes again on what it stalled, so that a policy that is changed in mid-loop does not hide it. libvirt, QEMU, Ceph's health, LACP and MII all stay green in this failure: krbd never returns an error. " +
			"Five mechanisms give this picture: A saturation of one link, B guests that change pages under way (Windows without rxbounce), C the kernel's stale sparse-read state, D one bad OSD or path, E the wire. The finding lists what speaks for and against each, with the order in time; it names one only when the evidence separates it from the others. " +
			"Guests that remounted read-only need a reboot afterwards.",
		Do: []string{
			"First aid, where a NIC is full: limit what the link that holds krbd's address sends (tc), and take that off again as soon as I/O goes on.",
			"End the cause that the evidence supports: spread the bond on both sides (A), map again with rxbounce (B), boot a fixed kernel (C), mend the OSD or its path (D), the cable or optics (E).",
			"Move the guests to librbd, where each has connections of its own.",
			"Never map with nocrc, and do not set a short osd_request_timeout: the one lets wrong data through, the other turns the stall into I/O errors.",
		},
		Check: func(in Input) []report.Finding {
			was, raised := in.Was("")
			s, seen := limits.see(in, raised)
			if !seen {
				return nil
			}
			e := exposureOfAll(in)
			t := try(in, s, e, was, raised)
			return []report.Finding{{
				Severity: report.Critical,
				Impact:   report.MajorOutage,
				Since:    s.begun(in),
				Summary:  s.summary(in, t),
				Evidence: append(s.evidence(in), t.evidence...),
				Against:  t.against,
				Advice:   stormAdvice(in, s, t, e),
			}}
		},
	}
}

// summary is the storm in one line.
func (s storm) summary(in Input, t trial) string {
	still := s.still(in, len(in.Mapped.Value))
	text := fmt.Sprintf("krbd retry storm: %s and sends everything anew; %s", s.losing(), still)
	if !s.live {
		text = fmt.Sprintf("krbd retry storm: %s, but still %s", s.losing(), still)
	}
	if cause := t.cause(); cause != "" {
		text += "; " + cause
	}
	return text
}

// still says what stands still, of so many disks.
func (s storm) still(in Input, of int) string {
	devices := s.devices(in)
	text := fmt.Sprintf("%d of %s%s stalled", len(devices), counted(of, "krbd disk"), usersOf(in, devices).of())
	if len(devices) == 0 { // what waits belongs to no image that is mapped, as with a clone's parent
		text = counted(len(s.resent), "request") + " without an answer"
	}
	if len(s.stalled) > 0 {
		text += " for up to " + span(s.stalled[0].Stuck())
	}
	return text
}

// evidence is what the storm is told by.
func (s storm) evidence(in Input) []report.Evidence {
	list := append(faultEvidence(s.osds, s.tally), stallEvidence(in, s.stalled, s.resent)...)
	return append(list, loadEvidence(in)...)
}

// loadEvidence tells how the host feels it.
func loadEvidence(in Input) []report.Evidence {
	if in.Host.At.IsZero() || in.Blind(node.SourceHost) != nil {
		return nil
	}
	h := in.Host.Value
	text := fmt.Sprintf("load %.0f", h.Load[0])
	if h.IO != nil {
		text += fmt.Sprintf(", I/O pressure %.0f %% some, %.0f %% full over 10 s", h.IO.Some10, h.IO.Full10)
	}
	if h.Waiting != nil {
		text += fmt.Sprintf(", %s in uninterruptible sleep", counted(h.Waiting.Total, "task"))
	}
	return []report.Evidence{in.fact(node.SourceHost, "", text)}
}
