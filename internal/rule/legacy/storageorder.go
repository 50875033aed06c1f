package legacy

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

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
