package rule

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/nodewatch/nodewatch/internal/node"
)

// runbooks is the default base URL of the generated rule documentation. The linker sets
// it to the URL of the release, so that links from this version explain this version's
// rules even after a newer release.
var runbooks = "https://github.com/nodewatch/nodewatch/blob/main/docs/rules.md"

// A RuleSet is the set of rules in use.
type RuleSet struct {
	Rules   []Rule   // enabled rules, in reporting order
	Off     []string // ids of the disabled rules, sorted
	Runbook string   // base URL of the rule documentation; a rule's id is its anchor

	all func() []Rule
}

// NewRuleSet returns the set of all rules that the function returns. Each call of the
// function must return new rules with their own default thresholds.
func NewRuleSet(all func() []Rule) RuleSet {
	return RuleSet{Rules: all(), Runbook: runbooks, all: all}
}

// All returns all rules with their defaults, including disabled ones.
func (b RuleSet) All() []Rule { return b.all() }

// Rule returns the rule with the given id, and whether it is enabled.
func (b RuleSet) Rule(id string) (Rule, bool) {
	if i := slices.IndexFunc(b.Rules, func(r Rule) bool { return r.ID == id }); i >= 0 {
		return b.Rules[i], true
	}
	return Rule{}, false
}

// RunbookURL returns the URL of the rule's documentation.
func (b RuleSet) RunbookURL(id string) string { return b.Runbook + "#" + id }

// Without returns the set without the rule with the given id.
func (b RuleSet) Without(id string) RuleSet {
	if _, on := b.Rule(id); !on {
		return b
	}
	b.Rules = slices.DeleteFunc(slices.Clone(b.Rules), func(r Rule) bool { return r.ID == id })
	b.Off = append(slices.Clone(b.Off), id)
	slices.Sort(b.Off)
	return b
}

// Settings returns the differences between the set and the defaults, as plain data.
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

// With returns the set that the settings describe. Thresholds that this version does
// not have, cannot parse or does not allow stay at their defaults, so that tapes of
// other versions can be replayed.
func (b RuleSet) With(o node.Settings) RuleSet {
	if b.all == nil { // made from a fixed list
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

// load sets thresholds from JSON: either all that it names, or none.
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
