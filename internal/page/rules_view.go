package page

import (
	"strings"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/rule"
)

// A ruleView shows the documentation of one rule, with its current thresholds.
type ruleView struct {
	ID, Title string
	About     []rulesView
	Facts     []factLine
	Limits    []rule.Limit
	Do        [][]rulesView
}

// A rulesView is a part of a text, either plain or code.
type rulesView struct {
	Text string
	Code bool
}

// rulesViewOf splits a text at its backticks.
func rulesViewOf(text string) []rulesView {
	var list []rulesView
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			list = append(list, rulesView{part, i%2 == 1})
		}
	}
	return list
}

func rulesOf(v judge.View) []ruleView {
	var list []ruleView
	for _, r := range v.Rules.Rules {
		one := ruleView{ID: r.ID, Title: r.Title, About: rulesViewOf(r.About), Limits: rule.Limits(r)}
		for _, p := range rule.Properties(r) {
			one.Facts = append(one.Facts, factLine{Name: p[0], Text: p[1]})
		}
		for _, do := range r.Do {
			one.Do = append(one.Do, rulesViewOf(do))
		}
		list = append(list, one)
	}
	return list
}
