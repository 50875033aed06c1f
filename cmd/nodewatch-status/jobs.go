package main

import (
	"context"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/checks"
	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The periodic work of a hub.
const (
	beatEvery       = 5 * time.Second
	recordEvery     = 2 * time.Second
	lapse           = 20 * time.Second // without a beat of any hub: a gap
	leaseFor        = 30 * time.Second
	checkpointEvery = time.Minute
	pruneEvery      = time.Hour
	keepFor         = 400 * 24 * time.Hour // 13 months, and some days for a page that shows them
	pruneRows       = 2000                 // in one transaction, so that reports do not wait
	jobTimeout      = 20 * time.Second
)

// A job is something to do repeatedly.
type job struct {
	name  string
	every time.Duration
	do    func(context.Context, time.Time) error
}

// jobs is the periodic work of this hub.
func (h *hub) jobs() []job {
	id, started := h.id, time.Now()
	return []job{
		{"make the public page", refreshEvery, func(ctx context.Context, _ time.Time) error { return h.refresh(ctx) }},
		{"note that this hub is running", beatEvery, func(ctx context.Context, now time.Time) error {
			return h.store.Update(ctx, func(tx *store.Tx) error { return tx.Beat(ctx, id, started, now, lapse) })
		}},
		{"find pushed states that expired", beatEvery, func(ctx context.Context, now time.Time) error {
			return h.store.Update(ctx, func(tx *store.Tx) error {
				if mine, err := tx.Lease(ctx, "expire", id, leaseFor); err != nil || !mine {
					return err
				}
				return expire(ctx, tx, now)
			})
		}},
		{"find silent nodes", beatEvery, func(ctx context.Context, _ time.Time) error { return h.findSilent(ctx, id) }},
		{"record what the checks say", recordEvery, func(ctx context.Context, _ time.Time) error { return h.checks.Record(ctx, leaseFor) }},
		{"open and close incidents", beatEvery, func(ctx context.Context, _ time.Time) error { return h.findIncidents(ctx, id) }},
		{"count the nodes", beatEvery, h.countNodes},
		{"shorten the write-ahead log", checkpointEvery, func(ctx context.Context, _ time.Time) error { return h.store.Checkpoint(ctx) }},
		{"delete what is too old", pruneEvery, func(ctx context.Context, now time.Time) error {
			for ctx.Err() == nil {
				deleted := int64(0)
				err := h.store.Update(ctx, func(tx *store.Tx) error {
					mine, err := tx.Lease(ctx, "prune", id, leaseFor)
					if err != nil || !mine {
						return err
					}
					deleted, err = tx.Prune(ctx, now.Add(-keepFor), pruneRows)
					return err
				})
				if err != nil || deleted == 0 {
					return err
				}
			}
			return ctx.Err()
		}},
	}
}

// maxExpired is how many signals expire in one transaction.
const maxExpired = 1000

// expire notes that states which were to be renewed are no longer known.
func expire(ctx context.Context, tx *store.Tx, now time.Time) error {
	list, err := tx.Expired(ctx, now, maxExpired)
	if err != nil {
		return err
	}
	for _, x := range list {
		reason := presence.NoReport
		if x.Kind == store.Checked {
			reason = checks.CannotCheck
		}
		if err := tx.Rewrite(ctx, x.ID, x.At, uptime.Timeline{{At: x.At, State: report.Unknown, Reason: reason}}); err != nil {
			return err
		}
		if err := tx.Renewed(ctx, x.ID, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// repeat does a job until ctx ends.
func (h *hub) repeat(ctx context.Context, j job) {
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	for {
		bounded, cancel := context.WithTimeout(ctx, jobTimeout)
		err := j.do(bounded, time.Now())
		cancel()
		if err != nil && ctx.Err() == nil {
			h.failures.Add(1)
			h.log.Error("Cannot "+j.name, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
