package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// AddTransition stores a transition of a node; false: it is already stored.
func (t *Tx) AddTransition(ctx context.Context, node int64, x native.Transition, received time.Time) (bool, error) {
	from := sql.NullInt64{Int64: int64(x.ImpactFrom.Rank()), Valid: x.ImpactFrom != ""}
	n, err := t.exec(ctx, `INSERT INTO transition (node_id, id, at, received, rule, subject, component, from_level, to_level, impact, impact_from, summary, run, n)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (node_id, id) DO NOTHING`,
		node, x.ID, millis(x.At), millis(received), x.Rule, x.Subject, x.Component, x.From, x.To, x.Impact.Rank(), from, x.Summary,
		x.Run.UnixNano(), int64(x.N))
	return n > 0, err
}

// Transitions returns the transitions of a node from a time on, at most n, oldest
// first.
func (t *Tx) Transitions(ctx context.Context, node int64, from time.Time, n int) (list []native.Transition, err error) {
	impacts := report.Impacts()
	err = t.rows(ctx, func(r *sql.Rows) error {
		var (
			x      native.Transition
			ms     int64
			run, n int64
			impact int
			was    sql.NullInt64
		)
		if err := r.Scan(&x.ID, &ms, &x.Rule, &x.Subject, &x.Component, &x.From, &x.To, &impact, &was, &x.Summary, &run, &n); err != nil {
			return err
		}
		x.At, x.Run, x.N, x.Impact = at(ms), time.Unix(0, run).UTC(), uint64(n), impacts[impact]
		if was.Valid {
			x.ImpactFrom = impacts[was.Int64]
		}
		list = append(list, x)
		return nil
	}, `SELECT id, at, rule, subject, component, from_level, to_level, impact, impact_from, summary, run, n FROM transition
		WHERE node_id = $1 AND at >= $2 ORDER BY at, id LIMIT $3`, node, millis(from), n)
	return list, err
}
