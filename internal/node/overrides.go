package node

import "github.com/nodewatch/nodewatch/internal/override"

// SawOverrides contains the overrides of this node's operators.
type SawOverrides struct{ Reading[override.Overrides] }

// Apply implements Observation.
func (o SawOverrides) Apply(s Snapshot) Snapshot {
	s.Overrides = o.after(s.Overrides)
	return s.recordReading(SourceOverrides, o.At, o.Every, s.Overrides.Err)
}
