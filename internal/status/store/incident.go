package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// ErrChanged is the error of storing something that has been changed or deleted since
// it was read.
var ErrChanged = errors.New("it has been changed in the meantime; check it again")

// Incidents returns the incidents that are open or were changed since a time, the
// latest first.
func (t *Tx) Incidents(ctx context.Context, since time.Time) ([]incident.Incident, error) {
	return t.incidents(ctx, `resolved IS NULL OR updated >= $1`, millis(since))
}

// Incident returns the incident with a Ref; false: there is none.
func (t *Tx) Incident(ctx context.Context, ref string) (incident.Incident, bool, error) {
	list, err := t.incidents(ctx, `ref = $1`, ref)
	if err != nil || len(list) == 0 {
		return incident.Incident{}, false, err
	}
	return list[0], true, nil
}

// incidents returns the incidents for which a condition on their table is true.
func (t *Tx) incidents(ctx context.Context, where string, arg any) (list []incident.Incident, err error) {
	place := map[int64]int{}
	err = t.rows(ctx, func(r *sql.Rows) error {
		var (
			i                         incident.Incident
			impact                    int
			started, created, updated int64
			resolved, published       sql.NullInt64
		)
		err := r.Scan(&i.ID, &i.Ref, &i.Title, &impact, &i.Status, &i.OpenedBy, &i.Owner, &started, &resolved, &created, &updated,
			&published, &i.Revision, &i.AfterCare)
		i.Impact, i.Started, i.Resolved, i.Created, i.Updated, i.Published = impactOf(impact), at(started), maybe(resolved), at(created),
			at(updated), maybe(published)
		place[i.ID] = len(list)
		list = append(list, i)
		return err
	}, `SELECT id, ref, title, impact, status, opened_by, owner, started, resolved, created, updated, published, revision, after_care
		FROM incident WHERE `+where+` ORDER BY started DESC, id DESC`, arg)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	which := `incident_id IN (SELECT id FROM incident WHERE ` + where + `)`
	if err := t.rows(ctx, func(r *sql.Rows) error {
		var (
			id             int64
			a              incident.Affected
			rank, declared int
		)
		err := r.Scan(&id, &a.Component, &rank, &declared)
		a.Impact, a.Declared = impactOf(rank), declared != 0
		if n, is := place[id]; is {
			list[n].Components = append(list[n].Components, a)
		}
		return err
	}, `SELECT incident_id, component, impact, declared FROM incident_component WHERE `+which+` ORDER BY component`, arg); err != nil {
		return nil, err
	}
	if err := t.rows(ctx, func(r *sql.Rows) error {
		var affected string
		id, u, err := scanUpdate(r, &affected)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(affected), &u.Affected); err != nil {
			return fmt.Errorf("the components of an update: %w", err)
		}
		if n, is := place[id]; is {
			list[n].Updates = append(list[n].Updates, u)
		}
		return nil
	}, `SELECT incident_id, id, status, body, at, created, edited, author, affected FROM incident_update WHERE `+which+` ORDER BY at, id`,
		arg); err != nil {
		return nil, err
	}
	return list, t.rows(ctx, func(r *sql.Rows) error {
		var (
			id, created, updated int64
			p                    incident.Postmortem
			published            sql.NullInt64
		)
		err := r.Scan(&id, &p.Body, &p.Author, &created, &updated, &published)
		p.Created, p.Updated, p.Published = at(created), at(updated), maybe(published)
		if n, is := place[id]; is {
			list[n].Postmortem = p
		}
		return err
	}, `SELECT incident_id, body, author, created, updated, published FROM postmortem WHERE `+which, arg)
}

// impactOf returns the impact with a rank.
func impactOf(rank int) report.Impact {
	impacts := report.Impacts()
	if rank < 0 || rank >= len(impacts) {
		return report.Unknown
	}
	return impacts[rank]
}

// scanUpdate scans an update, the number of what it belongs to, and the columns after
// it.
func scanUpdate(r *sql.Rows, after ...any) (of int64, u incident.Update, err error) {
	var (
		ms, created int64
		edited      sql.NullInt64
	)
	err = r.Scan(append([]any{&of, &u.ID, &u.Status, &u.Body, &ms, &created, &edited, &u.Author}, after...)...)
	u.At, u.Created, u.Edited = at(ms), at(created), maybe(edited)
	return of, u, err
}

