// Package all is the list of all rules.
package all

import (
	"slices"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/cluster"
	"github.com/nodewatch/nodewatch/internal/rule/guests"
	"github.com/nodewatch/nodewatch/internal/rule/host"
	"github.com/nodewatch/nodewatch/internal/rule/network"
	"github.com/nodewatch/nodewatch/internal/rule/self"
	"github.com/nodewatch/nodewatch/internal/rule/storage"
)

// Rules returns every rule, with its own default thresholds, in the order in which
// findings of equal severity are reported.
func Rules() []rule.Rule {
	return slices.Concat(storage.Rules(), guests.Rules(), network.Rules(), cluster.Rules(), host.Rules(), self.Rules())
}

// Default returns the set of all rules with their defaults.
func Default() rule.RuleSet { return rule.NewRuleSet(Rules) }
