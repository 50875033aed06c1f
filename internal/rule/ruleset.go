package rule

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/nodewatch/nodewatch/internal/node"
)

// runbooks is where the generated documentation of the rules is, unless configured. The
// linker sets it to that of the release, so that a link still explains this version's
// rules when there is a newer one.
var runbooks = "https://github.com/nodewatch/nodewatch/blob/main/docs/rules.md"

// A RuleSet is the rules in force.
type RuleSet struct {
	Rules   []Rule   // those that are switched on, in the order they are reported
	Off     []string // ids of those that are switched off, sorted
	Runbook string   // base URL of their documentation; a rule's id is its anchor

	all func() []Rule
}

// NewRuleSet is the set of all rules that the function returns. Each call of it
// must return new rules with default thresholds of their own.
func NewRuleSet(all func() []Rule) RuleSet {
	return RuleSet{Rules: all(), Runbook: runbooks, all: all}
}

// All are all rules with their defaults, also those that are switched off.
func (b RuleSet) All() []Rule { return b.all() }

// Rule returns the rule of the given id, and whether it is in force.
func (b RuleSet) Rule(id string) (Rule, bool) {
	if i := slices.IndexFunc(b.Rules, func(r Rule) bool { return r.ID == id }); i >= 0 {
		return b.Rules[i], true
	}
	return Rule{}, false
}

// RunbookURL is where the rule is explained.
func (b RuleSet) RunbookURL(id string) string { return b.Runbook + "#" + id }

// Without returns the set without the rule of the given id.
func (b RuleSet) Without(id string) RuleSet {
	if _, on := b.Rule(id); !on {
		return b
	}
	b.Rules = slices.DeleteFunc(slices.Clone(b.Rules), func(r Rule) bool { return r.ID == id })
	b.Off = append(slices.Clone(b.Off), id)
	slices.Sort(b.Off)
	return b
}

// Settings returns what makes the set differ from the defaults, as plain data.
func (b RuleSet) Settings() (node.Settings, error) {
	s := node.Settings{Limits: map[string]json.RawMessage{}, Off: b.Off, Runbook: b.Runbook}
	for _, r := range b.Rules {
		if r.Limits == nil {
			continue
		}
		raw, err := json.Marshal(r.Limits)
		if err != nil {
			return node.Settings{}, fmt.Errorf("thresholds of %s: %w", r.ID, err)
		}
		s.Limits[r.ID] = raw
	}
	return s, nil
}

// With returns the set that the settings describe. Thresholds of rules that this
// nodewatch does not have, cannot read, or does not allow, are left at their
// defaults: a tape of another version still plays.
func (b RuleSet) With(o node.Settings) RuleSet {
	if b.all == nil { // made of a list, which stays as it is
		return b
	}
	b = NewRuleSet(b.all)
	for _, r := range b.Rules {
		if raw, found := o.Limits[r.ID]; found {
			load(r.Limits, raw)
		}
	}
	for _, id := range o.Off {
		b = b.Without(id)
	}
	if o.Runbook != "" {
		b.Runbook = o.Runbook
	}
	for i := range b.Rules {
		if o.SkipHold {
			b.Rules[i].For = Timing{}
		}
	}
	return b
}

// load sets thresholds from their JSON: all that it names, or none of them.
func load(limits any, raw json.RawMessage) {
	v := limitsOf(limits)
	if !v.IsValid() {
		return
	}
	read := reflect.New(v.Type())
	read.Elem().Set(v)
	if json.Unmarshal(raw, read.Interface()) == nil && CheckLimits(read.Interface()) == nil {
		v.Set(read.Elem())
	}
}
