package node

import "encoding/json"

// SawState is the state that an earlier run persisted: baselines and the last
// incident, as written by internal/judge. It is read once after the start.
type SawState struct{ Reading[json.RawMessage] }

// Apply implements Observation.
func (o SawState) Apply(s Snapshot) Snapshot {
	s.State = o.after(s.State)
	return s.recordReading(SourceState, o.At, o.Every, s.State.Err)
}
