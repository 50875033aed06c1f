// Package guests contains the rules about virtual machines and containers, one file
// each.
package guests

import "github.com/nodewatch/nodewatch/internal/rule"

// Rules returns the rules of the component guests.
func Rules() []rule.Rule { return []rule.Rule{vmPaused()} }
