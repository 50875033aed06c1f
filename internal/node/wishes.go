package node

import "github.com/nodewatch/nodewatch/internal/override"

// SawWishes is what this node's operators wish.
type SawWishes struct{ Reading[override.Overrides] }

// Apply implements Observation.
func (o SawWishes) Apply(s Snapshot) Snapshot {
	s.Wishes = o.after(s.Wishes)
	return s.heard(SourceWishes, o.At, o.Every, s.Wishes.Err)
}
