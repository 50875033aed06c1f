// Package changes knows what has changed since somebody was last reported, for
// reporters that speak of changes and not of states. It sends nothing.
package changes

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Kind says what became of a finding.
type Kind string

// The kinds of change.
const (
	Raised  Kind = "raised"  // it is raised, or may be spoken of again
	Worse   Kind = "worse"   // its severity or its impact rose
	Blind   Kind = "blind"   // its sources went blind: whether it still applies is unknown
	Milder  Kind = "milder"  // its severity or its impact fell
	Seen    Kind = "seen"    // its sources are available again
	Missed  Kind = "passed"  // it was raised and cleared before it could be reported
	Cleared Kind = "cleared" // it is gone
)

// Kinds are all kinds, the most urgent first.
func Kinds() []Kind { return []Kind{Raised, Worse, Blind, Milder, Seen, Missed, Cleared} }

// A Change is what became of one finding since it was last reported.
type Change struct {
	Kind       Kind                 `json:"kind"`
	At         time.Time            `json:"at"` // when it changed, or when that was noticed
	Rule       string               `json:"rule"`
	Subject    string               `json:"subject,omitempty"`
	Component  report.ComponentName `json:"component"`
	From       report.Severity      `json:"from"`                  // the severity that was last reported, or Clear
	To         report.Severity      `json:"to"`                    // the severity now, or Clear
	Impact     report.Impact        `json:"impact"`                // now or, if it is gone, as last reported
	ImpactFrom report.Impact        `json:"impact_from,omitempty"` // the impact that was last reported, if that was another and it is raised still
	Since      time.Time            `json:"since"`
	Summary    string               `json:"summary"`
	Finding    *report.Finding      `json:"finding,omitempty"` // as it is now; absent if it is not raised
}

// Severity is the severity that the change is about: the new one or, once the
// finding is gone, the one it had.
func (c Change) Severity() report.Severity {
	if c.To == report.Clear {
		return c.From
	}
	return c.To
}

// mostChanges is how many changes an Event carries at most.
const mostChanges = 100

// An Event is what has changed on a node, all of it at once, the worst first.
type Event struct {
	ID          string              `json:"id"` // the same if it is sent again, another for every other event
	Node        string              `json:"node"`
	Site        string              `json:"site,omitempty"`
	Labels      report.Labels       `json:"labels,omitempty"`
	At          time.Time           `json:"at"`
	Status      report.Impact       `json:"status"`         // of the node, now
	Raised      int                 `json:"raised"`         // findings that are raised now and have been reported, this event included
	Changes     []Change            `json:"changes"`        // at most 100
	More        int                 `json:"more,omitempty"` // changes beyond those
	Maintenance *report.Maintenance `json:"maintenance,omitempty"`
	Test        bool                `json:"test,omitempty"`
	Version     string              `json:"version"`
}

// Event makes the Event of the changes; next is the Baseline after its delivery.
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

// sortChanges puts what is most urgent first.
func sortChanges(list []Change) {
	urgency := func(c Change) int {
		if c.Kind == Worse {
			return 0 // as urgent as what is new
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
