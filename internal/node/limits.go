package node

import (
	"slices"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// maxStorageLinks is the maximum number of links whose limits are read.
const maxStorageLinks = 64

// SawLimits is a reading of the rate limits that tc has set on the links that carry
// krbd's traffic.
type SawLimits struct{ Reading[bond.Limits] }

// Apply implements Observation.
func (o SawLimits) Apply(s Snapshot) Snapshot {
	s.Limits = o.after(s.Limits)
	return s.recordReading(SourceLimits, o.At, o.Every, s.Limits.Err)
}

// StorageLinks returns the links that carry krbd's traffic, including slaves, by name,
// the first 64.
func (s Snapshot) StorageLinks() []string {
	var names []string
	for i := range s.Storage {
		names = append(names, s.Storage[i].Way...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxStorageLinks)]
}
