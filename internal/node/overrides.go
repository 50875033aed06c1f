package node

import "github.com/nodewatch/nodewatch/internal/override"

// SawOverrides is what this node's operators have overridden.
type SawOverrides struct{ Reading[override.Overrides] }

// Apply implements Observation.
func (o SawOverrides) Apply(s Snapshot) Snapshot {
	s.Overrides = o.after(s.Overrides)
	return s.recordReading(SourceOverrides, o.At, o.Every, s.Overrides.Err)
}
