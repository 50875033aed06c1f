package page

import (
	"strings"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/rule"
)

// A ruleView is the documentation of one rule, with the thresholds that are in force.
type ruleView struct {
	ID, Title string
	About     []wordsView
	Facts     []factLine
	Limits    []rule.Limit
	Do        [][]wordsView
}

// A wordsView is a part of a text, as it stands or as code.
type wordsView struct {
	Text string
	Code bool
}

// wordsOf splits a text at its backticks.
func wordsOf(text string) []wordsView {
	var list []wordsView
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			list = append(list, wordsView{part, i%2 == 1})
		}
	}
	return list
}

func rulesOf(v judge.View) []ruleView {
	var list []ruleView
	for _, r := range v.Rules.Rules {
		one := ruleView{ID: r.ID, Title: r.Title, About: wordsOf(r.About), Limits: rule.Limits(r)}
		for _, p := range rule.Properties(r) {
			one.Facts = append(one.Facts, factLine{Name: p[0], Text: p[1]})
		}
		for _, do := range r.Do {
			one.Do = append(one.Do, wordsOf(do))
		}
		list = append(list, one)
	}
	return list
}
