// Package report has the types that describe the state of a node: the Report, its
// Components, the Findings with their Evidence, and the Reporter that delivers it. It
// contains only values and does not use the network.
package report

import "time"

// A Severity is how urgently on-call must respond.
type Severity string

// The severities, lowest first. Clear is the severity of a finding that is not
// raised: only a Transition has it.
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

// An Impact is the effect on customers. The words are Statuspage's component states,
// plus "unknown".
type Impact string

// The impacts, mildest first.
const (
	Operational         Impact = "operational"
	UnderMaintenance    Impact = "under_maintenance"
	Unknown             Impact = "unknown"
	DegradedPerformance Impact = "degraded_performance"
	PartialOutage       Impact = "partial_outage"
	MajorOutage         Impact = "major_outage"
)

// Impacts are all impacts, mildest first.
func Impacts() []Impact {
	return []Impact{Operational, UnderMaintenance, Unknown, DegradedPerformance, PartialOutage, MajorOutage}
}

// Rank orders impacts: 0 for operational, 5 for a major outage. An impact unknown to
// this package has the rank of unknown.
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

// A Visibility is whether the sources of a raised finding are available.
type Visibility string

// The two visibilities of a raised finding.
const (
	Seen  Visibility = "seen"  // its sources are available and show it
	Blind Visibility = "blind" // its sources became unavailable while it was raised; see Finding.LastSeen
)

// Evidence is one observed fact.
type Evidence struct {
	Source  string    `json:"source"`            // the source that saw it, as `nodewatch sources` names it
	Subject string    `json:"subject,omitempty"` // where it was observed: a bond, a slave, a disk, an OSD
	Fact    string    `json:"fact"`              // the fact, with its number and unit
	At      time.Time `json:"at"`                // when it was observed
	More    int       `json:"more,omitempty"`    // number of further subjects with facts of the same kind as the preceding ones; 0 for an individual fact
}

// Advice is one next step. Command is ready to paste; if it can do harm, Do states
// that.
type Advice struct {
	Do      string `json:"do"`
	Command string `json:"command,omitempty"`
}

// A Finding is a failure pattern raised on this node.
type Finding struct {
	Rule       string        `json:"rule"`
	Subject    string        `json:"subject,omitempty"` // the affected object; empty for the node itself
	Component  ComponentName `json:"component"`
	Severity   Severity      `json:"severity"`
	Impact     Impact        `json:"impact"`
	State      Visibility    `json:"state"`
	Since      time.Time     `json:"since"`       // when the pattern was first observed, hold time included
	LevelSince time.Time     `json:"level_since"` // since when it has had this severity and impact
	LastSeen   time.Time     `json:"last_seen"`   // when it was last observed; the report's time while State is Seen
	Summary    string        `json:"summary"`     // one line for on-call
	Evidence   []Evidence    `json:"evidence"`
	Against    []Evidence    `json:"against"`
	Advice     []Advice      `json:"advice"`
	Runbook    string        `json:"runbook"`
	Flapping   bool          `json:"flapping,omitempty"` // it is raised and cleared repeatedly, and is kept raised meanwhile; Since is its first raising
	Accepted   *Accepted     `json:"accepted,omitempty"` // acknowledged: it is shown, and pages no one

	Guests      *Guests `json:"guests,omitempty"`       // the affected guests; nil if none or unknown
	ExplainedBy []Ref   `json:"explained_by,omitempty"` // the raised findings that explain this one, worst first
}

// Guests are the guests that a finding affects.
type Guests struct {
	Hit   int      `json:"hit"`
	Total int      `json:"total"` // all running guests of the node
	Names []string `json:"names"` // sorted, at most MaxNames; fewer than Hit if truncated
}

// MaxNames is the maximum number of guests that are named.
const MaxNames = 1000

// A Ref identifies a finding.
type Ref struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject,omitempty"`
}

// An Incident is a period with impact on this node, from its first finding to its
// last.
type Incident struct {
	Begin    time.Time `json:"begin"`
	End      time.Time `json:"end,omitzero"` // zero while it is open
	Peak     Impact    `json:"peak"`         // the worst impact
	Severity Severity  `json:"severity"`     // the highest severity
	Guests   *Guests   `json:"guests,omitempty"`
	Headline string    `json:"headline"` // the summary of the worst unexplained finding
	Finding  Ref       `json:"finding"`  // the reference to that finding
	Cause    string    `json:"cause,omitempty"`
}

// A ComponentName names a part of the node.
type ComponentName string

// The components.
const (
	ComponentStorage   ComponentName = "storage"   // krbd and libceph on this node
	ComponentNetwork   ComponentName = "network"   // bonds and NICs
	ComponentGuests    ComponentName = "guests"    // virtual machines and containers
	ComponentCluster   ComponentName = "cluster"   // state that Ceph reports
	ComponentHost      ComponentName = "host"      // the machine itself
	ComponentNodewatch ComponentName = "nodewatch" // its own sources and reporters
)

