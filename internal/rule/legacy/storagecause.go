package legacy

import (
	"slices"

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
func try(in Input, s storm, e exposure, was report.Finding, raised bool) trial {
	if raised && !s.live {
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
