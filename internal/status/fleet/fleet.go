// Package fleet is the operators' view of all nodes: the state of each node, and the
// nodes that differ from the others of their site. It reads no clock.
package fleet

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// A Node is the known state of a node.
type Node struct {
	Body     native.Body // its latest report
	Arrived  time.Time   // when the latest report arrived, by the hub's clock
	Interval time.Duration
	TTL      time.Duration
	Final    string // why its agent stopped; empty: it is running
}

// A Row is a node in the fleet table.
type Row struct {
	Key      string
	Site     string
	Version  string
	Status   report.Impact // as reported; unknown once its TTL has passed
	Worst    report.Severity
	Headline string // summary of the worst finding that no other finding explains
	Findings []report.Finding
	Arrived  time.Time
	Age      time.Duration
	Presence presence.Phase
	Labels   report.Labels
	Made     report.Labels // its inventory
	Odd      []Odd         // differences from most nodes of its site
}

// Table returns the fleet at a time, the worst nodes first. listening is the end of
// the hubs' latest gap; zero: there was none.
func Table(nodes []Node, listening, now time.Time) []Row {
	rows := make([]Row, 0, len(nodes))
	for _, n := range nodes {
		r := Row{Key: n.Body.Node.ID, Site: n.Body.Node.Site, Version: n.Body.Agent.Version, Status: n.Body.Status,
			Findings: n.Body.Findings, Arrived: n.Arrived, Age: max(now.Sub(n.Arrived), 0), Labels: n.Body.Node.Labels, Made: made(n.Body)}
		r.Presence = presence.Node{Arrived: n.Arrived, Interval: n.Interval, TTL: n.TTL, Stopped: n.Final != ""}.Phase(listening, now)
		if r.Age > n.TTL {
			r.Status = report.Unknown
		}
		for _, f := range n.Body.Findings {
			if f.Severity.Rank() > r.Worst.Rank() {
				r.Worst = f.Severity
			}
		}
		if causes, _ := Causes(r.Findings); len(causes) > 0 {
			r.Headline = causes[0].Summary
		}
		rows = append(rows, r)
	}
	findOdd(rows)
	slices.SortStableFunc(rows, func(a, b Row) int {
		if d := b.Status.Rank() - a.Status.Rank(); d != 0 {
			return d
		}
		if d := b.Worst.Rank() - a.Worst.Rank(); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	return rows
}
