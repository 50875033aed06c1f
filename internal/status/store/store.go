// Package store stores the data of nodewatch-status in a database: SQLite in a file
// by default, or PostgreSQL by URL. Both have the same tables and use the same SQL.
package store

import (
	"compress/gzip"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/nodewatch/nodewatch/internal/status/config"
)

//go:embed migrations
var migrations embed.FS

// A Store is an open database. Its methods are safe for concurrent use.
type Store struct {
	write    *sql.DB
	read     *sql.DB                 // SQLite: separate read-only connections
	kept     map[*sql.DB]*statements // SQLite: by connections
	postgres bool
	path     string     // SQLite: path of the file
	zips     *sync.Pool // *gzip.Writer, each with 800 kB of tables
}

// A Tx is one transaction. It returns plain values.
type Tx struct {
	tx       *sql.Tx
	postgres bool
	kept     *statements          // nil: no statements are prepared
	own      map[string]*sql.Stmt // statements of kept, bound to this transaction; nil: not in kept
	fresh    []string             // queries without a prepared statement
	zips     *sync.Pool
	reasons  map[string]int64 // numbers that this transaction has looked up
}

// readers is the maximum number of SQLite queries that run in parallel with each
// other and with the writer.
const readers = 4

// Open opens the database and updates its tables to this version. Its errors never
// contain the password of the address.
func Open(ctx context.Context, a config.Address) (s *Store, err error) {
	s = &Store{postgres: a.Path == "", path: a.Path, zips: &sync.Pool{New: func() any { return gzip.NewWriter(nil) }}}
	if s.postgres {
		if s.write, err = sql.Open("pgx", a.URL); err != nil {
			return nil, fmt.Errorf("store: %s: %w", a, a.Redact(err))
		}
		s.write.SetMaxOpenConns(16)
		s.write.SetMaxIdleConns(4)
		s.write.SetConnMaxIdleTime(5 * time.Minute)
		s.read = s.write
	} else {
		if err := create(a.Path); err != nil {
			return nil, err
		}
		// FULL: acknowledged data survives a power cut. Many reports share one commit.
		synchronous := "FULL"
		if a.NoSync {
			synchronous = "OFF"
		}
		if s.write, err = sql.Open("sqlite", dsn(a.Path, "_txlock=immediate&_pragma=synchronous("+synchronous+")")); err != nil {
			return nil, fmt.Errorf("store: %s: %w", a, err)
		}
		s.write.SetMaxOpenConns(1)
		if s.read, err = sql.Open("sqlite", dsn(a.Path, "_pragma=query_only(1)")); err != nil {
			return nil, errors.Join(fmt.Errorf("store: %s: %w", a, err), s.write.Close())
		}
		s.read.SetMaxOpenConns(readers)
		s.read.SetMaxIdleConns(readers)
		s.kept = map[*sql.DB]*statements{s.write: newStatements(s.write), s.read: newStatements(s.read)}
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %s: %w", a, a.Redact(err)), s.Close())
	}
	return s, nil
}

// OpenExisting is Open for a database that must exist.
func OpenExisting(ctx context.Context, a config.Address) (*Store, error) {
	if a.Path != "" {
		if _, err := os.Stat(a.Path); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	return Open(ctx, a)
}

// migrate updates the tables to this version. Hubs that start together take turns.
func (s *Store) migrate(ctx context.Context) error {
	dialect, dir := goose.DialectSQLite3, "migrations/sqlite"
	opts := []goose.ProviderOption{goose.WithVerbose(false)}
	if s.postgres {
		dialect, dir = goose.DialectPostgres, "migrations/postgres"
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, s.write, files, opts...)
	if err != nil {
		return err
	}
	has, wants, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has > wants {
		return fmt.Errorf("the database has version %d, which is newer than this program's %d; start a newer nodewatch-status", has, wants)
	}
	_, err = p.Up(ctx)
	return err
}

// Close closes the database.
func (s *Store) Close() error {
	if s.read == s.write {
		return s.write.Close()
	}
	return errors.Join(s.kept[s.read].close(), s.kept[s.write].close(), s.read.Close(), s.write.Close())
}

// tries is how many times a transaction is attempted that conflicts with another one.
const tries = 3

// Update runs f in a transaction that may write. f may be called more than once and
// must have no effect outside the database.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) (err error) {
	for range tries {
		if err = s.run(ctx, s.write, nil, f); err == nil || !inTheWay(err) {
			return err
		}
	}
	return err
}

