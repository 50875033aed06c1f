package main

import (
	"context"
	"errors"
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

// A record is what is recorded of the public components.
type record struct {
	lines        map[string]uptime.Timeline // by id; maintenance is in them
	signals      []incident.Signal          // one for each kind of trouble that a component can have
	maintenances []incident.Maintenance     // that end after the record begins, or are not over
}

// readRecord reads the record of all public components from a time on.
func readRecord(ctx context.Context, tx *store.Tx, c config.Config, from time.Time) (r record, err error) {
	r.lines = map[string]uptime.Timeline{}
	if r.maintenances, err = tx.Maintenances(ctx, from); err != nil {
		return r, err
	}
	windows := map[string][]uptime.Window{}
	for _, m := range r.maintenances {
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
			for _, k := range keys { // in one order, so that the same record makes the same page
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
			r.lines[x.ID] = line.Maintained(planned)
			for _, kind := range slices.Sorted(maps.Keys(kinds)) {
				r.signals = append(r.signals, incident.Signal{
					Component: x.ID, Name: x.Name, Group: g.ID, Place: g.Name, Approval: g.Approval || c.Incidents.Approval, Kind: kind,
					Line: uptime.Rollup(uptime.Policy{}, kinds[kind]...).Maintained(planned),
				})
			}
		}
	}
	return r, nil
}

// kindOf is the kind of trouble that a signal of a component has; empty: it opens no
// incident, as a person has said it.
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

// witnessed is what the hub's own check says of a silent node; trouble that the node
// reports itself has incidents of its own.
func witnessed(line uptime.Timeline) uptime.Timeline {
	line = slices.Clone(line)
	for n, c := range line {
		if c.State != report.Unknown && c.Reason != checks.Failed && c.Reason != checks.NoPackets && c.Reason != checks.Certificate {
			line[n].State = report.Operational
		}
	}
	return line
}

// follows are the signals that a public component follows.
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
			if part != "nodewatch" && part != "cluster" { // the agent itself, and what all nodes share
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

// incidentPolicy is when incidents are opened and closed.
func incidentPolicy(c config.Config) incident.Policy {
	return incident.Policy{After: c.Incidents.After, CloseAfter: c.Incidents.CloseAfter, ReopenWithin: c.Incidents.ReopenWithin, Zone: c.Page.Zone}
}

// machine is who changes incidents in the audit log where no person does.
const machine = "nodewatch-status"

// findIncidents begins and ends maintenances, and then opens, updates and closes
// incidents, which depend on them.
func (h *hub) findIncidents(ctx context.Context) error {
	c := *h.config.Load()
	var (
		now          time.Time
		maintenances []incident.Maintenance
		incidents    []incident.Incident
	)
	if err := h.store.View(ctx, func(tx *store.Tx) (err error) {
		if now, err = tx.Now(ctx); err != nil {
			return err
		}
		maintenances, err = maintenancesToAdvance(ctx, tx, c, now)
		return err
	}); err != nil {
		return err
	}
	if len(maintenances) > 0 {
		if err := h.withLease(ctx, "incidents", func(tx *store.Tx) error {
			for _, m := range maintenances {
				action := "maintenance." + string(m.Status)
				if err := tx.SaveMaintenance(ctx, &m); err != nil {
					return err
				}
				if err := tx.Audit(ctx, store.Entry{At: now, Who: machine, Action: action, Subject: m.Ref, Detail: m.Title}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return notChanged(err)
		}
	}
	if err := h.store.View(ctx, func(tx *store.Tx) error {
		r, err := readRecord(ctx, tx, c, now.Add(-incident.LookBack))
		if err != nil {
			return err
		}
		known, err := tx.Incidents(ctx, now.Add(-incident.LookBack))
		incidents = incident.Step(incidentPolicy(c), known, r.signals, now)
		return err
	}); err != nil || len(incidents) == 0 {
		return err
	}
	return notChanged(h.withLease(ctx, "incidents", func(tx *store.Tx) error {
		for _, i := range incidents {
			action := "incident.update"
			if i.ID == 0 {
				action = "incident.open"
			} else if !i.Open() {
				action = "incident.resolve"
			}
			if err := tx.SaveIncident(ctx, &i); err != nil {
				return err
			}
			if err := tx.Audit(ctx, store.Entry{At: now, Who: machine, Action: action, Subject: i.Ref, Detail: i.Title}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// notChanged leaves out that a person was faster: the next time looks at what they did.
func notChanged(err error) error {
	if errors.Is(err, store.ErrChanged) {
		return nil
	}
	return err
}

// maintenancesToAdvance are those that begin, change or end now.
func maintenancesToAdvance(ctx context.Context, tx *store.Tx, c config.Config, now time.Time) ([]incident.Maintenance, error) {
	known, err := tx.Maintenances(ctx, now)
	if err != nil {
		return nil, err
	}
	known = slices.DeleteFunc(known, incident.Maintenance.Over)
	announced, err := announcements(ctx, tx, c)
	if err != nil {
		return nil, err
	}
	silent, err := tx.Silent(ctx)
	if err != nil {
		return nil, err
	}
	return incident.Advance(known, announced, func(node string) bool { return !silent[node] }, now), nil
}

// announcements are the maintenances that nodes of public components report now.
func announcements(ctx context.Context, tx *store.Tx, c config.Config) (list []incident.Announced, err error) {
	place := map[string]int{}
	for _, g := range c.Groups {
		for _, x := range g.Components {
			if x.Node == "" {
				continue
			}
			n, known := place[x.Node]
			if !known {
				a, is, err := announcement(ctx, tx, x.Node)
				if err != nil {
					return nil, err
				}
				n = -1
				if is {
					n = len(list)
					list = append(list, a)
				}
				place[x.Node] = n
			}
			if n < 0 {
				continue
			}
			a := &list[n]
			a.Components = append(a.Components, x.ID)
			if a.Name != "" {
				a.Name += ", "
			}
			a.Name += x.Name
		}
	}
	return list, nil
}

// announcement is the maintenance that a node reports; false: none.
func announcement(ctx context.Context, tx *store.Tx, node string) (incident.Announced, bool, error) {
	states, err := tx.States(ctx, store.OfNode, node)
	if err != nil {
		return incident.Announced{}, false, err
	}
	under := false // which says so without unpacking the report
	for _, s := range states {
		under = under || s.State == report.UnderMaintenance
	}
	if !under {
		return incident.Announced{}, false, nil
	}
	n, found, err := tx.Node(ctx, node)
	if err != nil || !found || n.Body.Maintenance == nil {
		return incident.Announced{}, false, err
	}
	return incident.Announced{Node: node, Since: n.Body.Maintenance.Since, Until: n.Body.Maintenance.Until}, true, nil
}
