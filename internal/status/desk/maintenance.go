package desk

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// MaintenanceStatuses returns the statuses of a maintenance, in order.
func MaintenanceStatuses() []incident.Status {
	return []incident.Status{incident.Scheduled, incident.InProgress, incident.Verifying, incident.Completed, incident.Cancelled}
}

// A Plan describes planned work, its components and its time.
type Plan struct {
	Title      string
	Impacting  bool // components are down during the work, and its time does not count for uptime
	Starts     time.Time
	Ends       time.Time
	Components []string // components, or groups for all of their components
}

// longest is the maximum duration of a maintenance.
const longest = 31 * 24 * time.Hour

// apply checks a plan and applies it to a maintenance.
func (d Desk) apply(p Plan, m *incident.Maintenance) (err error) {
	if m.Title, err = title(p.Title); err != nil {
		return err
	}
	m.Impacting, m.Starts, m.Ends = p.Impacting, p.Starts, p.Ends
	if !m.Ends.After(m.Starts) || m.Ends.Sub(m.Starts) > longest {
		return wrong("The end must be after the start, and at most 31 days later.")
	}
	if y := m.Starts.Year(); y < 2000 || y > 2200 {
		return wrong("The start must be in the years 2000 to 2200.")
	}
	m.Components = slices.Compact(slices.Sorted(slices.Values(p.Components)))
	if len(m.Components) == 0 {
		return wrong("Choose at least one component.")
	}
	for _, id := range m.Components {
		if _, err := d.members(id); err != nil {
			return err
		}
	}
	return nil
}

// ScheduleMaintenance announces a maintenance or stores it as a draft.
func (d Desk) ScheduleMaintenance(ctx context.Context, tx *store.Tx, p Plan, body string, publish bool) (incident.Maintenance, error) {
	m := incident.Maintenance{Ref: incident.Ref(d.Now, rand.Text()), Created: d.Now}
	if err := d.apply(p, &m); err != nil {
		return m, err
	}
	if m.Ends.Before(d.Now) {
		return m, wrong("The end must not be in the past.")
	}
	body, err := text("The text", body, MaxBody)
	if err != nil {
		return m, err
	}
	m.Post(incident.Update{Status: incident.Scheduled, Body: body, At: d.Now, Created: d.Now, Author: d.Who})
	if publish {
		m.Published = d.Now
	}
	return tx.ChangeMaintenance(ctx, "", d.entry("maintenance.schedule"), func(made *incident.Maintenance) error {
		*made = m
		return nil
	})
}

// mine returns an error if a maintenance may not be changed by hand.
func (v Version) mine(m incident.Maintenance) error {
	switch {
	case m.Node != "":
		return Conflict("The node " + m.Node + " announces this maintenance: end it there.")
	case m.Over():
		return Conflict("The maintenance is " + string(m.Status) + ".")
	}
	return v.seen(m.Revision)
}

// changeMaintenance is changeIncident for a maintenance.
func (d Desk) changeMaintenance(ctx context.Context, tx *store.Tx, v Version, action string,
	f func(*incident.Maintenance) error) (incident.Maintenance, error) {
	return tx.ChangeMaintenance(ctx, v.Ref, d.entry("maintenance."+action), func(m *incident.Maintenance) error {
		if err := v.mine(*m); err != nil {
			return err
		}
		if err := f(m); err != nil {
			return err
		}
		m.Updated = d.Now
		return nil
	})
}

// EditMaintenance changes the plan of a maintenance.
func (d Desk) EditMaintenance(ctx context.Context, tx *store.Tx, v Version, change func(Plan) Plan) (incident.Maintenance, error) {
	return d.changeMaintenance(ctx, tx, v, "edit", func(m *incident.Maintenance) error {
		plan := change(Plan{m.Title, m.Impacting, m.Starts, m.Ends, m.Components})
		if !m.Began.IsZero() && !plan.Starts.Equal(m.Starts) {
			return wrong("The maintenance has begun: its start cannot be changed.")
		}
		return d.apply(plan, m)
	})
}

// UpdateMaintenance posts an update, which may also begin, complete or cancel the
// maintenance.
func (d Desk) UpdateMaintenance(ctx context.Context, tx *store.Tx, v Version, status incident.Status,
	body string) (incident.Maintenance, error) {
	return d.changeMaintenance(ctx, tx, v, "update", func(m *incident.Maintenance) error {
		if err := choice("The status", status, MaintenanceStatuses()); err != nil {
			return err
		}
		body, err := text("The text", body, MaxBody)
		m.Post(incident.Update{Status: status, Body: body, At: d.Now, Created: d.Now, Author: d.Who})
		return err
	})
}

// PublishMaintenance shows a draft to customers.
func (d Desk) PublishMaintenance(ctx context.Context, tx *store.Tx, v Version) (incident.Maintenance, error) {
	return d.changeMaintenance(ctx, tx, v, "publish", func(m *incident.Maintenance) error {
		if m.Public() {
			return Conflict("The maintenance is published already.")
		}
		m.Published = d.Now
		return nil
	})
}

// DeleteMaintenance deletes a draft. A published maintenance cannot be deleted.
func (d Desk) DeleteMaintenance(ctx context.Context, tx *store.Tx, v Version) error {
	m, found, err := tx.Maintenance(ctx, v.Ref)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err = cmp.Or(err, v.mine(m)); err != nil {
		return err
	}
	if m.Public() {
		return Conflict("Customers have seen this maintenance: cancel it instead.")
	}
	if _, err := tx.DeleteMaintenance(ctx, m.ID); err != nil {
		return err
	}
	e := d.entry("maintenance.delete")
	e.Subject, e.Detail = m.Ref, m.Title
	return tx.Audit(ctx, e)
}
