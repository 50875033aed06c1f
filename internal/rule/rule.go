// Package rule defines how rules are written: what a rule declares, what input it
// gets, and what it returns. The rules themselves are in the packages below, one file
// each; internal/judge runs them. Package rule does no I/O and does not read the
// clock.
package rule

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Rule is one known failure pattern.
type Rule struct {
	ID        string               // stable, kebab-case; also the anchor in docs/rules.md
	Title     string               // the failure pattern, in a few words
	About     string               // what it means and what triggers it, one paragraph for the runbook
	Component report.ComponentName // the part of the node that findings are about
	Severity  string               // the possible severities, for the docs
	Impact    string               // the possible impacts and their reasons, for the docs
	Do        []string             // the steps to take, for the docs; findings contain this node's own commands

	// Needs are the sources that the rule's levels depend on, unless a Result names
	// others.
	Needs []string

	For           Timing // how long a severity must be observed before it is raised
	KeepFiringFor Timing // how long a severity stays raised after the last observation

	// Explains are the ids of the rules whose findings this rule's findings can
	// explain. The relation must not have cycles.
	Explains []string

	Limits any // pointer to a struct of thresholds, or nil; see Limit

	// Check returns what is observed now: one Result for each subject.
	Check func(Input) []Result
}

// A Timing is a duration for each severity.
type Timing struct{ Info, Warning, Critical time.Duration }

// Always returns a Timing with the same duration for every severity.
func Always(d time.Duration) Timing { return Timing{Info: d, Warning: d, Critical: d} }

// Of returns the duration for a severity.
func (t Timing) Of(s report.Severity) time.Duration {
	switch s {
	case report.Info:
		return t.Info
	case report.Critical:
		return t.Critical
	}
	return t.Warning
}

// An Input is what a rule may read.
type Input struct {
	*facts.Facts
	Raised   []Raised         // this rule's own raised findings, by subject
	Incident *report.Incident // the current or else the latest incident; nil: none
}

// A Raised is one of a rule's own findings as published after the last tick.
type Raised struct {
	Finding report.Finding
	State   any // Result.State of the tick that last observed it
}

// Was returns this rule's raised finding for the given subject, and whether there is
// one.
func (in Input) Was(subject string) (Raised, bool) {
	for _, r := range in.Raised {
		if r.Finding.Subject == subject {
			return r, true
		}
	}
	return Raised{}, false
}

// StateOf returns the state that the rule stored with its raised finding for the
// given subject; false if there is none.
func StateOf[T any](in Input, subject string) (state T, raised bool) {
	was, found := in.Was(subject)
	if !found {
		return state, false
	}
	state, found = was.State.(T)
	return state, found
}

// Fact returns evidence from a source, dated with the source's last reading.
func (in Input) Fact(source, subject, fact string) report.Evidence {
	at := in.Now
	if src, ok := in.Source(source); ok && !src.Last.IsZero() {
		at = src.Last
	}
	return FactAt(source, subject, fact, at)
}

// FactAt returns evidence from a source, with its own time.
func FactAt(source, subject, fact string, at time.Time) report.Evidence {
	return report.Evidence{Source: source, Subject: subject, Fact: fact, At: at}
}