// ComponentNames are all components, in display order.
func ComponentNames() []ComponentName {
	return []ComponentName{ComponentStorage, ComponentNetwork, ComponentGuests, ComponentCluster, ComponentHost, ComponentNodewatch}
}

// A Component is one part of the node, with its status.
type Component struct {
	Name    ComponentName `json:"name"`
	Status  Impact        `json:"status"`
	Since   time.Time     `json:"since"`
	Summary string        `json:"summary"`          // the worst finding's summary, or why the status is unknown
	State   Visibility    `json:"state"`            // whether its sources are available now
	Guests  *Guests       `json:"guests,omitempty"` // for the component guests: those affected by the worst finding
	Partly  string        `json:"partly,omitempty"` // what is unknown about it while the rest is visible; empty if nothing
	Remedy  string        `json:"remedy,omitempty"` // how to make that known
}

// A Transition is one change of one finding.
type Transition struct {
	N          uint64        `json:"n"` // increases by one; a gap means that older ones left the ring
	At         time.Time     `json:"at"`
	Rule       string        `json:"rule"`
	Subject    string        `json:"subject,omitempty"`
	Component  ComponentName `json:"component"`
	From       Severity      `json:"from"`
	To         Severity      `json:"to"`
	Impact     Impact        `json:"impact"`
	ImpactFrom Impact        `json:"impact_from,omitempty"` // the previous impact of a finding that was raised and has another one now; otherwise empty
	State      Visibility    `json:"state,omitempty"`
	Summary    string        `json:"summary"`
}

// A SourceState is the state of one source.
type SourceState struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`         // ok, starting, stalled, stale, failed, denied, absent
	Last     time.Time `json:"last,omitzero"` // when the latest good reading began; zero if there was none
	Since    time.Time `json:"since"`         // since when it is in State
	Error    string    `json:"error,omitempty"`
	Partly   string    `json:"partly,omitempty"` // for a source that is ok: data it does not provide; empty if complete
	Remedy   string    `json:"remedy,omitempty"` // how to fix Error or Partly
	Failures uint64    `json:"failures"`         // number of readings without a value since the start
}

// A Report is the complete state of this node at one instant. Its lists are sorted:
// findings worst first, the rest by name.
type Report struct {
	Node        string        `json:"node"`
	Site        string        `json:"site,omitempty"`      // location of the node, as configured
	Labels      Labels        `json:"labels,omitempty"`    // further groups it belongs to, as configured
	Inventory   Labels        `json:"inventory,omitempty"` // properties of the node, for comparing nodes: client, hash_policy, kernel, mtu, nic_speed, nodewatch
	Boot        string        `json:"boot_id,omitempty"`   // boot id of the running kernel; empty while unknown
	Started     time.Time     `json:"started_at"`          // when nodewatch started
	At          time.Time     `json:"at"`
	Status      Impact        `json:"status"`
	Components  []Component   `json:"components"`
	Findings    []Finding     `json:"findings"`
	Transitions []Transition  `json:"transitions"`
	Sources     []SourceState `json:"sources"`
	Version     string        `json:"version"`
	Maintenance *Maintenance  `json:"maintenance,omitempty"` // the current maintenance; nil if none
	Incident    *Incident     `json:"incident,omitempty"`    // the open incident, or the last one until it is acknowledged; nil if none
	Final       string        `json:"final,omitempty"`       // why this is the last Report of this run; empty if it is not
	Test        bool          `json:"test,omitempty"`        // created to test a reporter; does not describe the node
	Oldest      uint64        `json:"-"`                     // number of the oldest transition before filtering; 0: not filtered
	Latest      uint64        `json:"-"`                     // number of the latest transition before filtering; 0: not filtered
}

// TransitionRange returns the numbers of the oldest and the latest transition that the Report
// covers, including those removed by a filter; 0 if there are none. Transitions missing
// between them were filtered, those missing before them are lost.
func (r Report) TransitionRange() (oldest, latest uint64) {
	if r.Latest > 0 {
		return r.Oldest, r.Latest
	}
	if n := len(r.Transitions); n > 0 {
		return r.Transitions[0].N, r.Transitions[n-1].N
	}
	return 0, 0
}

// Headline returns the worst finding that no other one explains; false if no finding is
// raised.
func (r Report) Headline() (Finding, bool) {
	for _, f := range r.Findings {
		if len(f.ExplainedBy) == 0 {
			return f, true
		}
	}
	return Finding{}, false
}

// Labels are the groups of a node, such as its rack or its switch.
type Labels map[string]string

// Worst returns the highest severity raised, and "" if no finding is raised.
func (r Report) Worst() Severity {
	var worst Severity
	for _, f := range r.Findings {
		if f.Severity.Rank() > worst.Rank() {
			worst = f.Severity
		}
	}
	return worst
}
