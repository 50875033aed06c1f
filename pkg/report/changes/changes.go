// Package changes determines what has changed since the last report to a reader, for
// reporters that send changes instead of states. It sends nothing.
package changes

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Kind is the kind of a change of a finding.
type Kind string

// The kinds of change.
const (
	Raised  Kind = "raised"  // it is raised, or may be reported again
	Worse   Kind = "worse"   // its severity or its impact increased
	Blind   Kind = "blind"   // its sources became unavailable: whether it still applies is unknown
	Milder  Kind = "milder"  // its severity or its impact decreased
	Seen    Kind = "seen"    // its sources are available again
	Missed  Kind = "passed"  // it was raised and cleared before it could be reported
	Cleared Kind = "cleared" // it has cleared
)

// Kinds are all kinds, most urgent first.
func Kinds() []Kind { return []Kind{Raised, Worse, Blind, Milder, Seen, Missed, Cleared} }

// A Change is the change of one finding since it was last reported.
type Change struct {
	Kind       Kind                 `json:"kind"`
	At         time.Time            `json:"at"` // when it changed, or when the change was noticed
	Rule       string               `json:"rule"`
	Subject    string               `json:"subject,omitempty"`
	Component  report.ComponentName `json:"component"`
	From       report.Severity      `json:"from"`                  // the last reported severity, or Clear
	To         report.Severity      `json:"to"`                    // the current severity, or Clear
	Impact     report.Impact        `json:"impact"`                // current impact or, if it has cleared, as last reported
	ImpactFrom report.Impact        `json:"impact_from,omitempty"` // the last reported impact, if it differs and the finding is still raised
	Since      time.Time            `json:"since"`
	Summary    string               `json:"summary"`
	Finding    *report.Finding      `json:"finding,omitempty"` // current finding; absent if it is not raised
}

// Severity returns the new severity or, for a cleared finding, its last severity.
func (c Change) Severity() report.Severity {
	if c.To == report.Clear {
		return c.From
	}
	return c.To
}

// mostChanges is the maximum number of changes in an Event.
const mostChanges = 100

// An Event is all changes on a node since the previous event, worst first.
type Event struct {
	ID          string              `json:"id"` // unchanged if it is resent, unique among events
	Node        string              `json:"node"`
	Site        string              `json:"site,omitempty"`
	Labels      report.Labels       `json:"labels,omitempty"`
	At          time.Time           `json:"at"`
	Status      report.Impact       `json:"status"`         // current impact of the node
	Raised      int                 `json:"raised"`         // number of raised findings that have been reported, including by this event
	Changes     []Change            `json:"changes"`        // at most 100
	More        int                 `json:"more,omitempty"` // number of further changes
	Maintenance *report.Maintenance `json:"maintenance,omitempty"`
	Test        bool                `json:"test,omitempty"`
	Version     string              `json:"version"`
}

// Event returns the Event of the changes. next is the Baseline after its delivery.
func (next Baseline) Event(r report.Report, changes []Change) Event {
	boot := r.Boot
	if boot == "" {
		boot = "unknown"
	}
	some := append([]Change{}, changes[:min(len(changes), mostChanges)]...)
	return Event{
		ID: fmt.Sprintf("%s/%d/%d", boot, next.N, next.Sent), Node: r.Node, Site: r.Site, Labels: r.Labels, At: r.At,
		Status: r.Status, Raised: len(next.Findings), Changes: some, More: len(changes) - len(some),
		Maintenance: r.Maintenance, Test: r.Test, Version: r.Version,
	}
}

// sortChanges sorts changes, most urgent first.
func sortChanges(list []Change) {
	urgency := func(c Change) int {
		if c.Kind == Worse {
			return 0 // as urgent as raised
		}
		return slices.Index(Kinds(), c.Kind)
	}
	slices.SortStableFunc(list, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(urgency(a), urgency(b)),
			cmp.Compare(b.Severity().Rank(), a.Severity().Rank()),
			cmp.Compare(b.Impact.Rank(), a.Impact.Rank()),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Subject, b.Subject),
		)
	})
}
