package rule

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/nodewatch/nodewatch/internal/node"
)

// runbooks is where the generated documentation of the rules lies, unless configured.
const runbooks = "https://github.com/nodewatch/nodewatch/blob/main/docs/rules.md"

// A Book is the rules in force.
type Book struct {
	Rules   []Rule   // those that are switched on, in the order they are reported
	Off     []string // ids of those that are switched off, sorted
	Runbook string   // base URL of their documentation; a rule's id is its anchor
}

// Default is the book with every rule and every default.
func Default() Book { return Book{Rules: All(), Runbook: runbooks} }

// Rule returns the rule of the given id, and whether it is in force.
func (b Book) Rule(id string) (Rule, bool) {
	i := b.place(id)
	if i == len(b.Rules) {
		return Rule{}, false
	}
	return b.Rules[i], true
}

// place is the rule's place in the book; the number of rules if it is not in it.
func (b Book) place(id string) int {
	if i := slices.IndexFunc(b.Rules, func(r Rule) bool { return r.ID == id }); i >= 0 {
		return i
	}
	return len(b.Rules)
}

// RunbookURL is where the rule is explained.
func (b Book) RunbookURL(id string) string { return b.Runbook + "#" + id }

// Without returns the book without the rule of the given id.
func (b Book) Without(id string) Book {
	if _, on := b.Rule(id); !on {
		return b
	}
	b.Rules = slices.DeleteFunc(slices.Clone(b.Rules), func(r Rule) bool { return r.ID == id })
	b.Off = append(slices.Clone(b.Off), id)
	slices.Sort(b.Off)
	return b
}

// Settings returns the book as plain data.
func (b Book) Settings() (node.Settings, error) {
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

// FromSettings returns the book that the settings describe. Thresholds of rules that
// this nodewatch does not have, cannot read, or does not allow, are left at their
// defaults: a tape of another version still plays.
func FromSettings(o node.Settings) Book {
	b := Default()
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
		if o.Impatient {
			b.Rules[i].Hold = 0
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
