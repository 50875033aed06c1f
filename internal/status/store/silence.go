package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
)

// A LastReport is the time of a node's latest report.
type LastReport struct {
	ID       int64
	Key      string
	Site     string
	Arrived  time.Time
	Interval time.Duration
	TTL      time.Duration
	Stopped  bool
	Silence  string // why it is recorded as silent; empty: it is not
}

// LastReports returns the latest report of each node, by key.
func (t *Tx) LastReports(ctx context.Context) (list []LastReport, err error) {
	err = t.rows(ctx, func(r *sql.Rows) error {
		var (
			h                   LastReport
			arrived, every, ttl int64
		)
		err := r.Scan(&h.ID, &h.Key, &h.Site, &arrived, &every, &ttl, &h.Stopped, &h.Silence)
		h.Arrived, h.Interval, h.TTL = at(arrived), time.Duration(every)*time.Second, time.Duration(ttl)*time.Second
		list = append(list, h)
		return err
	}, `SELECT n.id, n.key, n.site, p.arrived, p.interval_s, p.ttl_s, p.final IS NOT NULL, p.silence
		FROM node n JOIN presence p ON p.node_id = n.id ORDER BY n.key`)
	return list, err
}

// Silent returns the keys of the nodes that are recorded as silent.
func (t *Tx) Silent(ctx context.Context) (map[string]bool, error) {
	silent := map[string]bool{}
	err := t.rows(ctx, func(r *sql.Rows) error {
		var key string
		err := r.Scan(&key)
		silent[key] = true
		return err
	}, `SELECT n.key FROM presence p JOIN node n ON n.id = p.node_id WHERE p.silence <> ''`)
	return silent, err
}

// RecordSilence replaces the record of all components of a node from the first of the
// changes on, and stores why it is silent; false: a report has arrived in the
// meantime.
func (t *Tx) RecordSilence(ctx context.Context, h LastReport, reason string, changes uptime.Timeline) (bool, error) {
	n, err := t.exec(ctx, `UPDATE presence SET silent = $3, silence = $4 WHERE node_id = $1 AND arrived = $2`, h.ID, millis(h.Arrived),
		millis(changes[0].At), reason)
	if err != nil || n == 0 {
		return false, err
	}
	var signals []int64
	err = t.rows(ctx, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		signals = append(signals, id)
		return err
	}, `SELECT id FROM signal WHERE node_id = $1 AND kind = $2`, h.ID, OfNode)
	for _, id := range signals {
		if err == nil {
			err = t.Rewrite(ctx, id, changes[0].At, changes)
		}
	}
	return err == nil, err
}

// Now returns the database's time, which all hubs share.
func (t *Tx) Now(ctx context.Context) (time.Time, error) {
	var ms int64
	_, err := t.one(ctx, []any{&ms}, `SELECT `+t.clock())
	return at(ms), err
}
