package node

// A StateDirectory is where nodewatch persists what must outlive a restart: overrides
// and the state of reporters.
type StateDirectory struct {
	Path string `json:"path"`
}

// SawStateDirectory is whether the state directory is usable.
type SawStateDirectory struct{ Reading[StateDirectory] }

// Apply implements Observation.
func (o SawStateDirectory) Apply(s Snapshot) Snapshot {
	s.StateDirectory = o.after(s.StateDirectory)
	return s.recordReading(SourceStateDirectory, o.At, o.Every, s.StateDirectory.Err)
}
