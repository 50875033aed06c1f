// Package rule holds the failure patterns nodewatch knows, one file each, and
// the Judge that runs them. It does no I/O and reads no clock.
package rule

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Rule is one known failure pattern.
type Rule struct {
	ID        string        // stable, kebab-case; also the anchor in docs/rules.md
	Title     string        // what it is, in a few words
	About     string        // what it means and how it is told, a paragraph for the runbook
	Component Component     // the part of the node it is about
	Severity  string        // the severities it can have, for the docs
	Impact    string        // the impacts it can have and why, for the docs
	Do        []string      // what to do, for the docs; findings name this node's own commands
	Needs     []string      // sources without which it cannot say "not seen"
	Hold      time.Duration // how long it must be seen before it is raised
	Keep      time.Duration // how long it stays raised after it was last seen
	// Fact tells which of its findings are read off a setting and not measured:
	// those are neither held nor kept. nil: none.
	Fact   func(report.Finding) bool
	Limits any // pointer to a struct of thresholds, or nil; see Limit
	Check  func(Input) []report.Finding
	// Check returns what is seen now. A finding with State Blind stands for a
	// raised one that cannot be seen now: it stays as it was.
}

// A Component is a part of the node that a finding is about.
type Component string

// The components.
const (
	Network   Component = "network"   // bonds and NICs
	Storage   Component = "storage"   // krbd and libceph on this node
	Guests    Component = "guests"    // virtual machines and containers
	Host      Component = "host"      // the machine itself
	Cluster   Component = "cluster"   // what Ceph says of itself
	Nodewatch Component = "nodewatch" // its own sight
)

// An Input is what a rule may look at.
type Input struct {
	node.Snapshot
	Raised []report.Finding // this rule's own raised findings, for what latches
	census *census          // shared by the rules of one tick; nil: none
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

// fact is evidence of a source, at the time that source was last read.
func (in Input) fact(source, subject, fact string) report.Evidence {
	at := in.Now
	if src, ok := in.Source(source); ok && !src.Last.IsZero() {
		at = src.Last
	}
	return report.Evidence{Source: source, Subject: subject, Fact: fact, At: at}
}

// factAt is evidence of a source at a time of its own.
func factAt(source, subject, fact string, at time.Time) report.Evidence {
	return report.Evidence{Source: source, Subject: subject, Fact: fact, At: at}
}
