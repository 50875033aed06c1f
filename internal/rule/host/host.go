// Package host contains the rules about the machine itself, one file each.
package host

import "github.com/nodewatch/nodewatch/internal/rule"

// Rules returns the rules of the component host, in the order in which findings of
// equal severity are reported.
func Rules() []rule.Rule { return []rule.Rule{hostFault(), hostIOPressure()} }
