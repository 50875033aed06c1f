// Package ruletest checks rules against the simulated nodes of internal/nodetest, and
// formats their results.
package ruletest

import (
	"cmp"
	"testing"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// Check runs a rule once on the current state of n. raised are the findings of the
// rule that are already raised.
func Check(n *nodetest.Node, r rule.Rule, raised ...rule.Raised) []rule.Result {
	return r.Check(rule.Input{Facts: facts.New(n.Snapshot, facts.Baselines{}), Raised: raised})
}

// OnlyOne returns the only result; nil for none.
func OnlyOne(t *testing.T, list []rule.Result) *rule.Result {
	t.Helper()
	switch len(list) {
	case 0:
		return nil
	case 1:
		return &list[0]
	}
	t.Fatalf("got %d results, want one at most: %+v", len(list), list)
	return nil
}

// Said formats a result for a test's table: severity, minimum impact, subject and
// summary; empty for none.
func Said(f *rule.Result) string {
	if f == nil {
		return ""
	}
	s := string(f.Severity) + "/" + string(cmp.Or(f.Impact, report.Operational))
	if f.Subject != "" {
		s += " " + f.Subject
	}
	return s + ": " + f.Summary
}

// FactsOf returns the facts of a list of evidence.
func FactsOf(list []report.Evidence) []string {
	var all []string
	for _, e := range list {
		all = append(all, e.Fact)
	}
	return all
}

// CommandsOf returns the commands of a list of advice.
func CommandsOf(list []report.Advice) []string {
	var all []string
	for _, a := range list {
		if a.Command != "" {
			all = append(all, a.Command)
		}
	}
	return all
}
