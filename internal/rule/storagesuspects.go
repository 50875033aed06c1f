package rule

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
	names, hosts := osdNames(s.osds), map[string]bool{}
	for _, f := range s.osds {
		hosts[hostPart(f.line.Addr)] = true
	}
	delete(hosts, "")
	if len(names) > 1 && len(hosts) > 1 {
		t.speaksAgainst(factAt(node.SourceKmsg, oneOSD, fmt.Sprintf("sessions are lost with %d OSDs on %d hosts (%s): what they have in common is this host", len(names), len(hosts), someOf(names, 4)), s.last))
		return
	}
	if faultsOfLate(in) < enoughFaults || s.last.Sub(first) < enoughTime {
		return
	}
	known, knownHosts := knownOSDs(in)
	addr := s.osds[0].line.Addr
	switch {
	case len(names) == 1 && len(known) > 1:
		t.speaksFor(factAt(node.SourceKmsg, oneOSD, fmt.Sprintf("all faults come from %s at %s, and none from the %d others that are known", names[0], addr, len(known)-1), s.last))
	case len(names) == 1 && busyDisks(in) > 2*len(s.stalled)+2:
		t.speaksFor(factAt(node.SourceKmsg, oneOSD, fmt.Sprintf("all faults come from %s at %s, and the I/O of %s goes on", names[0], addr, counted(busyDisks(in)-len(s.stalled), "other krbd disk")), s.last))
	case len(hosts) == 1 && len(knownHosts) > 1:
		t.speaksFor(factAt(node.SourceKmsg, oneOSD, fmt.Sprintf("all faults come from OSDs of one host, %s (%s), and none from the %d others that are known", hostPart(addr), someOf(names, 4), len(knownHosts)-1), s.last))
	}
}

// faultsOfLate is how many sessions with OSDs were lost within ten minutes, by CRC
// faults or closed by the OSD.
func faultsOfLate(in Input) uint64 {
	n := uint64(0)
	for _, class := range []kmsg.Class{kmsg.CRC, kmsg.ClosedOpen} {
		for _, line := range in.Kernel.Of(class) {
			n += withinOSD(line, in.Now, 10*time.Minute)
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
