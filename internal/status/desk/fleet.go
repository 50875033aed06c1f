package desk

import (
	"context"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/fleet"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// gapsBack is the age up to which the hubs' gaps are read.
const gapsBack = 92 * 24 * time.Hour

// Fleet returns the whole fleet, the worst nodes first.
func Fleet(ctx context.Context, tx *store.Tx, now time.Time) ([]fleet.Row, error) {
	all, err := tx.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	gaps, err := tx.Gaps(ctx, now.Add(-gapsBack))
	if err != nil {
		return nil, err
	}
	listening := time.Time{}
	if len(gaps) > 0 {
		listening = gaps[len(gaps)-1].End
	}
	var nodes []fleet.Node
	for _, n := range all {
		nodes = append(nodes, fleet.Node{Body: n.Body, Arrived: n.Arrived, Interval: n.Interval, TTL: n.TTL, Final: n.Final})
	}
	return fleet.Table(nodes, listening, now), nil
}

// Assigned returns the nodes that a component of the page follows.
func Assigned(c config.Config) map[string]bool {
	nodes := map[string]bool{}
	for _, g := range c.Groups {
		for _, x := range g.Components {
			nodes[x.Node] = true
		}
	}
	return nodes
}

// The limits of a node's history.
const (
	historyBack = 30 * 24 * time.Hour
	historyRead = 2000 // transitions
	historyMost = 200  // the maximum number of transitions; the latest are kept
)

// A Node is everything that operators see of one node.
type Node struct {
	Row         fleet.Row
	Node        store.Node
	Causes      []report.Finding    // findings that no other finding explains
	Explained   []report.Finding    // findings that another finding explains
	Affected    []native.Component  // components whose status is not operational
	Operational []native.Component  // operational components
	History     []native.Transition // transitions within 30 days, the latest first, at most 200
}

// NodeOf returns the node with a key; false: there is none.
func NodeOf(ctx context.Context, tx *store.Tx, key string, now time.Time) (n Node, found bool, err error) {
	rows, err := Fleet(ctx, tx, now)
	if err != nil {
		return n, false, err
	}
	at := slices.IndexFunc(rows, func(r fleet.Row) bool { return r.Key == key })
	if at < 0 {
		return n, false, nil
	}
	n.Row = rows[at]
	n.Causes, n.Explained = fleet.Causes(n.Row.Findings)
	if n.Node, found, err = tx.Node(ctx, key); err != nil || !found {
		return n, false, err
	}
	for _, c := range n.Node.Body.Components {
		if c.Status == report.Operational {
			n.Operational = append(n.Operational, c)
		} else {
			n.Affected = append(n.Affected, c)
		}
	}
	n.History, err = tx.Transitions(ctx, n.Node.ID, now.Add(-historyBack), historyRead)
	slices.Reverse(n.History)
	n.History = n.History[:min(len(n.History), historyMost)]
	return n, true, err
}
