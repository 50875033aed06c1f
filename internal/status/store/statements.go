package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// maxStatements is the maximum number of prepared statements.
const maxStatements = 256

// statements caches the prepared statements of SQLite's connections: parsing most of
// them takes longer than running them. PostgreSQL's driver has its own cache.
type statements struct {
	db *sql.DB

	mu sync.Mutex
	of map[string]*sql.Stmt
}

func newStatements(db *sql.DB) *statements { return &statements{db: db, of: map[string]*sql.Stmt{}} }

// get returns the prepared statement of a query; nil: there is none.
func (s *statements) get(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[query]
}

// add prepares the statements of queries. It must not be called within a transaction,
// which uses the connection that this needs.
func (s *statements) add(ctx context.Context, queries []string) {
	for _, query := range queries {
		if s.full() || s.get(query) != nil {
			continue
		}
		x, err := s.db.PrepareContext(ctx, query)
		if err != nil {
			return // the query has just run: either ctx has ended, or the database is unavailable, which is reported elsewhere
		}
		s.keep(query, x)
	}
}

func (s *statements) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.of) >= maxStatements
}

func (s *statements) keep(query string, x *sql.Stmt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[query] != nil {
		_ = x.Close() // another transaction was faster
		return
	}
	s.of[query] = x
}

// close closes all statements.
func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for query, x := range s.of {
		errs = append(errs, x.Close())
		delete(s.of, query)
	}
	return errors.Join(errs...)
}

// query runs a query of the transaction, with its prepared statement if there is one.
func (t *Tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	args = texts(args)
	if x := t.statement(ctx, query); x != nil {
		return x.QueryContext(ctx, args...)
	}
	return t.tx.QueryContext(ctx, query, args...)
}

// statement returns the prepared statement of a query; nil: there is none.
func (t *Tx) statement(ctx context.Context, query string) *sql.Stmt {
	if t.kept == nil {
		return nil
	}
	if x, known := t.own[query]; known {
		return x
	}
	var own *sql.Stmt
	if x := t.kept.get(query); x != nil {
		own = t.tx.StmtContext(ctx, x)
	} else {
		t.fresh = append(t.fresh, query)
	}
	t.own[query] = own
	return own
}
