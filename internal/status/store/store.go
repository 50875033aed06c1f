// Package store keeps what nodewatch-status knows in a database: SQLite in a file
// by default, or PostgreSQL by URL. Both hold the same tables and take the same SQL.
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

// A Store is an open database. Its methods may be called by several goroutines.
type Store struct {
	write    *sql.DB
	read     *sql.DB                 // of SQLite: connections of their own that cannot write
	kept     map[*sql.DB]*statements // of SQLite, by its connections
	postgres bool
	path     string     // of SQLite's file
	zips     *sync.Pool // of *gzip.Writer, each of which has 800 kB of tables
}

// A Tx is one transaction. What it returns is plain values.
type Tx struct {
	tx       *sql.Tx
	postgres bool
	kept     *statements          // nil: none are kept
	own      map[string]*sql.Stmt // those of kept, for this transaction; nil: it is not kept
	fresh    []string             // queries that are not kept
	zips     *sync.Pool
	reasons  map[string]int64 // that this transaction has looked up
}

// readers is how many queries of SQLite run beside each other and beside the writer.
const readers = 4

// Open opens the database and brings its tables up to date. Errors never hold the
// password of the address.
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
		// FULL: what was acknowledged survives a power cut. Many reports share one commit.
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

// OpenExisting is Open for a database that must be there.
func OpenExisting(ctx context.Context, a config.Address) (*Store, error) {
	if a.Path != "" {
		if _, err := os.Stat(a.Path); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	return Open(ctx, a)
}

// migrate brings the tables up to date. Hubs that start together take turns.
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

// tries is how often a transaction is repeated that another one was in the way of.
const tries = 3

// Update runs f in a transaction that may write. f may be called more than once and
// must change nothing but the database.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) (err error) {
	for range tries {
		if err = s.run(ctx, s.write, nil, f); err == nil || !inTheWay(err) {
			return err
		}
	}
	return err
}

// ReadTimeout is how long a transaction that only reads takes at most. While one runs,
// SQLite's write-ahead log only grows.
const ReadTimeout = 30 * time.Second

// View runs f in a transaction that only reads, and sees one state of the database, for
// at most ReadTimeout.
func (s *Store) View(ctx context.Context, f func(*Tx) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ReadTimeout, errTooLong)
	defer cancel()
	err := s.view(ctx, f)
	if err != nil && errors.Is(context.Cause(ctx), errTooLong) {
		return errors.Join(errTooLong, err)
	}
	return err
}

// errTooLong is the error of a transaction that was ended.
var errTooLong = fmt.Errorf("store: a read took longer than %s", ReadTimeout)

// view is View for as long as it takes.
func (s *Store) view(ctx context.Context, f func(*Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if !s.postgres {
		opts = nil // the connections cannot write, and SQLite always sees one state
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

// ended leaves out that a transaction has ended already.
func ended(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// inTheWay reports whether PostgreSQL ended the transaction because of another one:
// a deadlock or a serialization failure.
func inTheWay(err error) bool {
	pg, is := errors.AsType[*pgconn.PgError](err)
	return is && (pg.Code == "40P01" || pg.Code == "40001")
}

// forUpdate is what a SELECT ends in that locks its rows until the end of the
// transaction. SQLite has one writer, which needs no locks.
func (t *Tx) forUpdate() string {
	if t.postgres {
		return " FOR UPDATE"
	}
	return ""
}

// millis is a time as the database keeps it.
func millis(t time.Time) int64 { return t.UnixMilli() }

// at is a time that the database keeps.
func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// optional is a time that may not be set.
func optional(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// maybe is a time that may be null.
func maybe(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return at(n.Int64)
}

// texts makes texts such as both databases take: PostgreSQL refuses what is not UTF-8,
// and the character 0.
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
	defer func() { _ = r.Close() }() // the error of a read is in Err
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

// exec runs a statement and says how many rows it changed.
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

// one scans the only row of a query; false: there is none.
func (t *Tx) one(ctx context.Context, to []any, query string, args ...any) (bool, error) {
	found := false
	err := t.rows(ctx, func(r *sql.Rows) error {
		found = true
		return r.Scan(to...)
	}, query, args...)
	return found, err
}
