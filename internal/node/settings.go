package node

import "encoding/json"

// Settings are what makes the rules in force differ from the default ones, as
// plain data, so that a tape holds the thresholds its reports were made with.
type Settings struct {
	Limits   map[string]json.RawMessage `json:"limits,omitempty"` // rule id to its thresholds
	Off      []string                   `json:"off,omitempty"`    // ids of rules that are switched off, sorted
	Runbook  string                     `json:"runbook,omitempty"`
	SkipHold bool                       `json:"impatient,omitempty"` // findings are raised without a hold time: for a single check
}

// Apply implements Observation: settings change no picture of the node.
func (o Settings) Apply(s Snapshot) Snapshot { return s }
