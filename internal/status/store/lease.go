package store

import (
	"context"
	"database/sql"
	"time"
)

// clock returns the SQL for the database's time in milliseconds, which all hubs
// share.
func (t *Tx) clock() string {
	if t.postgres {
		return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
	}
	return "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
}

// Lease takes or renews the named lease of periodic work for the holder; false:
// another hub has it. No other hub can take it until the transaction ends, so only
// one hub writes the results of the work.
func (t *Tx) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	var got string
	return t.one(ctx, []any{&got}, `INSERT INTO lease (name, holder, epoch, expires) VALUES ($1, $2, 1, `+t.clock()+` + $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires,
			epoch = CASE WHEN lease.holder = excluded.holder THEN lease.epoch ELSE lease.epoch + 1 END
		WHERE lease.holder = excluded.holder OR lease.expires <= `+t.clock()+`
		RETURNING holder`, name, holder, ttl.Milliseconds())
}

// A Gap is a time in which no hub was running.
type Gap struct{ Begin, End time.Time }

// Beat records that a hub is running. If the latest beat of any hub is older than
// lapse, it also records the gap.
func (t *Tx) Beat(ctx context.Context, hub string, started, now time.Time, lapse time.Duration) error {
	var latest sql.NullInt64
	if _, err := t.one(ctx, []any{&latest}, `SELECT MAX(beat) FROM hub`); err != nil {
		return err
	}
	if was := maybe(latest); !was.IsZero() && now.Sub(was) > lapse {
		if _, err := t.exec(ctx, `INSERT INTO hub_gap (begins, ends) VALUES ($1, $2) ON CONFLICT (begins) DO NOTHING`, millis(was),
			millis(now)); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, `INSERT INTO hub (id, started, beat) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET started = excluded.started, beat = excluded.beat`, hub, millis(started), millis(now))
	return err
}

// Gaps returns the hubs' gaps that end after a time, oldest first.
func (t *Tx) Gaps(ctx context.Context, after time.Time) (list []Gap, err error) {
	err = t.rows(ctx, func(r *sql.Rows) error {
		var begin, end int64
		if err := r.Scan(&begin, &end); err != nil {
			return err
		}
		list = append(list, Gap{at(begin), at(end)})
		return nil
	}, `SELECT begins, ends FROM hub_gap WHERE ends > $1 ORDER BY begins`, millis(after))
	return list, err
}
