// Package report is the vocabulary in which nodewatch speaks of a node: the
// Report, its Components, the Findings with their Evidence, and the Reporter
// that delivers it. It holds values only and reaches no network.
package report

import "time"

// A Severity says how soon on-call must look.
type Severity string

// The severities, lowest first. Clear is that of a finding that is not raised: only a
// Transition has it.
const (
	Clear    Severity = "clear"
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Rank orders severities: 0 for none, 1 for info, 3 for critical.
func (s Severity) Rank() int {
	switch s {
	case Info:
		return 1
	case Warning:
		return 2
	case Critical:
		return 3
	}
	return 0
}

// An Impact says what customers feel. The words are Statuspage's component
// states, plus "unknown".
type Impact string

// The impacts, least first.
const (
	Operational         Impact = "operational"
	UnderMaintenance    Impact = "under_maintenance"
	Unknown             Impact = "unknown"
	DegradedPerformance Impact = "degraded_performance"
	PartialOutage       Impact = "partial_outage"
	MajorOutage         Impact = "major_outage"
)

// Impacts are all impacts, least first.
func Impacts() []Impact {
	return []Impact{Operational, UnderMaintenance, Unknown, DegradedPerformance, PartialOutage, MajorOutage}
}

// Rank orders impacts: 0 for operational, 5 for a major outage. An impact this
// package does not know ranks as unknown.
func (i Impact) Rank() int {
	for n, known := range Impacts() {
		if i == known {
			return n
		}
	}
	return Unknown.Rank()
}

// Worse returns the worse of two impacts.
func Worse(a, b Impact) Impact {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// A Visibility says whether a raised finding is still being seen.
type Visibility string

// The two visibilities of a raised finding.
const (
	Seen  Visibility = "seen"  // its sources see it now
	Blind Visibility = "blind" // its sources went blind while it was raised; see Finding.LastSeen
)

// Evidence is one observed fact.
type Evidence struct {
	Source  string    `json:"source"`            // the source that saw it, as `nodewatch sources` names it
	Subject string    `json:"subject,omitempty"` // what it was seen on: a bond, a slave, a disk, an OSD
	Fact    string    `json:"fact"`              // the fact, with its number and unit
	At      time.Time `json:"at"`                // when it was seen
	More    int       `json:"more,omitempty"`    // it represents so many more subjects of the kind of the facts before it; 0: it is a fact of its own
}

// Advice is one next step. Command is ready to paste and never harmful without
// saying so in Do.
type Advice struct {
	Do      string `json:"do"`
	Command string `json:"command,omitempty"`
}

// A Finding is a failure pattern raised on this node.
type Finding struct {
	Rule       string        `json:"rule"`
	Subject    string        `json:"subject,omitempty"` // what it is about; empty for the node itself
	Component  ComponentName `json:"component"`
	Severity   Severity      `json:"severity"`
	Impact     Impact        `json:"impact"`
	State      Visibility    `json:"state"`
	Since      time.Time     `json:"since"`       // when the pattern was first seen, hold time included
	LevelSince time.Time     `json:"level_since"` // since when it has had this severity and impact
	LastSeen   time.Time     `json:"last_seen"`   // when it was last seen; the report's time while State is Seen
	Summary    string        `json:"summary"`     // one line for on-call
	Evidence   []Evidence    `json:"evidence"`
	Against    []Evidence    `json:"against"`
	Advice     []Advice      `json:"advice"`
	Runbook    string        `json:"runbook"`
	Flapping   bool          `json:"flapping,omitempty"` // it comes and goes, and is held raised meanwhile; Since is its first raising
	Accepted   *Accepted     `json:"accepted,omitempty"` // somebody acknowledged it: it is shown, and pages nobody

	Guests      *Guests `json:"guests,omitempty"`       // the guests it hits; nil: none, or not known
	ExplainedBy []Ref   `json:"explained_by,omitempty"` // the raised findings that explain this one, worst first
}

// Guests are the guests that something hits.
type Guests struct {
	Hit   int      `json:"hit"`
	Total int      `json:"total"` // all running guests of the node
	Names []string `json:"names"` // sorted, at most MaxNames; shorter than Hit if cut
}

// MaxNames is how many guests are named at most.
const MaxNames = 1000

// A Ref names a finding.
type Ref struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject,omitempty"`
}

// An Incident is a time of impact on this node, from its first finding to its last.
type Incident struct {
	Begin    time.Time `json:"begin"`
	End      time.Time `json:"end,omitzero"` // zero while it lasts
	Peak     Impact    `json:"peak"`         // the worst impact
	Severity Severity  `json:"severity"`     // the highest severity
	Guests   *Guests   `json:"guests,omitempty"`
	Headline string    `json:"headline"` // the summary of the worst unexplained finding
	Finding  Ref       `json:"finding"`  // which one that was
	Cause    string    `json:"cause,omitempty"`
}

// A ComponentName names a part of the node.
type ComponentName string

// The components.
const (
	ComponentStorage   ComponentName = "storage"   // krbd and libceph on this node
	ComponentNetwork   ComponentName = "network"   // bonds and NICs
	ComponentGuests    ComponentName = "guests"    // virtual machines and containers
	ComponentCluster   ComponentName = "cluster"   // what Ceph reports about itself
	ComponentHost      ComponentName = "host"      // the machine itself
	ComponentNodewatch ComponentName = "nodewatch" // its own sources and reporters
)

// ComponentNames are all components, in the order in which they are shown.
func ComponentNames() []ComponentName {
	return []ComponentName{ComponentStorage, ComponentNetwork, ComponentGuests, ComponentCluster, ComponentHost, ComponentNodewatch}
}

// A Component is one part of the node, and how it is.
type Component struct {
	Name    ComponentName `json:"name"`
	Status  Impact        `json:"status"`
	Since   time.Time     `json:"since"`
	Summary string        `json:"summary"`          // the worst finding's summary, or why it is unknown
	State   Visibility    `json:"state"`            // whether it can be seen now
	Guests  *Guests       `json:"guests,omitempty"` // of the component guests: those hit by the worst finding
	Partly  string        `json:"partly,omitempty"` // what of it is unknown while the rest can be seen; empty: nothing
	Remedy  string        `json:"remedy,omitempty"` // what would make that known
}

// A Transition is one change of one finding.
type Transition struct {
	N          uint64        `json:"n"` // counts up by one; a gap means older ones left the ring
	At         time.Time     `json:"at"`
	Rule       string        `json:"rule"`
	Subject    string        `json:"subject,omitempty"`
	Component  ComponentName `json:"component"`
	From       Severity      `json:"from"`
	To         Severity      `json:"to"`
	Impact     Impact        `json:"impact"`
	ImpactFrom Impact        `json:"impact_from,omitempty"` // the impact before, of a finding that was raised and has another now; else empty
	State      Visibility    `json:"state,omitempty"`
	Summary    string        `json:"summary"`
}

// A SourceState is how one source is.
type SourceState struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`         // ok, starting, stalled, stale, failed, denied, absent
	Last     time.Time `json:"last,omitzero"` // when the latest good reading began; zero if there was none
	Since    time.Time `json:"since"`         // since when it is in State
	Error    string    `json:"error,omitempty"`
	Partly   string    `json:"partly,omitempty"` // of a source that is ok: what it does not show; empty: nothing
	Remedy   string    `json:"remedy,omitempty"` // how to fix Error or Partly
	Failures uint64    `json:"failures"`         // readings that gave no value, since the start
}

// A Report is everything nodewatch says of this node at one instant. Its lists
// are sorted: findings worst first, the rest by name.
type Report struct {
	Node        string        `json:"node"`
	Site        string        `json:"site,omitempty"`      // where the node is, as configured
	Labels      Labels        `json:"labels,omitempty"`    // what else it belongs to, as configured
	Inventory   Labels        `json:"inventory,omitempty"` // how the node is made, for comparing nodes: client, hash_policy, kernel, mtu, nic_speed, nodewatch
	Boot        string        `json:"boot_id,omitempty"`   // of the running kernel; empty while not known
	Started     time.Time     `json:"started_at"`          // when nodewatch started
	At          time.Time     `json:"at"`
	Status      Impact        `json:"status"`
	Components  []Component   `json:"components"`
	Findings    []Finding     `json:"findings"`
	Transitions []Transition  `json:"transitions"`
	Sources     []SourceState `json:"sources"`
	Version     string        `json:"version"`
	Maintenance *Maintenance  `json:"maintenance,omitempty"` // under way; nil if none is
	Incident    *Incident     `json:"incident,omitempty"`    // the one that lasts, or the last one until it is acknowledged; nil: none
	Final       string        `json:"final,omitempty"`       // why this is the last Report of this run; empty: it is not
	Test        bool          `json:"test,omitempty"`        // made to try a reporter; says nothing of the node
	Oldest      uint64        `json:"-"`                     // number of the oldest transition before a filter; 0: nothing was filtered
	Latest      uint64        `json:"-"`                     // number of the latest transition before a filter; 0: nothing was filtered
}

// TransitionRange returns the numbers of the oldest and the latest transition that the Report
// speaks for, also where a filter has taken them out; 0 if there are none. What is
// missing between them was filtered, what is missing before them is lost.
func (r Report) TransitionRange() (oldest, latest uint64) {
	if r.Latest > 0 {
		return r.Oldest, r.Latest
	}
	if n := len(r.Transitions); n > 0 {
		return r.Transitions[0].N, r.Transitions[n-1].N
	}
	return 0, 0
}

// Headline returns the worst finding that no other one explains; false if nothing is raised.
func (r Report) Headline() (Finding, bool) {
	for _, f := range r.Findings {
		if len(f.ExplainedBy) == 0 {
			return f, true
		}
	}
	return Finding{}, false
}

// Labels say what a node belongs to, such as its rack or its switch.
type Labels map[string]string

// Worst returns the highest severity raised, and "" if nothing is.
func (r Report) Worst() Severity {
	var worst Severity
	for _, f := range r.Findings {
		if f.Severity.Rank() > worst.Rank() {
			worst = f.Severity
		}
	}
	return worst
}
