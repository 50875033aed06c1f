package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/incident"
)

// Maintenances returns those that are not over or end after a time, the latest first.
func (t *Tx) Maintenances(ctx context.Context, since time.Time) ([]incident.Maintenance, error) {
	return t.maintenances(ctx, `ends >= $1 OR status NOT IN ('completed', 'cancelled')`, millis(since))
}

// Maintenance returns the maintenance with a Ref; false: there is none.
func (t *Tx) Maintenance(ctx context.Context, ref string) (incident.Maintenance, bool, error) {
	list, err := t.maintenances(ctx, `ref = $1`, ref)
	if err != nil || len(list) == 0 {
		return incident.Maintenance{}, false, err
	}
	return list[0], true, nil
}

// maintenances returns those for which a condition on their table is true.
func (t *Tx) maintenances(ctx context.Context, where string, arg any) (list []incident.Maintenance, err error) {
	place := map[int64]int{}
	err = t.rows(ctx, func(r *sql.Rows) error {
		var (
			m                              incident.Maintenance
			impacting                      int
			starts, ends, created, updated int64
			began, finished, published     sql.NullInt64
		)
		err := r.Scan(&m.ID, &m.Ref, &m.Title, &m.Status, &impacting, &starts, &ends, &m.Node, &m.Revision, &created, &updated, &published,
			&began, &finished)
		m.Impacting, m.Starts, m.Ends, m.Created, m.Updated = impacting != 0, at(starts), at(ends), at(created), at(updated)
		m.Published, m.Began, m.Finished = maybe(published), maybe(began), maybe(finished)
		place[m.ID] = len(list)
		list = append(list, m)
		return err
	}, `SELECT id, ref, title, status, impacting, starts, ends, node, revision, created, updated, published, began, finished
		FROM maintenance WHERE `+where+` ORDER BY starts DESC, id DESC`, arg)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	which := `maintenance_id IN (SELECT id FROM maintenance WHERE ` + where + `)`
	if err := t.rows(ctx, func(r *sql.Rows) error {
		var (
			id        int64
			component string
		)
		err := r.Scan(&id, &component)
		if n, is := place[id]; is {
			list[n].Components = append(list[n].Components, component)
		}
		return err
	}, `SELECT maintenance_id, component FROM maintenance_component WHERE `+which+` ORDER BY component`, arg); err != nil {
		return nil, err
	}
	return list, t.rows(ctx, func(r *sql.Rows) error {
		id, u, err := scanUpdate(r)
		if n, is := place[id]; is {
			list[n].Updates = append(list[n].Updates, u)
		}
		return err
	}, `SELECT maintenance_id, id, status, body, at, created, edited, author FROM maintenance_update WHERE `+which+` ORDER BY at, id`, arg)
}

// SaveMaintenance stores a maintenance with its components and updates, as
// SaveIncident does an incident.
func (t *Tx) SaveMaintenance(ctx context.Context, m *incident.Maintenance) error {
	found, err := t.save(ctx, "maintenance", &m.ID, &m.Revision, []column{
		{"ref", m.Ref}, {"title", m.Title}, {"status", string(m.Status)}, {"impacting", number(m.Impacting)}, {"starts", millis(m.Starts)},
		{"ends", millis(m.Ends)},
		{"node", m.Node}, {"created", millis(m.Created)}, {"updated", millis(m.Updated)}, {"published", optional(m.Published)},
		{"began", optional(m.Began)}, {"finished", optional(m.Finished)},
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("maintenance %s: %w", m.Ref, ErrChanged)
	}
	if _, err := t.exec(ctx, `DELETE FROM maintenance_component WHERE maintenance_id = $1`, m.ID); err != nil {
		return err
	}
	for _, c := range m.Components {
		if _, err := t.exec(ctx, `INSERT INTO maintenance_component (maintenance_id, component) VALUES ($1, $2)`, m.ID, c); err != nil {
			return err
		}
	}
	for n := range m.Updates {
		if err := t.saveUpdate(ctx, "maintenance", m.ID, &m.Updates[n]); err != nil {
			return err
		}
	}
	return nil
}

// DeleteMaintenance deletes a maintenance; false: there is none.
func (t *Tx) DeleteMaintenance(ctx context.Context, id int64) (bool, error) {
	n, err := t.exec(ctx, `DELETE FROM maintenance WHERE id = $1`, id)
	return n > 0, err
}
