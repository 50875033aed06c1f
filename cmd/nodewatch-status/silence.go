package main

import (
	"context"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// maxSilences is the maximum number of nodes that are recorded as silent in one
// transaction, so that reports do not wait for long when a whole fleet falls silent.
const maxSilences = 100

// phases is the number of nodes in each phase.
type phases map[presence.Phase]int

// findSilent counts the nodes in each phase, and records which are silent.
func (h *hub) findSilent(ctx context.Context) error {
	var (
		heard  []store.LastReport
		silent []presence.Silence
		n      phases
	)
	err := h.store.View(ctx, func(tx *store.Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		heard, silent, n, err = lookForSilent(ctx, tx, now)
		return err
	})
	if err != nil {
		return err
	}
	h.phases.Store(&n)
	for some := range slices.Chunk(silent, maxSilences) {
		if err := h.withLease(ctx, "silence", func(tx *store.Tx) error { return recordSilent(ctx, tx, heard, some) }); err != nil {
			return err
		}
	}
	return nil
}

// lookForSilent returns the latest report of each node, the silences to record, and the
// number of nodes in each phase.
func lookForSilent(ctx context.Context, tx *store.Tx, now time.Time) (heard []store.LastReport, silent []presence.Silence, n phases,
	err error) {
	if heard, err = tx.LastReports(ctx); err != nil {
		return nil, nil, nil, err
	}
	nodes := make([]presence.Node, len(heard))
	oldest := now
	for i, x := range heard {
		nodes[i] = presence.Node{Site: x.Site, Arrived: x.Arrived, Interval: x.Interval, TTL: x.TTL, Stopped: x.Stopped,
			Recorded: x.Silence}
		if x.Arrived.Before(oldest) {
			oldest = x.Arrived
		}
	}
	list, err := tx.Gaps(ctx, oldest)
	if err != nil {
		return nil, nil, nil, err
	}
	var (
		gaps      []presence.Gap
		listening time.Time
	)
	for _, g := range list {
		gaps, listening = append(gaps, presence.Gap(g)), g.End
	}
	n = phases{presence.Reporting: 0, presence.Late: 0, presence.Silent: 0, presence.Waiting: 0, presence.Ended: 0}
	for _, x := range nodes {
		n[x.Phase(listening, now)]++
	}
	return heard, presence.Silences(nodes, gaps, now), n, nil
}

// recordSilent records silences of nodes that have not reported meanwhile.
func recordSilent(ctx context.Context, tx *store.Tx, heard []store.LastReport, silent []presence.Silence) error {
	for _, s := range silent {
		if _, err := tx.RecordSilence(ctx, heard[s.Node], s.Reason, s.Changes); err != nil {
			return err
		}
	}
	return nil
}
