package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// A new incident is saved, and read by the next run.
func TestWhatTheJudgeKeepsIsWrittenAndRead(t *testing.T) {
	dir := t.TempDir()
	k := keepState(t.Context(), func() (statefile.File, bool) { return statefile.Judge(dir), true }, slog.New(slog.DiscardHandler))
	v := judge.View{}
	v.Now = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	read := keptState(dir)
	if raw, err := read(t.Context()); err != nil || len(raw) != 0 {
		t.Fatalf("got %s, %v where nothing was written", raw, err)
	}
	k.view(v)
	v.Report.Incident = &report.Incident{Begin: v.Now}
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		k.view(v) // until the keeper has accepted it
		raw, err := read(t.Context())
		var s judge.State
		if err == nil && len(raw) > 0 && json.Unmarshal(raw, &s) == nil && s.Baselines != nil {
			return
		}
		select {
		case <-deadline.Done():
			t.Fatalf("nothing was written: %s, %v", raw, err)
		case <-time.After(time.Millisecond):
		}
	}
}
