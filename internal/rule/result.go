package rule

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Result is one rule's result for one subject. Everything but Subject, Severity and
// Summary is optional.
type Result struct {
	Subject  string // a bond, a NIC, an OSD; empty for the node itself
	Severity report.Severity

	// Hits are the affected disks and guests. The judge computes the impact from
	// them, and clears the finding when the stalled disks complete requests again.
	Hits Hits
	// Impact is the minimum impact, regardless of Hits, for conditions that are bad
	// by themselves, such as a storage bond without a link. Empty: operational.
	Impact report.Impact

	// Setting marks a level that was read from a setting and not measured: it is
	// raised at once, clears only after it has been absent for a minute, and does not
	// flap.
	Setting bool

	// RestsOn are the sources this level depends on; nil: the rule's Needs. While one
	// of them is blind, the level neither clears nor falls.
	RestsOn []string
	// Ended reports whether sources that can be read prove that this level has ended.
	// It is called on later ticks, and clears or lowers the finding even if other
	// sources are blind. It must not retain an Input. nil: the level has ended when
	// the disks in Hits, if there are any, complete requests again.
	Ended func(*facts.Facts) bool
	// Remains is the severity that stays, without an impact, once Ended has proven the end
	// while a source that the level depends on is blind: what was observed remains true,
	// but whether it continues is unknown. Empty: the proof clears the finding.
	Remains report.Severity
	// Blind marks a subject that the rule cannot observe now although all its sources
	// can be read. A raised finding stays unchanged.
	Blind bool

	Since time.Time // start, if known more exactly than the first observation
	Cause any       // the concluded cause, for the incident: a fmt.Stringer, or nil
	State any       // state that the rule finds in Input.Raised on the next tick

	// Explains limits the rule's Explains to findings about these subjects; nil: all.
	// A subject "" is the node itself.
	Explains []string

	Summary  string            // one line: the problem, its extent and its start
	Evidence []report.Evidence // evidence for the finding
	Against  []report.Evidence
	Advice   []report.Advice // most urgent first
}

// Hits are the disks and guests that a finding affects, by effect. A guest does not
// need to be listed if one of its disks is.
type Hits struct {
	Stalled []string // krbd devices that complete no requests
	Failed  []string // krbd devices that returned I/O errors
	Slow    []string // krbd devices that are slow

	StalledGuests []string // guests that do not run for other reasons: paused, or stalled on librbd
	SlowGuests    []string

	// Since is the earliest last completion of the stalled disks; zero: when the
	// finding was first observed.
	Since time.Time
	Loop  bool // the disks stall in a session loop, which counts after 15 s instead of 30 s
}
