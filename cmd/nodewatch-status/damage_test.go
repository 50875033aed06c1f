package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/nodewatch/nodewatch/internal/status/store"
)

// An answer is a response of a hub.
type answer struct {
	code       int
	retryAfter string
	body       string
}

// ask sends a request with a token; if that is empty, without one.
func ask(t *testing.T, method, url, token, body string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(a.Body)
	if err := errors.Join(err, a.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return answer{a.StatusCode, a.Header.Get("Retry-After"), string(raw)}
}

// A request that waits too long for the database ends before its connection does.
func TestRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		waits := http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
		newServer(waits, slog.New(slog.DiscardHandler)).Handler.ServeHTTP(httptest.NewRecorder(),
			httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		if took := time.Since(began); took != requestTimeout {
			t.Errorf("%s, want %s", took, requestTimeout)
		}
	})
}

// While the database cannot be written, reports and pushes are refused temporarily, all
// existing data is shown, and metrics report the state. Once it can be written, the hub
// continues with all data that it has acknowledged.
func TestNothingCanBeWritten(t *testing.T) {
	t.Parallel() // the test mostly waits
	for name, hinder := range map[string]func(*testing.T, *process, string) (end func()){
		"the disk is full": func(t *testing.T, p *process, _ string) func() {
			limit := func(bytes uint64) {
				if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY},
					nil); err != nil {
					t.Fatal(err)
				}
			}
			limit(0)
			return func() { limit(unix.RLIM_INFINITY) }
		},
		"the database is locked": func(t *testing.T, _ *process, path string) func() {
			db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(60000)")
			if err != nil {
				t.Fatal(err)
			}
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "status.db")
			where := "sqlite:" + path
			l := newTraffic(t, parsed(t, where), 2)
			push, api := store.NewSecret(), store.NewSecret()
			with(t, parsed(t, where), func(s *store.Store) error {
				return s.Update(t.Context(), func(tx *store.Tx) error {
					now := time.Now()
					return errors.Join(
						tx.IssueToken(t.Context(), push, store.Token{Kind: store.PushToken, Subject: "web", Created: now}),
						tx.IssueToken(t.Context(), api, store.Token{Kind: store.APIToken, Subject: store.OperatorRole, Label: "test",
							Created: now}),
					)
				})
			})
			p := spawn(t, hubOn(t, where))
			l.until(t, 10, []string{p.intake}, func() {})
			eventually(t, p.operators, "rl1/node1")
			if code := l.send(t.Context(), 0, p.intake); code != http.StatusOK { // the next report is new, not a repetition
				t.Fatalf("a report: %d", code)
			}
			ended := false
			end := hinder(t, p, path)
			defer func() {
				if !ended {
					end()
				}
			}()

			if code := l.send(t.Context(), 0, p.intake); code != http.StatusServiceUnavailable {
				t.Errorf("a report: %d", code)
			}
			if a := ask(t, http.MethodPost, p.intake+"v1/components/web", push,
				"status=operational"); a.code != http.StatusServiceUnavailable || a.retryAfter == "" {
				t.Errorf("a push: %+v", a)
			}
			eventually(t, p.operators+"metrics", `nodewatch_status_refused_requests_total\{code="503"\} [1-9]`)
			eventually(t, p.operators+"metrics", `nodewatch_status_database_failures_total [1-9]`)
			for url, want := range map[string]string{
				p.public: "Node 2", p.public + "api/v2/summary.json": "Node 2", p.operators: "rl1/node1",
				p.operators + "nodes/rl1/node0": "Components", p.operators + "-/healthy": "healthy",
			} {
				if a := ask(t, http.MethodGet, url, "", ""); a.code != http.StatusOK || !strings.Contains(a.body, want) {
					t.Errorf("%s: %d %.300s, want %q", url, a.code, a.body, want)
				}
			}
			if a := ask(t, http.MethodGet, p.operators+"api/v1/nodes", api, ""); a.code != http.StatusOK ||
				!strings.Contains(a.body, "rl1/node0") {
				t.Errorf("the API: %+v", a)
			}

			end()
			ended = true
			l.until(t, 10, []string{p.intake}, func() {})
			if a := ask(t, http.MethodPost, p.intake+"v1/components/web", push, "status=operational"); a.code != http.StatusOK {
				t.Errorf("a push, afterwards: %+v", a)
			}
			p.kill()
			l.kept(t, parsed(t, where))
		})
	}
}

