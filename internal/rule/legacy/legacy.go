// Package legacy holds the rules that have not been rewritten yet, and adapts
// them to internal/rule.
package legacy

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Rule is one known failure pattern.
type Rule struct {
	ID        string
	Title     string
	About     string
	Component Component
	Severity  string
	Impact    string
	Do        []string
	Needs     []string
	Hold      time.Duration
	Keep      time.Duration
	Fact      func(report.Finding) bool
	Limits    any
	Check     func(Input) []report.Finding
}

// A Component is a part of the node that a finding is about.
type Component = rule.Component

// The components.
const (
	Network   = rule.Network
	Storage   = rule.Storage
	Guests    = rule.Guests
	Host      = rule.Host
	Cluster   = rule.Cluster
	Nodewatch = rule.Nodewatch
)

// An Input is what a rule may look at.
type Input struct {
	node.Snapshot
	Raised []report.Finding
}

// Was returns this rule's raised finding of the given subject, and whether there is one.
func (in Input) Was(subject string) (report.Finding, bool) {
	for _, f := range in.Raised {
		if f.Subject == subject {
			return f, true
		}
	}
	return report.Finding{}, false
}

func (in Input) fact(source, subject, fact string) report.Evidence {
	at := in.Now
	if src, ok := in.Source(source); ok && !src.Last.IsZero() {
		at = src.Last
	}
	return report.Evidence{Source: source, Subject: subject, Fact: fact, At: at}
}

func factAt(source, subject, fact string, at time.Time) report.Evidence {
	return rule.FactAt(source, subject, fact, at)
}

func paste(format string, names ...string) string { return rule.ShellCommand(format, names...) }

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Rules are the rules of All, as internal/rule has them.
func Rules() []rule.Rule { return adapt(All()) }

func adapt(list []Rule) []rule.Rule {
	adapted := make([]rule.Rule, len(list))
	for i, r := range list {
		adapted[i] = rule.Rule{
			ID: r.ID, Title: r.Title, About: r.About, Component: r.Component, Severity: r.Severity, Impact: r.Impact, Do: r.Do,
			Needs: r.Needs, For: rule.Always(r.Hold), KeepFiringFor: rule.Always(r.Keep), Limits: r.Limits,
			Check: func(in rule.Input) []rule.Result {
				old := Input{Snapshot: in.Snapshot}
				for _, was := range in.Raised {
					old.Raised = append(old.Raised, was.Finding)
				}
				var results []rule.Result
				for _, f := range r.Check(old) {
					results = append(results, rule.Result{
						Subject: f.Subject, Severity: f.Severity, Impact: f.Impact, Setting: r.Fact != nil && r.Fact(f) && f.Severity != report.Critical, Blind: f.State == report.Blind,
						Since: f.Since, Summary: f.Summary, Evidence: f.Evidence, Against: f.Against, Advice: f.Advice,
					})
				}
				return results
			},
		}
	}
	return adapted
}
