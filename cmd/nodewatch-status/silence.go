package main

import (
	"context"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// maxSilences is how many nodes are recorded as silent in one transaction, so that
// reports do not wait for long when a whole fleet falls silent.
const maxSilences = 100

// phases is how many nodes report in which way.
type phases map[presence.Phase]int

// countNodes counts the nodes by how they report. Each hub does.
func (h *hub) countNodes(ctx context.Context, now time.Time) error {
	return h.store.View(ctx, func(tx *store.Tx) error {
		heard, err := tx.LastReports(ctx)
		if err != nil {
			return err
		}
		gaps, err := gapsSince(ctx, tx, now.Add(-keep))
		if err != nil {
			return err
		}
		n := phases{presence.Reporting: 0, presence.Late: 0, presence.Silent: 0, presence.Waiting: 0, presence.Ended: 0}
		for _, x := range heard {
			n[nodeOf(x).Phase(listening(gaps), now)]++
		}
		h.phases.Store(&n)
		return nil
	})
}

func nodeOf(x store.LastReport) presence.Node {
	return presence.Node{Site: x.Site, Arrived: x.Arrived, Interval: x.Interval, TTL: x.TTL, Stopped: x.Stopped, Recorded: x.Silence}
}

// findSilent records which nodes are silent, under the lease of one hub.
func (h *hub) findSilent(ctx context.Context, id string) error {
	for ctx.Err() == nil {
		more := false
		err := h.store.Update(ctx, func(tx *store.Tx) error {
			mine, err := tx.Lease(ctx, "silence", id, leaseFor)
			if err != nil || !mine {
				more = false
				return err
			}
			now, err := tx.Now(ctx)
			if err != nil {
				return err
			}
			more, err = recordSilent(ctx, tx, now)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

// recordSilent records at most maxSilences nodes that are silent; true: there are more.
func recordSilent(ctx context.Context, tx *store.Tx, now time.Time) (more bool, err error) {
	heard, err := tx.LastReports(ctx)
	if err != nil {
		return false, err
	}
	nodes := make([]presence.Node, len(heard))
	oldest := now
	for i, n := range heard {
		nodes[i] = nodeOf(n)
		if n.Arrived.Before(oldest) {
			oldest = n.Arrived
		}
	}
	gaps, err := gapsSince(ctx, tx, oldest)
	if err != nil {
		return false, err
	}
	list := presence.Silences(nodes, gaps, now)
	for _, s := range list[:min(len(list), maxSilences)] {
		if _, err := tx.RecordSilence(ctx, heard[s.Node], s.Reason, s.Changes); err != nil {
			return false, err
		}
	}
	return len(list) > maxSilences, nil
}

// gapsSince are the hubs' gaps that end after a time.
func gapsSince(ctx context.Context, tx *store.Tx, after time.Time) (gaps []presence.Gap, err error) {
	list, err := tx.Gaps(ctx, after)
	for _, g := range list {
		gaps = append(gaps, presence.Gap(g))
	}
	return gaps, err
}

// listening is since when the hubs have been running without a gap; zero: there was none.
func listening(gaps []presence.Gap) time.Time {
	if len(gaps) == 0 {
		return time.Time{}
	}
	return gaps[len(gaps)-1].End
}
