package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/nodewatch/nodewatch/internal/rule"
)

// rules applies the section "rules": rule id to thresholds, and "off".
func (d decoder) rules(n *yaml.Node, b rule.RuleSet) (rule.RuleSet, error) {
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return b, nil
	}
	if n.Kind != yaml.MappingNode {
		return b, d.wrong(n, "rules", "must be a mapping of rule ids")
	}
	var off []string
	err := d.fields(n, "rules", func(key, value *yaml.Node) error {
		i := slices.IndexFunc(b.Rules, func(r rule.Rule) bool { return r.ID == key.Value })
		if i < 0 {
			return d.wrong(key, join("rules", key.Value), "no such rule; there are %s", strings.Join(ids(b), ", "))
		}
		is, err := d.rule(value, &b.Rules[i])
		if is {
			off = append(off, key.Value)
		}
		return err
	})
	for _, id := range off {
		b = b.Without(id)
	}
	return b, err
}

// rule applies the settings of one rule, and returns whether it is switched off.
func (d decoder) rule(n *yaml.Node, r *rule.Rule) (off bool, err error) {
	field := "rules." + r.ID
	if n.Kind != yaml.MappingNode {
		return false, d.wrong(n, field, "must be a mapping of thresholds")
	}
	err = d.fields(n, field, func(key, value *yaml.Node) error {
		at := join(field, key.Value)
		if value.Kind != yaml.ScalarNode {
			return d.wrong(value, at, "must be a single value")
		}
		if key.Value == "off" {
			if value.Tag != "!!bool" {
				return d.wrong(value, at, "%s is not allowed: true or false", value.Value)
			}
			off = value.Value == "true"
			return nil
		}
		if err := rule.SetLimit(r, key.Value, value.Value); err != nil {
			return d.wrong(value, at, "%v", err)
		}
		return nil
	})
	return off, err
}

func ids(b rule.RuleSet) []string {
	var list []string
	for _, r := range b.Rules {
		list = append(list, r.ID)
	}
	return list
}
