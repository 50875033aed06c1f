package rule

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Result is what a rule sees of one subject now. Everything but Subject,
// Severity and Summary may be left out.
type Result struct {
	Subject  string // a bond, a NIC, an OSD; empty for the node itself
	Severity report.Severity

	// Hits are the disks and guests that are hit: the judge computes the impact
	// from them, and clears the finding when the stalled disks complete again.
	Hits Hits
	// Impact is the least impact, whatever is hit: of what is bad by itself, such
	// as a bond that carries storage and has no link left. Empty: operational.
	Impact report.Impact

	// Setting says that this level was read from a setting and not measured: it
	// is raised at once, clears only after it has been gone for a minute, and
	// does not flap.
	Setting bool

	// RestsOn are the sources this level rests on; nil: the rule's Needs. While
	// one of them is blind, the level neither clears nor falls.
	RestsOn []string
	// Ended reports whether it is proven that this level has ended, from sources
	// that can be read. It is asked on later ticks, and clears or lowers the
	// finding whatever else is blind. It must not hold on to an Input.
	// nil: the disks in Hits complete again, if there are any.
	Ended func(*facts.Facts) bool
	// Remains is the severity that stays, without an impact, once Ended has proven the end
	// while a source that the level rests on is blind: what was observed remains true, and
	// whether it continues is unknown. Empty: the proof clears the finding.
	Remains report.Severity
	// Blind says that the rule cannot see this subject now, in a way that its
	// sources do not show: what is raised stays as it was.
	Blind bool

	Since time.Time // when it began, if that is known better than by when it was first seen
	Cause any       // the cause concluded, for the incident: a fmt.Stringer, or nil
	State any       // what the rule wants to find in Input.Raised on the next tick

	// Explains narrows the rule's Explains down to findings about these subjects;
	// nil: all. A subject "" is the node itself.
	Explains []string

	Summary  string            // one line: what is wrong, how much, since when
	Evidence []report.Evidence // for
	Against  []report.Evidence
	Advice   []report.Advice // the one thing to do first, first
}

// Hits are the disks and guests that a finding is about, by how they are hit. A
// guest whose disk is named needs no mention of its own.
type Hits struct {
	Stalled []string // krbd devices on which nothing completes
	Failed  []string // krbd devices that returned I/O errors
	Slow    []string // krbd devices that are slow

	StalledGuests []string // guests that do not run for other reasons: paused, or on librbd
	SlowGuests    []string

	// Since is when the first of the stalled disks last completed a request; zero:
	// when the finding was first observed.
	Since time.Time
	Loop  bool // the disks stall in a session loop: counts after 15 s instead of 30 s
}
