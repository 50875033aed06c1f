package main

import (
	"context"
	"log/slog"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A transitionLog writes each transition to the log, once.
type transitionLog struct {
	log    *slog.Logger
	latest uint64
}

func newTransitionLog(log *slog.Logger) *transitionLog { return &transitionLog{log: log} }

// write writes new transitions. The loop calls it; the log's queue does not block.
func (t *transitionLog) write(v judge.View) {
	for _, n := range v.Report.Transitions {
		if n.N <= t.latest {
			continue
		}
		t.latest = n.N
		level := slog.LevelInfo
		switch n.To {
		case report.Critical:
			level = slog.LevelError
		case report.Warning:
			level = slog.LevelWarn
		}
		about := []any{"rule", n.Rule, "subject", n.Subject, "from", n.From, "to", n.To, "impact", n.Impact}
		if n.ImpactFrom != "" {
			about = append(about, "impact_from", n.ImpactFrom)
		}
		t.log.Log(context.Background(), level, n.Summary, about...)
	}
}

// storming reports whether krbd was stalled and faulting in the latest evaluation: a
// rule for this is raised.
func storming(v judge.View) bool {
	for _, f := range v.Report.Findings {
		if f.Rule == "krbd-retry-storm" {
			return true
		}
	}
	return false
}
