package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/record"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// incidentPolicy returns when incidents are opened and closed.
func incidentPolicy(c config.Config) incident.Policy {
	return incident.Policy{After: c.Incidents.After, CloseAfter: c.Incidents.CloseAfter, ReopenWithin: c.Incidents.ReopenWithin,
		Zone: c.Page.Zone}
}

// machine is the author of automatic changes of incidents in the audit log.
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
		r, err := record.Read(ctx, tx, c, now.Add(-incident.LookBack))
		if err != nil {
			return err
		}
		known, err := tx.Incidents(ctx, now.Add(-incident.LookBack))
		incidents = incident.Step(incidentPolicy(c), known, r.Signals, now)
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

// notChanged suppresses the error if a person changed the incident first: the next run
// uses that change.
func notChanged(err error) error {
	if errors.Is(err, store.ErrChanged) {
		return nil
	}
	return err
}

// maintenancesToAdvance returns the maintenances that begin, change or end now.
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

// announcements returns the maintenances that nodes of public components report now.
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

// announcement returns the maintenance that a node reports; false: none.
func announcement(ctx context.Context, tx *store.Tx, node string) (incident.Announced, bool, error) {
	states, err := tx.States(ctx, store.OfNode, node)
	if err != nil {
		return incident.Announced{}, false, err
	}
	under := false // the components show this without unpacking the report
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
