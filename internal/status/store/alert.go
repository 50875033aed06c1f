package store

import (
	"context"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// An Alert is a firing alert of Alertmanager.
type Alert struct {
	Fingerprint string
	Component   string
	Impact      report.Impact
	Name        string
	Starts      time.Time
}

// Fire stores a firing alert.
func (t *Tx) Fire(ctx context.Context, a Alert) error {
	_, err := t.exec(ctx, `INSERT INTO alert (fingerprint, component, impact, name, starts) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (fingerprint) DO UPDATE SET component = excluded.component, impact = excluded.impact, name = excluded.name, starts = excluded.starts`,
		a.Fingerprint, a.Component, a.Impact.Rank(), a.Name, millis(a.Starts))
	return err
}

// Resolve deletes an alert that no longer fires.
func (t *Tx) Resolve(ctx context.Context, fingerprint string) error {
	_, err := t.exec(ctx, `DELETE FROM alert WHERE fingerprint = $1`, fingerprint)
	return err
}

// WorstAlert returns the worst firing alert of a component; of equally severe ones,
// the earliest. Its impact is operational if none is firing.
func (t *Tx) WorstAlert(ctx context.Context, component string) (Alert, error) {
	a := Alert{Component: component}
	var (
		rank   int
		starts int64
	)
	_, err := t.one(ctx, []any{&a.Fingerprint, &rank, &a.Name, &starts},
		`SELECT fingerprint, impact, name, starts FROM alert WHERE component = $1 ORDER BY impact DESC, starts LIMIT 1`, component)
	a.Impact, a.Starts = report.Impacts()[rank], at(starts)
	return a, err
}
