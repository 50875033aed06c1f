// Package self contains the rules about nodewatch itself: its sources, its reporters,
// and the latest incident.
package self

import "github.com/nodewatch/nodewatch/internal/rule"

// Rules returns the rules of this package, in the order in which findings of equal
// severity are reported.
func Rules() []rule.Rule {
	return []rule.Rule{kmsgLost(), sourceStalled(), reportUndelivered(), incidentOver()}
}