// SaveIncident stores an incident with its components, its updates and its
// post-mortem. A new incident and new updates have no ID; they get one, and the
// incident gets its next revision. ErrChanged: its revision is not the latest.
func (t *Tx) SaveIncident(ctx context.Context, i *incident.Incident) error {
	found, err := t.save(ctx, "incident", &i.ID, &i.Revision, []column{
		{"ref", i.Ref}, {"title", i.Title}, {"impact", i.Impact.Rank()}, {"status", string(i.Status)}, {"opened_by", i.OpenedBy},
		{"owner", i.Owner},
		{"started", millis(i.Started)}, {"resolved", optional(i.Resolved)}, {"created", millis(i.Created)}, {"updated", millis(i.Updated)},
		{"published", optional(i.Published)}, {"after_care", i.AfterCare},
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("incident %s: %w", i.Ref, ErrChanged)
	}
	if _, err := t.exec(ctx, `DELETE FROM incident_component WHERE incident_id = $1`, i.ID); err != nil {
		return err
	}
	for _, a := range i.Components {
		if _, err := t.exec(ctx, `INSERT INTO incident_component (incident_id, component, impact, declared) VALUES ($1, $2, $3, $4)`, i.ID,
			a.Component, a.Impact.Rank(), number(a.Declared)); err != nil {
			return err
		}
	}
	for n := range i.Updates {
		u := &i.Updates[n]
		affected, err := json.Marshal(u.Affected)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if err := t.saveUpdate(ctx, "incident", i.ID, u, string(affected)); err != nil {
			return err
		}
	}
	p := i.Postmortem
	if p.Body == "" {
		_, err := t.exec(ctx, `DELETE FROM postmortem WHERE incident_id = $1`, i.ID)
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO postmortem (incident_id, body, author, created, updated, published) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (incident_id) DO UPDATE SET body = excluded.body, author = excluded.author, updated = excluded.updated, published = excluded.published`,
		i.ID, p.Body, p.Author, millis(p.Created), millis(p.Updated), optional(p.Published))
	return err
}

// A column is one value of a row.
type column struct {
	name  string
	value any
}

// save inserts a row, if its number is 0, or updates the row with the number and the
// revision; false: there is none. It sets the number and the new revision.
func (t *Tx) save(ctx context.Context, table string, id, revision *int64, columns []column) (bool, error) {
	var names, values, set strings.Builder
	args := []any{*revision + 1}
	for n, c := range columns {
		fmt.Fprintf(&names, ", %s", c.name)
		fmt.Fprintf(&values, ", $%d", n+2)
		fmt.Fprintf(&set, ", %s = $%d", c.name, n+2)
		args = append(args, c.value)
	}
	query := `INSERT INTO ` + table + ` (revision` + names.String() + `) VALUES ($1` + values.String() + `) RETURNING id, revision`
	if *id != 0 {
		query = fmt.Sprintf(`UPDATE %s SET revision = $1%s WHERE id = $%d AND revision = $%d RETURNING id, revision`, table, set.String(),
			len(args)+1, len(args)+2)
		args = append(args, *id, *revision)
	}
	return t.one(ctx, []any{id, revision}, query, args...)
}

// saveUpdate stores an update of an incident or a maintenance. affected is empty if the
// table has no such column.
func (t *Tx) saveUpdate(ctx context.Context, of string, id int64, u *incident.Update, affected ...any) error {
	args := append([]any{id, string(u.Status), u.Body, millis(u.At), millis(u.Created), optional(u.Edited), u.Author}, affected...)
	column, value, set := "", "", ""
	if len(affected) > 0 {
		column, value, set = ", affected", ", $8", ", affected = $8"
	}
	if u.ID != 0 {
		_, err := t.exec(ctx, fmt.Sprintf(`UPDATE %s_update SET status = $2, body = $3, at = $4, created = $5, edited = $6, author = $7%s WHERE %s_id = $1 AND id = $%d`, of, set, of, len(args)+1), append(args, u.ID)...)
		return err
	}
	_, err := t.one(ctx, []any{&u.ID},
		fmt.Sprintf(`INSERT INTO %s_update (%s_id, status, body, at, created, edited, author%s) VALUES ($1, $2, $3, $4, $5, $6, $7%s) RETURNING id`, of, of, column, value), args...)
	return err
}

// DeleteIncident deletes an incident; false: there is none.
func (t *Tx) DeleteIncident(ctx context.Context, id int64) (bool, error) {
	n, err := t.exec(ctx, `DELETE FROM incident WHERE id = $1`, id)
	return n > 0, err
}

// Declare records, from a time on, the states that people declare for components in
// open, public incidents. It must be called with the components of an incident that
// declares whenever a person has changed it.
func (t *Tx) Declare(ctx context.Context, components []incident.Affected, from time.Time) error {
	list, err := t.incidents(ctx, `resolved IS NULL AND $1 = 0`, 0)
	if err != nil {
		return err
	}
	for _, a := range components {
		if !a.Declared {
			continue
		}
		id, err := t.Signal(ctx, Key{Kind: Declared, Name: a.Component}, Signal{})
		if err != nil {
			return err
		}
		change := uptime.Change{At: from, State: incident.Declared(list, a.Component), Reason: "declared"}
		if err := t.Rewrite(ctx, id, from, uptime.Timeline{change}); err != nil {
			return err
		}
	}
	return nil
}
