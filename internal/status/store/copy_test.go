package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// filled adds rows to most tables.
func filled(t *testing.T, b bench) {
	t.Helper()
	b.update(t, func(tx *store.Tx) error {
		for n := range 8 {
			key := fmt.Sprintf("rl1/node%02d", n)
			id, err := tx.SaveBody(t.Context(), body(key), noon)
			if err != nil {
				return err
			}
			if err := tx.SavePresence(t.Context(), id, store.Presence{Boot: "b1", Started: noon, Seq: 7, Sent: noon, Arrived: noon,
				TTL: time.Minute}); err != nil {
				return err
			}
			signal, err := tx.Signal(t.Context(), store.Key{Kind: store.OfNode, Owner: key, Name: "storage"}, store.Signal{Summary: "ö"})
			if err != nil {
				return err
			}
			var line uptime.Timeline
			for m := range 12 {
				c := change(m, report.Impacts()[m%6])
				c.Reason = fmt.Sprintf("rule-%d", m%3)
				line = append(line, c)
			}
			if err := tx.Rewrite(t.Context(), signal, noon, line); err != nil {
				return err
			}
			if _, err := tx.AddTransition(t.Context(), id, native.Transition{ID: "1",
				Transition: report.Transition{At: noon, Summary: "it's \"quoted\""}}, noon); err != nil {
				return err
			}
		}
		i, m := anIncident(), aMaintenance()
		if err := errors.Join(tx.SaveIncident(t.Context(), &i), tx.SaveMaintenance(t.Context(), &m)); err != nil {
			return err
		}
		return tx.IssueToken(t.Context(), store.NewSecret(), store.Token{Kind: store.NodeToken, Subject: "rl1/node01", Created: noon,
			CreatedBy: "kim"})
	})
}

// content returns everything that can be read from a store.
func content(t *testing.T, b bench) (all []any) {
	t.Helper()
	b.view(t, func(tx *store.Tx) error {
		list, err := tx.Nodes(t.Context())
		if err != nil {
			return err
		}
		all = append(all, list)
		for _, n := range list {
			lines, err := tx.Timelines(t.Context(), []store.Key{{Kind: store.OfNode, Owner: n.Key, Name: "storage"}}, noon)
			if err != nil {
				return err
			}
			transitions, err := tx.Transitions(t.Context(), n.ID, noon, 100)
			if err != nil {
				return err
			}
			all = append(all, lines, transitions)
		}
		tokens, err := tx.Tokens(t.Context())
		if err != nil {
			return err
		}
		incidents, err := tx.Incidents(t.Context(), noon)
		if err != nil {
			return err
		}
		maintenances, err := tx.Maintenances(t.Context(), noon)
		if err != nil {
			return err
		}
		log, err := tx.AuditLog(t.Context(), 0, 100)
		all = append(all, tokens, incidents, maintenances, log)
		return err
	})
	return all
}

// copied copies one store to another, which then has the same content, refuses a
// second copy, and gives new numbers to new rows.
func copied(t *testing.T, from, to bench) {
	filled(t, from)
	if err := store.Copy(t.Context(), from.Store, to.Store); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(content(t, from), content(t, to)); diff != "" {
		t.Error(diff)
	}
	if err := store.Copy(t.Context(), from.Store, to.Store); err == nil || !strings.Contains(err.Error(), "not empty: node has 8 rows") {
		t.Errorf("a second copy: %v", err)
	}
	to.update(t, func(tx *store.Tx) error {
		_, err := tx.SaveBody(t.Context(), body("rl1/new"), noon)
		return err
	})
}

// backedUp makes a backup during writes, and restores it into an empty database.
func backedUp(t *testing.T, b bench) {
	filled(t, b)
	path := filepath.Join(t.TempDir(), "backup.db")
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				stopped <- n
				return
			default:
			}
			if err := b.Update(t.Context(), func(tx *store.Tx) error {
				return tx.Audit(t.Context(), store.Entry{At: noon, Who: "kim", Subject: fmt.Sprint(n)})
			}); err != nil {
				t.Error(err)
			}
		}
	}()
	err := b.Backup(t.Context(), path)
	close(stop)
	if n := <-stopped; err != nil {
		t.Fatalf("%v, beside %d writes", err, n)
	}
	if err := b.Backup(t.Context(), path); err == nil || !strings.Contains(err.Error(), "does not overwrite files") {
		t.Errorf("onto a file: %v", err)
	}
	restored := open(t, "sqlite:"+filepath.Join(t.TempDir(), "restored.db"))
	if err := store.Restore(t.Context(), path, restored.Store); err != nil {
		t.Fatal(err)
	}
	want, got := content(t, b), content(t, restored)
	last := len(want) - 1 // the audit log, which grew meanwhile
	if diff := cmp.Diff(want[:last], got[:last]); diff != "" {
		t.Error(diff)
	}
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("garbage "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), garbage, restored.Store); err == nil || !strings.Contains(err.Error(), "is not a backup") {
		t.Errorf("from garbage: %v", err)
	}
}
