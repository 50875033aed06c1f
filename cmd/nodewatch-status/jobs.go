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
	lapse           = 20 * time.Second // time without a beat of any hub that counts as a gap
	leaseFor        = 30 * time.Second
	checkpointEvery = 5 * time.Second
	pruneEvery      = time.Hour
	keepFor         = 400 * 24 * time.Hour // 13 months, and some days for a page that shows them
	pruneRows       = 2000                 // rows per transaction, few enough that reports do not wait for long
	jobTimeout      = 20 * time.Second
)

// A job is periodic work.
type job struct {
	name  string
	every time.Duration
	do    func(context.Context, time.Time) error
}

// jobs returns the periodic work of this hub.
func (h *hub) jobs() []job {
	started := time.Now()
	return []job{
		{"make the public page", refreshEvery, func(ctx context.Context, _ time.Time) error { return h.refresh(ctx) }},
		{"note that this hub is running", beatEvery, func(ctx context.Context, now time.Time) error {
			err := h.store.Update(ctx, func(tx *store.Tx) error { return tx.Beat(ctx, h.id, started, now, lapse) })
			if err == nil {
				h.beaten.Store(now.UnixMilli())
			}
			return err
		}},
		{"find pushed states that expired", beatEvery, h.expire},
		{"find silent nodes", beatEvery, func(ctx context.Context, _ time.Time) error { return h.findSilent(ctx) }},
		{"record the results of the checks", recordEvery, func(ctx context.Context,
			_ time.Time) error {
			return h.checks.Record(ctx, leaseFor)
		}},
		{"open and close incidents", beatEvery, func(ctx context.Context, _ time.Time) error { return h.findIncidents(ctx) }},
		{"shorten the write-ahead log", checkpointEvery, func(ctx context.Context, _ time.Time) error { return h.checkpoint(ctx) }},
		{"delete expired data", pruneEvery, h.prune},
	}
}

// withLease writes the results of this hub's periodic work, unless another hub has the
// lease for it. The data is read before, because reports wait for the writer but not for a
// read transaction. It is not older than jobTimeout, which is shorter than the lease, so
// no other hub can have done the work in the meantime.
func (h *hub) withLease(ctx context.Context, name string, f func(*store.Tx) error) error {
	return h.store.Update(ctx, func(tx *store.Tx) error {
		mine, err := tx.Lease(ctx, name, h.id, leaseFor)
		if err != nil || !mine {
			return err
		}
		return f(tx)
	})
}

// checkpoint truncates the write-ahead log, and counts how often a reader held it
// back.
func (h *hub) checkpoint(ctx context.Context) error {
	all, err := h.store.Checkpoint(ctx)
	if err == nil && !all {
		h.heldBack.Add(1)
	}
	return err
}

// prune deletes old data, in small transactions.
func (h *hub) prune(ctx context.Context, now time.Time) error {
	for ctx.Err() == nil {
		deleted := int64(0)
		err := h.withLease(ctx, "prune", func(tx *store.Tx) (err error) {
			deleted, err = tx.Prune(ctx, now.Add(-keepFor), pruneRows)
			return err
		})
		if err != nil || deleted == 0 {
			return err
		}
	}
	return ctx.Err()
}

// maxExpired is the maximum number of signals that expire in one transaction.
const maxExpired = 1000

// expire records states as unknown that were not renewed in time.
func (h *hub) expire(ctx context.Context, now time.Time) error {
	var list []store.Expiry
	err := h.store.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Expired(ctx, now, maxExpired)
		return err
	})
	if err != nil || len(list) == 0 {
		return err
	}
	return h.withLease(ctx, "expire", func(tx *store.Tx) error { return expire(ctx, tx, now) })
}

func expire(ctx context.Context, tx *store.Tx, now time.Time) error {
	list, err := tx.Expired(ctx, now, maxExpired) // a signal may have been renewed meanwhile
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

// repeat runs a job until ctx ends: at once, after its interval and the offset, and then
// after each interval.
func (h *hub) repeat(ctx context.Context, j job, offset time.Duration) {
	tick := time.NewTicker(j.every + offset)
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
			tick.Reset(j.every)
		}
	}
}
