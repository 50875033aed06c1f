package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodewatch/nodewatch/internal/status/config"
)

// tables returns all tables that contain data, each after those that it refers to.
func tables() []string {
	return []string{
		"node", "presence", "signal", "reason", "state_change", "transition", "token", "alert", "incident", "incident_update",
		"incident_component",
		"postmortem", "maintenance", "maintenance_update", "maintenance_component", "operator", "session", "audit", "hub", "hub_gap",
		"lease", "api_request",
	}
}

// perInsert is the maximum number of values in one INSERT.
const perInsert = 4000

// Backup writes a consistent copy of all data to a new SQLite file while the hub
// runs. The file appears once it is complete.
func (s *Store) Backup(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("store: %s exists; backup does not overwrite files", path)
	}
	partial := path + ".partial"
	if err := remove(partial); err != nil {
		return err
	}
	err := s.backup(ctx, partial)
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		return errors.Join(err, remove(partial))
	}
	return nil
}

func (s *Store) backup(ctx context.Context, path string) error {
	if err := create(path); err != nil {
		return err
	}
	if !s.postgres {
		return s.vacuumInto(ctx, path)
	}
	to, err := Open(ctx, config.Address{Path: path})
	if err != nil {
		return err
	}
	return errors.Join(Copy(ctx, s, to), to.Close())
}

// vacuumInto makes SQLite copy itself in one read transaction: because this holds
// back the write-ahead log of a running hub, it takes at most ReadTimeout.
func (s *Store) vacuumInto(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ReadTimeout, errTooLong)
	defer cancel()
	if _, err := s.write.ExecContext(ctx, "VACUUM INTO $1", path); err != nil {
		if errors.Is(context.Cause(ctx), errTooLong) {
			return fmt.Errorf("%w: write the backup to a faster disk, or stop the hub and copy its files", errTooLong)
		}
		return fmt.Errorf("store: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return errors.Join(f.Sync(), f.Close()) // SQLite leaves syncing to the system
}

// remove removes an SQLite database if it exists.
func remove(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("store: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Copy copies all data to another store, which must be empty. It reads one consistent
// state, however long it takes, and the other store receives all or nothing.
func Copy(ctx context.Context, from, to *Store) error {
	return from.view(ctx, func(src *Tx) error {
		return to.Update(ctx, func(dst *Tx) error {
			for _, table := range tables() {
				var n int
				if _, err := dst.one(ctx, []any{&n}, "SELECT COUNT(*) FROM "+table); err != nil {
					return err
				}
				if n > 0 {
					return fmt.Errorf("store: the database is not empty: %s has %d rows", table, n)
				}
			}
			for _, table := range tables() {
				if err := copyTable(ctx, src, dst, table); err != nil {
					return fmt.Errorf("%s: %w", table, err)
				}
			}
			return nil
		})
	})
}

func copyTable(ctx context.Context, src, dst *Tx, table string) error {
	rows, err := src.tx.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { _ = rows.Close() }() // the error of a read is in rows.Err
	columns, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	var values []any
	flush := func() error {
		if len(values) == 0 {
			return nil
		}
		_, err := dst.exec(ctx, insert(table, columns, len(values)/len(columns)), values...)
		values = values[:0]
		return err
	}
	for rows.Next() {
		row := make([]any, len(columns))
		to := make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if values = append(values, row...); len(values)+len(columns) > perInsert {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(rows.Err(), flush()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return dst.continueNumbers(ctx, table)
}

// continueNumbers makes PostgreSQL number new rows after the existing ones. SQLite
// does so by default.
func (t *Tx) continueNumbers(ctx context.Context, table string) error {
	if !t.postgres {
		return nil
	}
	var sequence sql.NullString
	if _, err := t.one(ctx, []any{&sequence}, `SELECT pg_get_serial_sequence($1, column_name) FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = $1 AND column_name = 'id'`, table); err != nil || !sequence.Valid {
		return err
	}
	_, err := t.exec(ctx, `SELECT setval($1, (SELECT COALESCE(MAX(id), 1) FROM `+table+`))`, sequence.String)
	return err
}

// insert returns the statement that adds n rows.
func insert(table string, columns []string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", table, strings.Join(columns, ", "))
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for k := range columns {
			if k > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", i*len(columns)+k+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// Restore copies the data of a backup to a store, which must be empty. The file stays
// unchanged, even if an earlier version wrote it.
func Restore(ctx context.Context, path string, to *Store) (err error) {
	from, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { _ = from.Close() }() // only read
	own, err := os.CreateTemp(to.directory(), "restore-*.db")
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { err = errors.Join(err, remove(own.Name())) }()
	if _, err := io.Copy(own, from); err != nil {
		return errors.Join(fmt.Errorf("store: %w", err), own.Close())
	}
	if err := own.Close(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s, err := Open(ctx, config.Address{Path: own.Name(), NoSync: true})
	if err != nil {
		return fmt.Errorf("%s is not a backup: %w", path, err)
	}
	return errors.Join(Copy(ctx, s, to), s.Close())
}

// directory returns a directory with room for a copy: that of SQLite's file, or the
// one for temporary files.
func (s *Store) directory() string {
	if s.postgres {
		return os.TempDir()
	}
	return filepath.Dir(s.path)
}
