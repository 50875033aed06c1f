package store

import (
	"context"
	"database/sql"
	"time"
)

// An Entry of the audit log records who changed what by hand.
type Entry struct {
	ID      int64
	At      time.Time
	Who     string // an operator, or cli:USER
	Action  string // such as token.create
	Subject string
	Detail  string
}

// Audit adds an entry to the audit log.
func (t *Tx) Audit(ctx context.Context, e Entry) error {
	_, err := t.exec(ctx, `INSERT INTO audit (at, who, action, subject, detail) VALUES ($1, $2, $3, $4, $5)`, millis(e.At), e.Who, e.Action,
		e.Subject, e.Detail)
	return err
}

// AuditLog returns the n entries before a number, the newest first; 0: from the
// newest on.
func (t *Tx) AuditLog(ctx context.Context, before int64, n int) (list []Entry, err error) {
	err = t.rows(ctx, func(r *sql.Rows) error {
		var e Entry
		var ms int64
		if err := r.Scan(&e.ID, &ms, &e.Who, &e.Action, &e.Subject, &e.Detail); err != nil {
			return err
		}
		e.At = at(ms)
		list = append(list, e)
		return nil
	}, `SELECT id, at, who, action, subject, detail FROM audit WHERE $1 = 0 OR id < $1 ORDER BY id DESC LIMIT $2`, before, n)
	return list, err
}
