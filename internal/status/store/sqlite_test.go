package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
)

// write writes enough to make the write-ahead log grow.
func (b bench) write(t *testing.T) {
	t.Helper()
	b.update(t, func(tx *store.Tx) error {
		for n := range 200 {
			if err := tx.Audit(t.Context(), store.Entry{At: noon, Who: "kim", Subject: fmt.Sprint(n),
				Detail: strings.Repeat("x", 2000)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// A read transaction of another process prevents truncation of the log. This is reported, and
// neither waits for the other; once that transaction has ended, the log is reused from its
// beginning.
func TestCheckpoint(t *testing.T) {
	address := "sqlite:" + filepath.Join(t.TempDir(), "status.db")
	hub, other := open(t, address), open(t, address)
	checkpoint := func(want bool) {
		t.Helper()
		if all, err := hub.Checkpoint(t.Context()); err != nil || all != want {
			t.Errorf("all is moved: %v, want %v; %v", all, want, err)
		}
	}
	other.view(t, func(tx *store.Tx) error {
		if _, err := tx.AuditLog(t.Context(), 0, 1); err != nil { // its read begins here
			return err
		}
		hub.write(t)
		checkpoint(false)
		hub.write(t)
		checkpoint(false)
		return nil
	})
	checkpoint(true)
	was := hub.Size().WAL
	for range 3 {
		hub.write(t)
		checkpoint(true)
	}
	if is := hub.Size().WAL; is > was {
		t.Errorf("the log has grown from %d to %d bytes", was, is)
	}
}

// No read transaction of the hub lasts longer than ReadTimeout, so that the log can be
// truncated afterwards.
func TestReadsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, "sqlite:"+filepath.Join(t.TempDir(), "status.db"))
		err := b.View(t.Context(), func(tx *store.Tx) error {
			for began := time.Now(); time.Since(began) < 10*store.ReadTimeout; time.Sleep(time.Second) {
				if _, err := tx.AuditLog(t.Context(), 0, 1); err != nil {
					if time.Since(began) > store.ReadTimeout+time.Second {
						t.Errorf("it ends after %s only", time.Since(began))
					}
					return err
				}
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "a read took longer than 30s") {
			t.Errorf("a transaction that never ends: %v", err)
		}
		b.write(t)
		if all, err := b.Checkpoint(t.Context()); !all || err != nil {
			t.Errorf("the log cannot be shortened: %v", err)
		}
	})
}

// A cancelled backup leaves no files, and a complete one is readable only by its owner.
func TestBackupOfSQLite(t *testing.T) {
	b := open(t, "sqlite:"+filepath.Join(t.TempDir(), "status.db"))
	filled(t, b)
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.db")
	ended, end := context.WithCancel(t.Context())
	end()
	if err := b.Backup(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup that was given up: %v", err)
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("it leaves %v %v", left, err)
	}
	if err := b.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
