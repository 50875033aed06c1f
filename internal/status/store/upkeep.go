package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"
)

// Checkpoint moves SQLite's write-ahead log into the file, so that the log stays
// small; false: a read transaction held some of it back. PostgreSQL does so by
// itself.
//
// Most of the log is moved in parallel with the writer. The little that was written in
// the meantime is moved next; only for that the writer waits. Neither step waits for
// readers.
func (s *Store) Checkpoint(ctx context.Context) (all bool, err error) {
	if s.postgres {
		return true, nil
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		var busy, log, moved int
		if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &log, &moved); err != nil {
			return false, fmt.Errorf("store: %w", err)
		}
		all = busy == 0 && moved == log
	}
	return all, nil
}

// A Size is the size of SQLite's files, in bytes; zero with PostgreSQL.
type Size struct{ File, WAL int64 }

// Size returns the size of the database.
func (s *Store) Size() Size {
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0 // the write-ahead log does not always exist
		}
		return info.Size()
	}
	if s.postgres {
		return Size{}
	}
	return Size{File: size(s.path), WAL: size(s.path + "-wal")}
}

// Prune deletes data that is older than a time and no longer in force, at most n rows
// of each kind, and returns how many rows it deleted. Repeated calls until it returns
// 0 delete everything.
func (t *Tx) Prune(ctx context.Context, before time.Time, n int) (int64, error) {
	var all int64
	for _, statement := range []string{
		`DELETE FROM state_change WHERE (signal_id, at) IN (SELECT c.signal_id, c.at FROM state_change c
			WHERE c.at < $1 AND EXISTS (SELECT 1 FROM state_change d WHERE d.signal_id = c.signal_id AND d.at > c.at AND d.at <= $1) LIMIT $2)`,
		`DELETE FROM transition WHERE (node_id, id) IN (SELECT node_id, id FROM transition WHERE at < $1 LIMIT $2)`,
		`DELETE FROM token WHERE id IN (SELECT id FROM token WHERE expires < $1 OR revoked < $1 LIMIT $2)`,
		`DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE expires < $1 LIMIT $2)`,
		`DELETE FROM hub_gap WHERE begins IN (SELECT begins FROM hub_gap WHERE ends < $1 LIMIT $2)`,
		`DELETE FROM hub WHERE id IN (SELECT id FROM hub WHERE beat < $1 LIMIT $2)`,
	} {
		deleted, err := t.exec(ctx, statement, millis(before), n)
		if err != nil {
			return all, err
		}
		all += deleted
	}
	return all, nil
}

// An Expiry is a signal whose state was not renewed when due.
type Expiry struct {
	ID   int64
	Kind string
	At   time.Time // by when
}

// Expired returns at most n signals whose state should have been renewed by now.
func (t *Tx) Expired(ctx context.Context, now time.Time, n int) (list []Expiry, err error) {
	err = t.rows(ctx, func(r *sql.Rows) error {
		var (
			x  Expiry
			ms int64
		)
		err := r.Scan(&x.ID, &x.Kind, &ms)
		x.At = at(ms)
		list = append(list, x)
		return err
	}, `SELECT id, kind, expires FROM signal WHERE expires <= $1 ORDER BY expires LIMIT $2`, millis(now), n)
	return list, err
}

// Renewed sets until when the state of a signal is valid; zero: until it changes.
func (t *Tx) Renewed(ctx context.Context, id int64, expires time.Time) error {
	_, err := t.exec(ctx, `UPDATE signal SET expires = $2 WHERE id = $1`, id, optional(expires))
	return err
}
