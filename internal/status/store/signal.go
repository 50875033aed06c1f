package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The kinds of signals.
const (
	OfNode   = "node"     // a component of a node
	Pushed   = "push"     // a component whose state is pushed
	Alerted  = "alert"    // a component of Alertmanager's alerts
	Checked  = "check"    // one of the hub's own checks
	Declared = "declared" // set by a person for a public component
)

// A Key identifies a signal: something that has a state.
type Key struct {
	Kind  string
	Owner string // the node's key for OfNode; otherwise empty
	Name  string // name of the component or check
}

// A Signal contains the data of a signal other than its timeline.
type Signal struct {
	Summary string    // summary of the latest state, for operators
	Expires time.Time // when the state becomes unknown unless it is renewed; zero: never
}

// Signal creates the signal if it is new, and returns its number.
func (t *Tx) Signal(ctx context.Context, k Key, s Signal) (id int64, err error) {
	_, err = t.one(ctx, []any{&id}, `INSERT INTO signal (kind, owner, name, node_id, summary, expires)
		VALUES ($1, $2, $3, (SELECT id FROM node WHERE $1 = 'node' AND key = $2), $4, $5)
		ON CONFLICT (kind, owner, name) DO UPDATE SET summary = excluded.summary, expires = excluded.expires
		RETURNING id`, k.Kind, k.Owner, k.Name, s.Summary, optional(s.Expires))
	return id, err
}

// States returns the latest changes of the signals of a kind and owner, by name.
func (t *Tx) States(ctx context.Context, kind, owner string) (map[string]uptime.Change, error) {
	states := map[string]uptime.Change{}
	err := t.rows(ctx, func(r *sql.Rows) error {
		var name string
		c, err := scanChange(r, &name)
		states[name] = c
		return err
	}, `SELECT s.name, c.at, c.state, COALESCE(r.text, ''), c.backfilled
		FROM signal s JOIN state_change c ON c.signal_id = s.id LEFT JOIN reason r ON r.id = c.reason_id
		WHERE s.kind = $1 AND s.owner = $2 AND c.at = (SELECT MAX(at) FROM state_change WHERE signal_id = s.id)`, kind, owner)
	return states, err
}

// Timelines returns the records of the signals from a time on, with the change that
// is in force at that time. Signals without a record are omitted.
func (t *Tx) Timelines(ctx context.Context, keys []Key, from time.Time) (map[Key]uptime.Timeline, error) {
	lines := map[Key]uptime.Timeline{}
	for _, k := range keys {
		var line uptime.Timeline
		err := t.rows(ctx, func(r *sql.Rows) error {
			c, err := scanChange(r)
			line = append(line, c)
			return err
		}, `SELECT c.at, c.state, COALESCE(r.text, ''), c.backfilled
			FROM signal s JOIN state_change c ON c.signal_id = s.id LEFT JOIN reason r ON r.id = c.reason_id
			WHERE s.kind = $1 AND s.owner = $2 AND s.name = $3
				AND c.at >= COALESCE((SELECT MAX(at) FROM state_change WHERE signal_id = s.id AND at <= $4), 0)
			ORDER BY c.at`, k.Kind, k.Owner, k.Name, millis(from))
		if err != nil {
			return nil, err
		}
		if len(line) > 0 {
			lines[k] = line
		}
	}
	return lines, nil
}

// Rewrite replaces the record of a signal from a time on.
func (t *Tx) Rewrite(ctx context.Context, id int64, from time.Time, changes uptime.Timeline) error {
	if _, err := t.exec(ctx, `DELETE FROM state_change WHERE signal_id = $1 AND at >= $2`, id, millis(from)); err != nil {
		return err
	}
	for _, c := range changes {
		reason, err := t.reason(ctx, c.Reason)
		if err != nil {
			return err
		}
		// Of changes within a millisecond, the last one counts.
		if _, err := t.exec(ctx, `INSERT INTO state_change (signal_id, at, state, reason_id, backfilled) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (signal_id, at) DO UPDATE SET state = excluded.state, reason_id = excluded.reason_id, backfilled = excluded.backfilled`,
			id, millis(c.At), c.State.Rank(), reason, number(c.Backfilled)); err != nil {
			return err
		}
	}
	return nil
}

// reason returns the number of a reason; null for none.
func (t *Tx) reason(ctx context.Context, text string) (sql.NullInt64, error) {
	if text == "" {
		return sql.NullInt64{}, nil
	}
	id, known := t.reasons[text]
	if !known {
		// An update without a change, so that an existing row is returned too.
		if _, err := t.one(ctx, []any{&id}, `INSERT INTO reason (text) VALUES ($1)
			ON CONFLICT (text) DO UPDATE SET text = excluded.text RETURNING id`, text); err != nil {
			return sql.NullInt64{}, err
		}
		t.reasons[text] = id
	}
	return sql.NullInt64{Int64: id, Valid: true}, nil
}

// scanChange scans a change, after the columns before it.
func scanChange(r *sql.Rows, before ...any) (c uptime.Change, err error) {
	var (
		ms         int64
		state      int
		backfilled int
	)
	if err := r.Scan(append(before, &ms, &state, &c.Reason, &backfilled)...); err != nil {
		return c, err
	}
	impacts := report.Impacts()
	if state < 0 || state >= len(impacts) {
		return c, fmt.Errorf("there is no state %d", state)
	}
	c.At, c.State, c.Backfilled = at(ms), impacts[state], backfilled != 0
	return c, nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
