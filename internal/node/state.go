package node

import "encoding/json"

// SawState is what an earlier run kept for this one: baselines and the last incident,
// as internal/judge wrote them. It is read once after the start.
type SawState struct{ Reading[json.RawMessage] }

// Apply implements Observation.
func (o SawState) Apply(s Snapshot) Snapshot {
	s.State = o.after(s.State)
	return s.recordReading(SourceState, o.At, o.Every, s.State.Err)
}
