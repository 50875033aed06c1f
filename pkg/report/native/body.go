package native

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Schema is the version of the protocol, as each body says it.
const Schema = "nodewatch.report/1"

// MaxBody is the size of the largest body, in bytes, before compression.
const MaxBody = 64 << 10

// A Body is one report as it goes over the wire: docs/report-protocol.schema.json.
// Times are RFC 3339, by the node's clock.
type Body struct {
	Schema      string              `json:"schema"`
	Node        Node                `json:"node"`
	Agent       Agent               `json:"agent"`
	Inventory   report.Labels       `json:"inventory,omitempty"` // how the node is made, to compare nodes; for operators' eyes
	Seq         uint64              `json:"seq"`                 // grows with each body of a boot, also over a restart of the agent
	SentAt      time.Time           `json:"sent_at"`
	Interval    int                 `json:"interval_s"`      // the next body comes by then, s
	TTL         int                 `json:"ttl_s"`           // after so long without one the node is not known to live, s
	Test        string              `json:"test,omitempty"`  // what makes this a test, of which nothing is to be kept
	Final       *Final              `json:"final,omitempty"` // the last report of this run
	Status      report.Impact       `json:"status"`          // the worst of the components
	Maintenance *report.Maintenance `json:"maintenance,omitempty"`
	Components  []Component         `json:"components"`          // all there are
	Findings    []report.Finding    `json:"findings"`            // all that are raised, worst first; for operators' eyes
	Transitions []Transition        `json:"transitions"`         // not acknowledged yet, oldest first
	Waiting     int                 `json:"transitions_waiting"` // not acknowledged, and not in this body
	Dropped     uint64              `json:"transitions_dropped"` // lost since agent.started_at
	Cut         *Cut                `json:"cut,omitempty"`       // what was left out to keep the body small
}

// A Node is who is spoken of.
type Node struct {
	ID     string        `json:"id"` // permanent, and of this node only
	Name   string        `json:"name"`
	Site   string        `json:"site,omitempty"`
	Labels report.Labels `json:"labels,omitempty"`
}

// An Agent is who speaks.
type Agent struct {
	Version string    `json:"version"`
	Boot    string    `json:"boot_id,omitempty"` // of the running kernel; absent while not known
	Started time.Time `json:"started_at"`
	Config  string    `json:"config_digest,omitempty"`
}

// Final marks the last report of a run: silence from now on is no fault.
type Final struct {
	Reason string `json:"reason"`
}

// A Component is one part of the node.
type Component struct {
	ID       string            `json:"id"`
	Status   report.Impact     `json:"status"`
	Since    time.Time         `json:"since"`
	State    report.Visibility `json:"state"`            // whether it can be seen now
	Reason   string            `json:"reason,omitempty"` // the rule of its worst finding; not_seen, maintenance
	Summary  string            `json:"summary"`          // fit for customers: names nothing inside
	Detail   string            `json:"detail,omitempty"` // for operators
	Severity report.Severity   `json:"severity,omitempty"`
	Flapping bool              `json:"flapping,omitempty"`
	Guests   *report.Guests    `json:"guests,omitempty"`
	Partly   string            `json:"partly,omitempty"` // for operators: what of it is unknown while the rest can be seen
	Remedy   string            `json:"remedy,omitempty"` // for operators: what would make that known
}

// A Transition is one change of one finding. Its ID is the same each time it is sent,
// and unique among the node's transitions.
type Transition struct {
	ID  string    `json:"id"`
	Run time.Time `json:"started_at"` // of the agent that saw it; N counts in that run
	report.Transition
}

// Cut counts what was left out of a body.
type Cut struct {
	Components int `json:"components,omitempty"`
	Labels     int `json:"labels,omitempty"`
	Findings   int `json:"findings,omitempty"`
	Evidence   int `json:"evidence,omitempty"` // facts and advice of the findings that are sent
	Texts      int `json:"texts,omitempty"`    // shortened: they end in an ellipsis
}
