// Package record reads the records of the public components from the store.
package record

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/checks"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Record contains the records of the public components.
type Record struct {
	Lines        map[string]uptime.Timeline // records by id, with maintenance
	Signals      []incident.Signal          // one for each kind of trouble that a component can have
	Maintenances []incident.Maintenance     // maintenances that end after the beginning of the record, or are not over
}

// Read reads the record of all public components from a time on.
func Read(ctx context.Context, tx *store.Tx, c config.Config, from time.Time) (r Record, err error) {
	r.Lines = map[string]uptime.Timeline{}
	if r.Maintenances, err = tx.Maintenances(ctx, from); err != nil {
		return r, err
	}
	windows := map[string][]uptime.Window{}
	for _, m := range r.Maintenances {
		if w, is := m.Window(); is {
			for _, id := range m.Components {
				windows[id] = append(windows[id], w)
			}
		}
	}
	for _, g := range c.Groups {
		for _, x := range g.Components {
			keys, err := follows(ctx, tx, x)
			if err != nil {
				return r, err
			}
			found, err := tx.Timelines(ctx, keys, from)
			if err != nil {
				return r, err
			}
			var all []uptime.Timeline
			kinds := map[incident.Kind][]uptime.Timeline{}
			for _, k := range keys { // in a fixed order, so that the same record makes the same page
				line, is := found[k]
				if !is {
					continue
				}
				all = append(all, line)
				if kind := kindOf(k, x); kind != "" {
					kinds[kind] = append(kinds[kind], line)
				}
			}
			line := uptime.Rollup(uptime.Policy{}, all...)
			if x.Node != "" && x.Check != nil {
				k := store.Key{Kind: store.Checked, Name: x.ID}
				seen, err := tx.Timelines(ctx, []store.Key{k}, from)
				if err != nil {
					return r, err
				}
				line = presence.Witness(line, seen[k])
				kinds[incident.Reachability] = []uptime.Timeline{witnessed(line)}
			}
			planned := slices.Concat(windows[g.ID], windows[x.ID])
			r.Lines[x.ID] = line.Maintained(planned)
			for _, kind := range slices.Sorted(maps.Keys(kinds)) {
				r.Signals = append(r.Signals, incident.Signal{
					Component: x.ID, Name: x.Name, Group: g.ID, Place: g.Name, Approval: g.Approval || c.Incidents.Approval, Kind: kind,
					Line: uptime.Rollup(uptime.Policy{}, kinds[kind]...).Maintained(planned),
				})
			}
		}
	}
	return r, nil
}

// kindOf returns the kind of trouble of a component's signal; empty: the signal was
// declared by a person and opens no incident.
func kindOf(k store.Key, c config.Component) incident.Kind {
	switch {
	case k.Kind == store.OfNode:
		return incident.KindOf(k.Name)
	case k.Kind == store.Declared:
		return ""
	case k.Kind == store.Checked && c.Check.ICMP != "":
		return incident.Reachability
	}
	return incident.Service
}

// witnessed returns only the results of the hub's own check for a silent node;
// trouble that the node itself reports has its own incidents.
func witnessed(line uptime.Timeline) uptime.Timeline {
	line = slices.Clone(line)
	for n, c := range line {
		if c.State != report.Unknown && c.Reason != checks.Failed && c.Reason != checks.NoPackets && c.Reason != checks.Certificate {
			line[n].State = report.Operational
		}
	}
	return line
}

// follows returns the signals that a public component follows.
func follows(ctx context.Context, tx *store.Tx, c config.Component) (keys []store.Key, err error) {
	declared := store.Key{Kind: store.Declared, Name: c.ID}
	if c.Node == "" {
		keys := []store.Key{{Kind: store.Pushed, Name: c.ID}, {Kind: store.Alerted, Name: c.ID}}
		if c.Check != nil {
			keys = append(keys, store.Key{Kind: store.Checked, Name: c.ID})
		}
		return append(keys, declared), nil
	}
	parts := c.Parts
	if len(parts) == 0 {
		states, err := tx.States(ctx, store.OfNode, c.Node)
		if err != nil {
			return nil, err
		}
		for part := range states {
			if part != "nodewatch" && part != "cluster" { // excludes the agent itself, and the cluster that all nodes share
				parts = append(parts, part)
			}
		}
		slices.Sort(parts)
	}
	for _, part := range parts {
		keys = append(keys, store.Key{Kind: store.OfNode, Owner: c.Node, Name: part})
	}
	return append(keys, declared), nil
}
