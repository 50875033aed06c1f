package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/intake"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

// A node is shown in its reported state for one TTL, then as unknown; when it reports
// again, the time between is filled from its queue. A hub that was not running makes no
// node silent.
func TestASilentNodeOnThePublicPage(t *testing.T) {
	c, err := config.Parse("nodewatch-status.yml", []byte(onePage))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), config.Address{Path: filepath.Join(t.TempDir(), "status.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test no longer needs the data
	h, err := newHub(c, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now, secret := noon, store.NewSecret()
	in, err := intake.New(intake.Config{Now: func() time.Time { return now }, Rate: 1000, Failed: func(err error) { t.Error(err) }}, s)
	if err != nil {
		t.Fatal(err)
	}
	go in.Run(t.Context())
	update := func(f func(*store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *store.Tx) error {
		return tx.IssueToken(t.Context(), secret, store.Token{Kind: store.NodeToken, Subject: "rl1/node2", Created: noon.Add(-time.Hour)})
	})
	tell := func(seq uint64, status report.Impact, since time.Time, list ...native.Transition) {
		t.Helper()
		b := native.Body{
			Schema: native.Schema, Node: native.Node{ID: "rl1/node2", Name: "node2", Site: "rl1"}, Seq: seq, SentAt: now, Interval: 30,
			TTL: 100, Status: status,
			Agent:      native.Agent{Version: "1.2.3", Boot: "b1", Started: noon.Add(-time.Hour)},
			Components: []native.Component{{ID: "storage", Status: status, State: report.Seen, Since: since, Summary: "storage"}},
			Findings:   []report.Finding{}, Transitions: append([]native.Transition{}, list...),
		}
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		q := httptest.NewRequest(http.MethodPost, "/v1/report", bytes.NewReader(raw))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Authorization", "Bearer "+secret)
		q.Header.Set("Idempotency-Key", receiver.Key(b))
		w := httptest.NewRecorder()
		if in.ServeHTTP(w, q); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	shown := func(after time.Duration) string {
		t.Helper()
		update(func(tx *store.Tx) error {
			heard, silent, _, err := lookForSilent(t.Context(), tx, noon.Add(after))
			if err != nil {
				return err
			}
			return recordSilent(t.Context(), tx, heard, silent)
		})
		s, err := h.site(t.Context(), noon.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		x := s.snapshot.Groups[0].Components[0]
		return strings.TrimSpace(string(x.Status) + " " + x.Note + " " + x.Uptime.Text + " " + x.Uptime.Known)
	}
	expect := func(after time.Duration, want string) {
		t.Helper()
		if got := shown(after); got != want {
			t.Errorf("after %v: %q, want %q", after, got, want)
		}
	}
	const m = time.Minute
	tell(1, report.Operational, noon.Add(-time.Hour))
	expect(100*time.Second, "operational  100.000 %")
	expect(2*m, "unknown No report since 2026-11-22 13:00 CET 100.000 % 0.000 %")
	change := native.Transition{ID: "1", Run: noon.Add(-time.Hour), Transition: report.Transition{
		N: 1, At: noon.Add(2 * m), Rule: "r", Component: "storage", From: "clear", To: "critical", Impact: report.MajorOutage}}
	end := change
	end.ID, end.N, end.At, end.From, end.To = "2", 2, noon.Add(4*m), "critical", "clear"
	now = noon.Add(10 * m)
	tell(2, report.Operational, noon.Add(4*m), change, end)
	expect(10*m, "operational  80.000 %")

	// No hub runs from 12:10 to 12:20.
	update(func(tx *store.Tx) error {
		for _, beat := range []time.Duration{10 * m, 20 * m} {
			if err := tx.Beat(t.Context(), "a", noon, noon.Add(beat), lapse); err != nil {
				return err
			}
		}
		return nil
	})
	expect(20*m, "unknown Not monitored since 2026-11-22 13:10 CET 80.000 % 50.000 %")
	now = noon.Add(21 * m)
	tell(3, report.Operational, noon.Add(4*m))
	expect(21*m, "operational  90.476 %")
}
