package native

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Schema is the version of the protocol in each body.
const Schema = "nodewatch.report/1"

// MaxBody is the maximum size of a body, in bytes, before compression.
const MaxBody = 64 << 10

// A Body is one report in transit: docs/report-protocol.schema.json. Times are RFC
// 3339, by the node's clock.
type Body struct {
	Schema      string              `json:"schema"`
	Node        Node                `json:"node"`
	Agent       Agent               `json:"agent"`
	Inventory   report.Labels       `json:"inventory,omitempty"` // properties of the node, to compare nodes; for operators only
	Seq         uint64              `json:"seq"`                 // increases with each body of a boot, also after a restart of the agent
	SentAt      time.Time           `json:"sent_at"`
	Interval    int                 `json:"interval_s"`      // the next body arrives within this time, s
	TTL         int                 `json:"ttl_s"`           // without a body for this long the node's state is unknown, s
	Test        string              `json:"test,omitempty"`  // present in a test, which must not be stored
	Final       *Final              `json:"final,omitempty"` // the last report of this run
	Status      report.Impact       `json:"status"`          // the worst status of the components
	Maintenance *report.Maintenance `json:"maintenance,omitempty"`
	Components  []Component         `json:"components"`          // all components
	Findings    []report.Finding    `json:"findings"`            // all raised findings, worst first; for operators only
	Transitions []Transition        `json:"transitions"`         // not yet acknowledged transitions, oldest first
	Waiting     int                 `json:"transitions_waiting"` // number of unacknowledged transitions that are not in this body
	Dropped     uint64              `json:"transitions_dropped"` // number of transitions lost since agent.started_at
	Cut         *Cut                `json:"cut,omitempty"`       // parts omitted to keep the body small
}

// A Node is the node that is reported.
type Node struct {
	ID     string        `json:"id"` // permanent, and unique to this node
	Name   string        `json:"name"`
	Site   string        `json:"site,omitempty"`
	Labels report.Labels `json:"labels,omitempty"`
}

// An Agent is the sender of the report.
type Agent struct {
	Version string    `json:"version"`
	Boot    string    `json:"boot_id,omitempty"` // boot id of the running kernel; absent while unknown
	Started time.Time `json:"started_at"`
	Config  string    `json:"config_digest,omitempty"`
}

// Final marks the last report of a run: later silence is not a fault.
type Final struct {
	Reason string `json:"reason"`
}

// A Component is one part of the node.
type Component struct {
	ID       string            `json:"id"`
	Status   report.Impact     `json:"status"`
	Since    time.Time         `json:"since"`
	State    report.Visibility `json:"state"`            // whether its sources are available now
	Reason   string            `json:"reason,omitempty"` // the rule of its worst finding, not_seen, or maintenance
	Summary  string            `json:"summary"`          // for customers: contains no internal names
	Detail   string            `json:"detail,omitempty"` // for operators
	Severity report.Severity   `json:"severity,omitempty"`
	Flapping bool              `json:"flapping,omitempty"`
	Guests   *report.Guests    `json:"guests,omitempty"`
	Partly   string            `json:"partly,omitempty"` // for operators: what is unknown about it while the rest is visible
	Remedy   string            `json:"remedy,omitempty"` // for operators: how to make that known
}

// A Transition is one change of one finding. Its ID does not change when it is
// resent, and is unique among the node's transitions.
type Transition struct {
	ID  string    `json:"id"`
	Run time.Time `json:"started_at"` // start of the agent that observed it; N counts in that run
	report.Transition
}

// Cut counts the parts omitted from a body.
type Cut struct {
	Components int `json:"components,omitempty"`
	Labels     int `json:"labels,omitempty"`
	Findings   int `json:"findings,omitempty"`
	Evidence   int `json:"evidence,omitempty"` // evidence and advice of the findings that are sent
	Texts      int `json:"texts,omitempty"`    // truncated texts, which end in an ellipsis
}
