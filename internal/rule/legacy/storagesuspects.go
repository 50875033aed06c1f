package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// How many faults, over how long, must all come from one OSD before it stands out.
const (
	enoughFaults = 10
	enoughTime   = 10 * time.Second
)

// tryOneOSD asks how the faults spread: one OSD, or one OSD host, speaks for it
// or its path; many speak for what they have in common, this host.
func (t *trial) tryOneOSD(in Input, s storm, first time.Time) {
	if len(s.osds) == 0 {
		return
	}
	n, hosts := len(s.osds), map[string]bool{}
	for _, f := range s.osds {
		hosts[hostPart(f.line.Addr)] = true
	}
	delete(hosts, "")
	if n > 1 && len(hosts) > 1 {
		t.speaksAgainst(factAt(node.SourceKmsg, oneOSD, fmt.Sprintf("sessions are lost with %d OSDs on %d hosts (%s): what they have in common is this host", n, len(hosts), someOSDs(s.osds, 4)), s.last))
		return
	}
	if faultsOfLate(in) < enoughFaults || s.last.Sub(first) < enoughTime {
		return
	}
	known, knownHosts := knownOSDs(in)
	addr := s.osds[0].line.Addr
	switch {
	case n == 1 && len(known) > 1:
		t.speaksFor(factAt(node.SourceKmsg, oneOSD, fmt.Sprintf("all faults come from %s at %s, and none from the %d others that are known", s.osds[0].osd, addr, len(known)-1), s.last))
	case n == 1 && busyDisks(in) > 2*len(s.stalled)+2:
		t.speaksFor(factAt(node.SourceKmsg, oneOSD, fmt.Sprintf("all faults come from %s at %s, and the I/O of %s goes on", s.osds[0].osd, addr, counted(busyDisks(in)-len(s.stalled), "other krbd disk")), s.last))
	case len(hosts) == 1 && len(knownHosts) > 1:
		t.speaksFor(factAt(node.SourceKmsg, oneOSD, fmt.Sprintf("all faults come from OSDs of one host, %s (%s), and none from the %d others that are known", hostPart(addr), someOSDs(s.osds, 4), len(knownHosts)-1), s.last))
	}
}

// faultsOfLate is how many sessions with OSDs were lost within ten minutes, by CRC
// faults or closed by the OSD.
func faultsOfLate(in Input) uint64 {
	n := uint64(0)
	for _, class := range []kmsg.Class{kmsg.CRC, kmsg.ClosedOpen} {
		for _, l := range in.lost(class, 10*time.Minute) {
			n += l.n
		}
	}
	return n
}

// tryBuffers asks whether guests may change pages while they are received.
func (t *trial) tryBuffers(in Input, s storm, e exposure) {
	var crc, damage uint64
	for _, f := range s.osds {
		crc, damage = crc+f.crc, damage+f.damage
	}
	fact := e.fact()
	switch {
	case crc == 0 && s.looping > 0:
		t.speaksAgainst(factAt(node.SourceKmsg, buffers, "no CRC fault was logged here: it is not on receive that the data changes", s.last))
	case damage > 0:
		t.speaksAgainst(factAt(node.SourceKmsg, buffers, fmt.Sprintf("%d of %d CRC faults hit headers, which never lie in a guest's pages", damage, crc), s.last))
	case len(e.windows) == 0 && e.told(in):
		t.speaksAgainst(in.fact(node.SourceKrbd, buffers, "no Windows guest sits on a krbd disk without rxbounce"))
	case len(e.windows) == 0:
	case has(t.evidence, oneOSD):
		t.speaksAgainst(in.fact(node.SourceKrbd, buffers, fact+"; but changed pages break reads from any OSD, not from one alone"))
	case has(t.against, saturation) && !has(t.evidence, saturation) && crc > 0:
		t.speaksFor(in.fact(node.SourceKrbd, buffers, fact+", and the CRC faults came while the links were calm"))
	default:
		t.speaksFor(in.fact(node.SourceKrbd, "rxbounce", fact+": their part cannot be told from saturation's, as the order in time does not separate them"))
	}
}

// trySparse asks whether the log shows the loop of the sparse-read bug.
func (t *trial) trySparse(in Input, s storm) {
	crc := uint64(0)
	for _, f := range s.osds {
		crc += f.crc
	}
	r, err := in.Host.Value.Upstream()
	outside := err == nil && !in.Host.At.IsZero() && sparseReadBug.affects(r) == unaffected
	switch {
	case s.sparse == 0 && outside:
		t.speaksAgainst(in.fact(node.SourceHost, sparseState, fmt.Sprintf("no line of its loop in the log, and kernel %s is outside of the ranges of %s", r, sparseReadBug.id)))
	case s.sparse == 0:
		t.speaksAgainst(in.fact(node.SourceKmsg, sparseState, fmt.Sprintf("no line of its loop in the log (%s)", sparseReadBug.id)))
	case s.sparse < crc:
	case outside:
		t.speaksFor(in.fact(node.SourceKmsg, sparseState, fmt.Sprintf("%s in %s; but kernel %s is outside of the ranges of %s", counted(s.sparse, "line of its loop"), span(s.tally.crcWindow), r, sparseReadBug.id)))
	default:
		t.speaksFor(in.fact(node.SourceKmsg, sparseState, fmt.Sprintf("%d lines of its loop in %s (%s)", s.sparse, span(s.tally.crcWindow), sparseReadBug.id)))
	}
}

// tryWire asks whether the NICs receive damaged frames.
func (t *trial) tryWire(in Input, legs []leg) {
	known := false
	for _, l := range legs {
		worst, times := node.Flow{}, 0
		for _, f := range l.Tens {
			if in.Now.Sub(f.At) > 10*time.Minute || f.RxCRC == 0 {
				continue
			}
			times++
			if f.RxCRC > worst.RxCRC {
				worst = f
			}
		}
		known = known || len(l.Tens) > 0
		if times > 1 { // one bad frame now and then is nothing
			t.speaksFor(factAt(node.SourceNIC, wire, fmt.Sprintf("rx_crc_errors of %s rise, by up to %.0f frames a second", l.label, max(worst.RxCRC, 1)), worst.At))
		}
	}
	if known && !has(t.evidence, wire) {
		t.speaksAgainst(in.fact(node.SourceNIC, wire, "rx_crc_errors of the NICs are flat: no frame arrived damaged"))
	}
}
