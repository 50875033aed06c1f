package node

// A StateDirectory is where nodewatch keeps what must outlive a restart: overrides,
// and what reporters must not forget.
type StateDirectory struct {
	Path string `json:"path"`
}

// SawStateDirectory is whether the state directory can be used.
type SawStateDirectory struct{ Reading[StateDirectory] }

// Apply implements Observation.
func (o SawStateDirectory) Apply(s Snapshot) Snapshot {
	s.StateDirectory = o.after(s.StateDirectory)
	return s.recordReading(SourceStateDirectory, o.At, o.Every, s.StateDirectory.Err)
}
