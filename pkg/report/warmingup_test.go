package report_test

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestEarly(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for after, want := range map[time.Duration]bool{0: true, 179 * time.Second: true, 3 * time.Minute: false, time.Hour: false,
		-time.Minute: true, -time.Hour: false} {
		if got := (report.Report{Started: start, At: start.Add(after)}).WarmingUp(); got != want {
			t.Errorf("%s after the start: %t", after, got)
		}
	}
	if (report.Report{At: start}).WarmingUp() {
		t.Error("a report that does not say when nodewatch started is early")
	}
}
