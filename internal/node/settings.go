package node

import "encoding/json"

// Settings are the differences between the current rules and the defaults, as plain
// data, so that a tape contains the thresholds of its reports.
type Settings struct {
	Limits   map[string]json.RawMessage `json:"limits,omitempty"` // rule id to its thresholds
	Off      []string                   `json:"off,omitempty"`    // ids of rules that are switched off, sorted
	Runbook  string                     `json:"runbook,omitempty"`
	SkipHold bool                       `json:"impatient,omitempty"` // findings are raised without a hold time: for a single check
}

// Apply implements Observation: settings do not change the Snapshot.
func (o Settings) Apply(s Snapshot) Snapshot { return s }
