package main

import (
	"context"
	"log/slog"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A teller writes each transition to the log, once.
type teller struct {
	log  *slog.Logger
	told uint64
}

func newTeller(log *slog.Logger) *teller { return &teller{log: log} }

// tell is called by the loop; the log's queue does not block.
func (t *teller) tell(v judge.View) {
	for _, n := range v.Report.Transitions {
		if n.N <= t.told {
			continue
		}
		t.told = n.N
		level := slog.LevelInfo
		switch report.Severity(n.To) {
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

// storming reports whether krbd was stalled and faulting at the latest look: a
// rule that says so is raised.
func storming(v judge.View) bool {
	for _, f := range v.Report.Findings {
		if f.Rule == "krbd-retry-storm" {
			return true
		}
	}
	return false
}