// The hub is not ready after the database could not be read, or not be written, for
// 30 s.
func TestReady(t *testing.T) {
	h := opened(t, configured(t, onePage))
	if err := h.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	made := h.shown.Load()
	for name, c := range map[string]struct {
		read, written time.Duration // ago
		code          int
		says          string
	}{
		"all is well":       {0, 0, http.StatusOK, "ready\n"},
		"busy for a moment": {20 * time.Second, 20 * time.Second, http.StatusOK, "ready\n"},
		"it cannot be read": {time.Minute, time.Minute, http.StatusServiceUnavailable,
			"the database has not been available for 1m0s\n"},
		"it can be read at most": {0, time.Minute, http.StatusServiceUnavailable, "nothing could be written to the database for 1m0s\n"},
	} {
		h.shown.Store(&site{snapshot: made.snapshot, page: made.page, at: time.Now().Add(-c.read)})
		h.beaten.Store(time.Now().Add(-c.written).UnixMilli())
		w := httptest.NewRecorder()
		h.ready(w, nil)
		if w.Code != c.code || w.Body.String() != c.says {
			t.Errorf("%s: %d %q, want %d %q", name, w.Code, w.Body, c.code, c.says)
		}
	}
}

// If the database is damaged while the hub runs, only what needs it is unavailable; a
// hub does not start with it, and reports why; a backup restores all data.
func TestTheDatabaseIsDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "status.db")
	where := "sqlite:" + path
	file := hubOn(t, where)
	l := newTraffic(t, parsed(t, where), 2)
	api := store.NewSecret()
	with(t, parsed(t, where), func(s *store.Store) error {
		return s.Update(t.Context(), func(tx *store.Tx) error {
			for n := range 3000 { // more than SQLite caches in memory
				if err := tx.Audit(t.Context(), store.Entry{At: time.Now(), Who: "kim", Action: "test", Subject: fmt.Sprint(n),
					Detail: strings.Repeat("x", 4000)}); err != nil {
					return err
				}
			}
			return tx.IssueToken(t.Context(), api, store.Token{Kind: store.APIToken, Subject: store.OperatorRole, Label: "test",
				Created: time.Now()})
		})
	})
	p := spawn(t, file)
	l.until(t, 10, []string{p.intake}, func() {})
	backup := filepath.Join(t.TempDir(), "backup.db")
	if code, _, errs := called(t, "backup", backup, "--config.file", file); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	all := func() answer {
		return ask(t, http.MethodGet, p.operators+"api/v1/audit?limit=1000&before=1500", api, "")
	}
	if a := all(); a.code != http.StatusOK {
		t.Fatalf("%d %.300s", a.code, a.body)
	}
	damage(t, path)
	if a := all(); a.code != http.StatusServiceUnavailable || a.retryAfter == "" || strings.Contains(a.body, "sql") {
		t.Errorf("the API: %d %.300s", a.code, a.body)
	}
	for _, url := range []string{p.public, p.operators + "metrics", p.operators + "-/healthy"} {
		if a := ask(t, http.MethodGet, url, "", ""); a.code != http.StatusOK {
			t.Errorf("%s: %+v", url, a)
		}
	}
	p.kill()
	for _, suffix := range []string{"-wal", "-shm"} { // later writes are lost with the file
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if code, _, errs := called(t, "run", "--config.file", file); code != exitFailure || !strings.Contains(errs, path) {
		t.Errorf("exit %d: %s", code, errs)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := called(t, "restore", backup, "--config.file", file); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	p = spawn(t, file)
	l.until(t, 10, []string{p.intake}, p.kill)
	l.kept(t, parsed(t, where))
}

// damage overwrites a file with invalid data of the same length.
func damage(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.WriteAt([]byte(strings.Repeat("no database ", int(size/12))), 0)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
