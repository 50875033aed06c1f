package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The mechanisms that give the picture of a retry storm, as evidence names them,
// and the order in time.
const (
	saturation  = "A: saturation"
	buffers     = "B: unstable buffers"
	sparseState = "C: sparse-read state"
	oneOSD      = "D: one OSD or path"
	wire        = "E: the wire"
	inTime      = "order in time"
)

// Causes are what a summary says once a mechanism is separated from its rivals.
var causes = [...]struct{ mechanism, says string }{
	{saturation, "saturation came first"},
	{buffers, "points to guests that change pages under way (Windows without rxbounce)"},
	{sparseState, "the kernel is in its sparse-read loop"},
	{oneOSD, "only one OSD or the path to it is concerned"},
	{wire, "the wire damages frames"},
}

// A trial is what speaks for and against each mechanism. Evidence is told apart
// by its subject.
type trial struct{ evidence, against []report.Evidence }

func (t *trial) speaksFor(e report.Evidence)     { t.evidence = append(t.evidence, e) }
func (t *trial) speaksAgainst(e report.Evidence) { t.against = append(t.against, e) }

func has(list []report.Evidence, subject string) bool {
	return slices.ContainsFunc(list, func(e report.Evidence) bool { return e.Subject == subject })
}

// cause says in a few words which mechanism it is, if the evidence separates one
// from its rivals: it alone is supported, and something speaks against every
// other. The sparse-read loop's own lines separate it from all.
func (t trial) cause() string {
	if has(t.evidence, sparseState) {
		return causes[2].says
	}
	says := ""
	for _, c := range causes {
		switch {
		case has(t.evidence, c.mechanism) && says != "":
			return ""
		case has(t.evidence, c.mechanism):
			says = c.says
		case !has(t.against, c.mechanism):
			return ""
		}
	}
	return says
}

// remembered takes from a finding what it says of the mechanisms that accept allows.
func remembered(f report.Finding, accept func(subject string) bool) trial {
	var t trial
	known := func(e report.Evidence) bool {
		is := e.Subject == inTime || slices.ContainsFunc(causes[:], func(c struct{ mechanism, says string }) bool { return c.mechanism == e.Subject })
		return is && accept(e.Subject)
	}
	for _, e := range f.Evidence {
		if known(e) {
			t.speaksFor(e)
		}
	}
	for _, e := range f.Against {
		if known(e) {
			t.speaksAgainst(e)
		}
	}
	return t
}

// try tries every mechanism. What came first is decided once, when the storm is
// first seen, as the readings of that time are forgotten later; and when sessions
// are no longer lost, all stands as it was.
func try(in Input, s storm, e exposure, live bool, was report.Finding, raised bool) trial {
	if raised && !live {
		return remembered(was, func(string) bool { return true })
	}
	first := s.begun(in)
	t, legs := trial{}, storageLegs(in)
	if raised {
		t = remembered(was, func(subject string) bool { return subject == saturation || subject == inTime })
		t.filledLater(legs)
	} else {
		t.tryOrder(legs, first, s)
	}
	t.tryOneOSD(in, s, first)
	t.tryBuffers(in, s, e)
	t.trySparse(in, s)
	t.tryWire(in, legs)
	return t
}

// tryOrder asks which came first, the full link or the first fault.
func (t *trial) tryOrder(legs []leg, first time.Time, s storm) {
	known, most := len(legs) > 0, 0.0
	early := false
	for _, l := range legs {
		p := l.around(first)
		known, most = known && p.known, max(most, p.most)
		if !p.full.IsZero() {
			early = t.order(l.filled(p), p.full, first) || early
		}
		if !p.drops.IsZero() {
			fact := fmt.Sprintf("%s dropped frames for lack of buffers from %s", l.label, clock(p.drops))
			early = t.order(fact, p.drops, first) || early
		}
	}
	switch {
	case !early && known:
		t.speaksAgainst(factAt(node.SourceNIC, saturation, fmt.Sprintf("the links were calm before the first session fault at %s: at most %s of line rate in the minutes before, no overload drops", clock(first), percent(most)), first))
	case !early:
		t.speaksFor(factAt(node.SourceNIC, inTime, fmt.Sprintf("cannot tell what came first: the links were not watched before the first session fault at %s", clock(first)), first))
	case len(s.osds) > 0 && slices.ContainsFunc(s.osds, func(f faults) bool { return f.crc > 0 }):
		t.speaksAgainst(factAt(node.SourceKmsg, saturation, "packet loss alone breaks no checksum, TCP sends again what is lost: something else changes the bytes", first))
	}
}

// filledLater notes, once, that a link filled up after the first fault.
func (t *trial) filledLater(legs []leg) {
	i := slices.IndexFunc(t.against, func(e report.Evidence) bool { return e.Subject == saturation })
	if i < 0 || has(t.evidence, saturation) || has(t.evidence, inTime) {
		return
	}
	for _, l := range legs {
		if p := l.around(t.against[i].At); p.full.After(t.against[i].At) {
			t.order(l.filled(p), p.full, t.against[i].At)
		}
	}
}

// order notes one fact of the links by its place in time, and reports whether it
// came before the first fault.
func (t *trial) order(fact string, at, first time.Time) bool {
	gap := first.Sub(at)
	switch {
	case gap >= 0:
		t.speaksFor(factAt(node.SourceNIC, saturation, fmt.Sprintf("%s, %s before the first session fault at %s", fact, span(gap), clock(first)), at))
	default:
		t.speaksFor(factAt(node.SourceNIC, inTime, fmt.Sprintf("%s, %s after the first session fault at %s", fact, span(-gap), clock(first)), at))
	}
	return gap >= 0
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

// clock is a time of day for people.
func clock(at time.Time) string { return at.Format(time.TimeOnly) }

// knownOSDs are all OSDs that the cluster or the kernel has named, and their
// hosts, as far as they are known.
func knownOSDs(in Input) (osds, hosts map[string]bool) {
	osds, hosts = map[string]bool{}, map[string]bool{}
	for _, o := range in.Cluster.Value.OSDMap.OSDs {
		if o.In {
			osds[peerName(o.ID)] = true
			for _, a := range o.Addrs {
				hosts[hostPart(a)] = true
			}
		}
	}
	for _, class := range []kmsg.Class{kmsg.CRC, kmsg.ClosedOpen, kmsg.Closed, kmsg.SocketError, kmsg.ConnectError, kmsg.OSDUp, kmsg.OSDWeight} {
		for _, s := range in.Kernel.Of(class) {
			if strings.HasPrefix(s.Peer, "osd") {
				osds[s.Peer] = true
				hosts[hostPart(s.Addr)] = true
			}
		}
	}
	for _, w := range in.Waits {
		if w.Request.OSD >= 0 {
			osds[peerName(w.Request.OSD)] = true
		}
	}
	delete(hosts, "")
	return osds, hosts
}
