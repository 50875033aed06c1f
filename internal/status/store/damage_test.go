package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
)

func filled(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "status.db")
	s, err := Open(t.Context(), config.Address{Path: path, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test no longer needs the data
	for n := range 20 {
		if err := noted(t.Context(), s, fmt.Sprintf("%d %s", n, strings.Repeat("x", 4000))); err != nil {
			t.Fatal(err)
		}
	}
	return s, path
}

// noted adds an entry to the audit log.
func noted(ctx context.Context, s *Store, detail string) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.Audit(ctx, Entry{At: time.UnixMilli(1), Detail: detail}) })
}

// listed returns the number of entries in the audit log.
func listed(ctx context.Context, s *Store) (n int, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		list, err := tx.AuditLog(ctx, 0, 1000)
		n = len(list)
		return err
	})
	return n, err
}

// A file that is not a database, or is damaged, causes an error that names it.
func TestADamagedFile(t *testing.T) {
	s, path := filled(t)
	if _, err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"no database": []byte(strings.Repeat("no database ", 1000)), "its first half": whole[:len(whole)/2],
		"only its header": append(bytes.Clone(whole[:100]), bytes.Repeat([]byte{0xff}, len(whole)-100)...),
	} {
		damaged := filepath.Join(t.TempDir(), "damaged.db")
		if err := os.WriteFile(damaged, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), config.Address{Path: damaged, NoSync: true})
		if err != nil {
			if !strings.Contains(err.Error(), damaged) {
				t.Errorf("%s: the error does not name the file: %v", name, err)
			}
			continue
		}
		if _, err := listed(t.Context(), s); err == nil {
			t.Errorf("%s: it is opened and read as if it were whole", name)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// On a full disk, writes are refused and reads work; writes work again once there is
// space.
func TestAFullDisk(t *testing.T) {
	s, _ := filled(t)
	limit := func(pages int) {
		t.Helper()
		if _, err := s.write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite uses as many pages as exist already
	refused := 0
	for range 50 {
		if err := noted(t.Context(), s, strings.Repeat("y", 4000)); err != nil {
			refused++
			if !strings.Contains(err.Error(), "full") {
				t.Errorf("the error does not say that the disk is full: %v", err)
			}
		}
	}
	n, err := listed(t.Context(), s)
	if refused == 0 || err != nil || n != 20+50-refused {
		t.Errorf("%d refused, %d there: %v", refused, n, err)
	}
	limit(1 << 30)
	if err := noted(t.Context(), s, "room"); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// While another process has locked the file, writes wait and are then refused, and
// reads work.
func TestALockedFile(t *testing.T) {
	s, path := filled(t)
	other, err := Open(t.Context(), config.Address{Path: path, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() }) // the test no longer needs the data
	if _, err := s.write.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	err = other.Update(t.Context(), func(*Tx) error {
		if err := noted(t.Context(), s, "x"); err == nil || !strings.Contains(err.Error(), "locked") {
			t.Errorf("written beside a lock: %v", err)
		}
		if n, err := listed(t.Context(), s); n != 20 || err != nil {
			t.Errorf("%d are read beside a lock: %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := noted(t.Context(), s, "x"); err != nil {
		t.Errorf("without the lock: %v", err)
	}
}

// Acknowledged data survives a power cut: the writer waits until it is on the disk.
func TestTheWriterWaitsForTheDisk(t *testing.T) {
	s, err := Open(t.Context(), config.Address{Path: filepath.Join(t.TempDir(), "status.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test no longer needs the data
	const full = 2
	level := 0
	if err := s.write.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&level); err != nil || level != full {
		t.Errorf("synchronous is %d, want %d (%v)", level, full, err)
	}
}
