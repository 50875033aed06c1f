// Package facts is what follows from a Snapshot: typed answers to the questions
// that causes, rules and views ask, each computed at most once a tick. It holds
// no text and no opinion, does no I/O and reads no clock.
package facts

import "github.com/nodewatch/nodewatch/internal/node"

// Facts are the answers for one Snapshot. Its methods may be called from several
// goroutines; what they return must not be changed.
type Facts struct {
	node.Snapshot
}

// New returns the facts of a Snapshot. Nothing is computed until it is asked for.
func New(s node.Snapshot) *Facts { return &Facts{Snapshot: s} }
