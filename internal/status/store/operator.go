package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// The roles of operators. Each includes the rights of those before it.
const (
	Viewer       = "viewer"   // may read the fleet
	OperatorRole = "operator" // may write incidents and maintenance
	Admin        = "admin"    // may create and revoke tokens
)

// Roles returns all roles, the least first.
func Roles() []string { return []string{Viewer, OperatorRole, Admin} }

// May reports whether a role includes the rights of another one.
func May(role, needs string) bool {
	return slices.Contains(Roles(), role) && slices.Index(Roles(), role) >= slices.Index(Roles(), needs)
}

// An Operator is a person who may sign in.
type Operator struct {
	ID       int64
	Name     string
	Role     string
	Password string // argon2id as a PHC string; empty: a reverse proxy authenticates the operator
	Created  time.Time
}

// AddOperator stores a new operator. Its error names the reason if the name is taken.
func (t *Tx) AddOperator(ctx context.Context, o Operator) error {
	n, err := t.exec(ctx, `INSERT INTO operator (name, role, password, created) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING`,
		o.Name, o.Role, o.Password, millis(o.Created))
	if err == nil && n == 0 {
		err = fmt.Errorf("operator %s already exists", o.Name)
	}
	return err
}

// Operators returns all operators, by name.
func (t *Tx) Operators(ctx context.Context) ([]Operator, error) {
	return t.operators(ctx, `ORDER BY name`)
}

// OperatorNamed returns the operator with a name; false: there is none.
func (t *Tx) OperatorNamed(ctx context.Context, name string) (Operator, bool, error) {
	list, err := t.operators(ctx, `WHERE name = $1`, name)
	if err != nil || len(list) == 0 {
		return Operator{}, false, err
	}
	return list[0], true, nil
}

func (t *Tx) operators(ctx context.Context, which string, args ...any) (list []Operator, err error) {
	err = t.rows(ctx, func(r *sql.Rows) error {
		var (
			o  Operator
			ms int64
		)
		err := r.Scan(&o.ID, &o.Name, &o.Role, &o.Password, &ms)
		o.Created = at(ms)
		list = append(list, o)
		return err
	}, `SELECT id, name, role, password, created FROM operator `+which, args...)
	return list, err
}

// SetPassword changes an operator's password and ends all of the operator's sessions;
// false: there is no such operator.
func (t *Tx) SetPassword(ctx context.Context, name, password string) (bool, error) {
	n, err := t.exec(ctx, `UPDATE operator SET password = $2 WHERE name = $1`, name, password)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = t.exec(ctx, `DELETE FROM session WHERE operator_id = (SELECT id FROM operator WHERE name = $1)`, name)
	return true, err
}

// RemoveOperator deletes an operator and ends all sessions of that operator; false:
// there is none.
func (t *Tx) RemoveOperator(ctx context.Context, name string) (bool, error) {
	n, err := t.exec(ctx, `DELETE FROM operator WHERE name = $1`, name)
	return n > 0, err
}

// maxSessions is the maximum number of concurrent sessions of an operator; the oldest
// ones end.
const maxSessions = 20

// StartSession stores a session with only the hash of its secret.
func (t *Tx) StartSession(ctx context.Context, secret string, operator int64, now, expires time.Time) error {
	hash := sha256.Sum256([]byte(secret))
	if _, err := t.exec(ctx, `INSERT INTO session (hash, operator_id, created, expires) VALUES ($1, $2, $3, $4)`, hash[:], operator,
		millis(now), millis(expires)); err != nil {
		return err
	}
	_, err := t.exec(ctx, `DELETE FROM session WHERE operator_id = $1 AND (expires <= $2 OR hash NOT IN
		(SELECT hash FROM session WHERE operator_id = $1 ORDER BY created DESC, hash LIMIT $3))`, operator, millis(now), maxSessions)
	return err
}

// SessionOf returns the operator of a session that has not expired; false: there is
// none.
func (t *Tx) SessionOf(ctx context.Context, secret string, now time.Time) (Operator, bool, error) {
	hash := sha256.Sum256([]byte(secret))
	list, err := t.operators(ctx, `WHERE id = (SELECT operator_id FROM session WHERE hash = $1 AND expires > $2)`, hash[:], millis(now))
	if err != nil || len(list) == 0 {
		return Operator{}, false, err
	}
	return list[0], true, nil
}

// EndSession deletes a session.
func (t *Tx) EndSession(ctx context.Context, secret string) error {
	hash := sha256.Sum256([]byte(secret))
	_, err := t.exec(ctx, `DELETE FROM session WHERE hash = $1`, hash[:])
	return err
}
