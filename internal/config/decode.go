package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/strictyaml"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// decode decodes a file. Mistakes do not hide each other.
func decode(file string, raw []byte) (Config, error) {
	c := Default()
	d, root := strictyaml.Parse(file, raw)
	reporters, rules := root.Take("reporters"), root.Take("rules")
	root.Decode(&c)
	wrong := func(section string, list []*report.FieldError) {
		for _, m := range list {
			if field := section + "." + m.Field; !d.Has(field) { // no second error for a section that could not be decoded
				d.Wrong(field, "%s", m.Text)
			}
		}
	}
	wrong("web", c.Web.Mistakes())
	wrong("links", c.Links.mistakes())
	if c.Runbook != "" {
		c.Rules.Runbook = c.Runbook
	}
	all := c.Rules
	c.Rules = applyRules(rules, c.Rules)
	if d.Has("rules") {
		c.Rules = all // so that a reporter may still name any rule
	}
	c.Reporters = decodeReporters(reporters, c.Rules)
	if err := d.Report(); err != nil {
		list, _ := errors.AsType[strictyaml.Errors](err) // Report returns no other type
		return Config{}, Errors(list)
	}
	return c, nil
}

// applyRules applies the section "rules": thresholds by rule id, and "off".
func applyRules(s *strictyaml.Section, b rule.RuleSet) rule.RuleSet {
	off := map[string]bool{}
	s.Each("rule ids", func(id string, one *strictyaml.Section) {
		i := slices.IndexFunc(b.Rules, func(r rule.Rule) bool { return r.ID == id })
		if i < 0 {
			one.Wrong("", "unknown rule; valid are %s", strings.Join(ids(b), ", "))
			return
		}
		one.Each("thresholds", func(name string, value *strictyaml.Section) {
			text, single := value.Text()
			switch {
			case !single:
			case name == "off":
				is := false
				value.Decode(&is)
				off[id] = is
			default:
				if err := rule.SetLimit(&b.Rules[i], name, text); err != nil {
					value.Wrong("", "%v", err)
				}
			}
		})
	})
	for id, is := range off {
		if is {
			b = b.Without(id)
		}
	}
	return b
}

func ids(b rule.RuleSet) []string {
	var list []string
	for _, r := range b.Rules {
		list = append(list, r.ID)
	}
	return list
}