// ReadTimeout is the maximum duration of a read transaction. While one runs, SQLite's
// write-ahead log can only grow.
const ReadTimeout = 30 * time.Second

// View runs f in a read transaction, which sees one state of the database, for at most
// ReadTimeout.
func (s *Store) View(ctx context.Context, f func(*Tx) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ReadTimeout, errTooLong)
	defer cancel()
	err := s.view(ctx, f)
	if err != nil && errors.Is(context.Cause(ctx), errTooLong) {
		return errors.Join(errTooLong, err)
	}
	return err
}

// errTooLong is the error of a transaction that reached ReadTimeout.
var errTooLong = fmt.Errorf("store: a read took longer than %s", ReadTimeout)

// view is View without a time limit.
func (s *Store) view(ctx context.Context, f func(*Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if !s.postgres {
		opts = nil // the connections are read-only, and SQLite always shows one state
	}
	return s.run(ctx, s.read, opts, f)
}

func (s *Store) run(ctx context.Context, db *sql.DB, opts *sql.TxOptions, f func(*Tx) error) error {
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	t := &Tx{tx: tx, postgres: s.postgres, kept: s.kept[db], own: map[string]*sql.Stmt{}, zips: s.zips, reasons: map[string]int64{}}
	if err := f(t); err != nil {
		return errors.Join(err, ended(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if len(t.fresh) > 0 {
		t.kept.add(ctx, t.fresh)
	}
	return nil
}

// ended suppresses the error of a transaction that has already ended.
func ended(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// inTheWay reports whether PostgreSQL aborted the transaction because of another one:
// by a deadlock or a serialization failure.
func inTheWay(err error) bool {
	pg, is := errors.AsType[*pgconn.PgError](err)
	return is && (pg.Code == "40P01" || pg.Code == "40001")
}

// forUpdate returns the clause of a SELECT that locks its rows until the end of the
// transaction. SQLite has one writer and needs no locks.
func (t *Tx) forUpdate() string {
	if t.postgres {
		return " FOR UPDATE"
	}
	return ""
}

// millis converts a time to the form of the database.
func millis(t time.Time) int64 { return t.UnixMilli() }

// at converts a time from the form of the database.
func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// optional converts a time; the zero time becomes null.
func optional(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// maybe converts a time that may be null.
func maybe(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return at(n.Int64)
}

// texts makes texts valid for both databases: PostgreSQL refuses invalid UTF-8 and the
// character 0.
func texts(args []any) []any {
	for n, a := range args {
		if s, is := a.(string); is && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			args = slices.Clone(args)
			args[n] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

// rows calls scan for each row of a query.
func (t *Tx) rows(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	r, err := t.query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { _ = r.Close() }() // the error of a read is in rows.Err
	for r.Next() {
		if err := scan(r); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// exec runs a statement and returns how many rows it changed.
func (t *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	args = texts(args)
	var r sql.Result
	var err error
	if x := t.statement(ctx, query); x != nil {
		r, err = x.ExecContext(ctx, args...)
	} else {
		r, err = t.tx.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return n, nil
}

// one scans the only row of a query; false: there is no row.
func (t *Tx) one(ctx context.Context, to []any, query string, args ...any) (bool, error) {
	found := false
	err := t.rows(ctx, func(r *sql.Rows) error {
		found = true
		return r.Scan(to...)
	}, query, args...)
	return found, err
}
