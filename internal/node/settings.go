package node

import "encoding/json"

// Settings are the differences between the current rules and the defaults, as plain
// data, so that a tape contains the thresholds of its reports.
type Settings struct {
	Limits   map[string]json.RawMessage `json:"limits,omitempty"` // thresholds by rule id
	Off      []string                   `json:"off,omitempty"`    // ids of disabled rules, sorted
	Runbook  string                     `json:"runbook,omitempty"`
	SkipHold bool                       `json:"impatient,omitempty"` // findings are raised at once, without For: for a single check
}

// Apply implements Observation: settings do not change the Snapshot.
func (o Settings) Apply(s Snapshot) Snapshot { return s }
