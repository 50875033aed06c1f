package presence_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A failed check counts only for a silent node.
func TestWitness(t *testing.T) {
	begin := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(m int, state report.Impact, reason string) uptime.Change {
		return uptime.Change{At: begin.Add(time.Duration(m) * time.Minute), State: state, Reason: reason}
	}
	node := uptime.Timeline{
		at(0, report.Operational, ""), at(10, report.Unknown, presence.NoReport), at(20, report.DegradedPerformance, "r"),
		at(30, report.Unknown, presence.Stopped), at(40, report.Unknown, "not_seen"), at(50, report.Unknown, presence.SiteNoReport),
	}
	down := at(0, report.PartialOutage, "no_packets")
	for _, c := range []struct {
		name        string
		check, want uptime.Timeline
	}{
		{"no check", nil, node},
		{"all well", uptime.Timeline{at(0, report.Operational, "")}, node},
		{"cannot run", uptime.Timeline{at(0, report.Unknown, "cannot_check")}, node},
		{"down all the time", uptime.Timeline{down}, uptime.Timeline{
			at(0, report.Operational, ""), at(10, report.PartialOutage, "no_packets"), at(20, report.DegradedPerformance, "r"),
			at(30, report.Unknown, presence.Stopped), at(40, report.Unknown, "not_seen"), at(50, report.PartialOutage, "no_packets"),
		}},
		{"down for a while", uptime.Timeline{at(-5, report.Operational, ""), at(12, report.PartialOutage, "no_packets"),
			at(15, report.Operational, "")}, uptime.Timeline{
			at(0, report.Operational, ""), at(10, report.Unknown, presence.NoReport), at(12, report.PartialOutage, "no_packets"),
			at(15, report.Unknown, presence.NoReport),
			at(20, report.DegradedPerformance, "r"), at(30, report.Unknown, presence.Stopped), at(40, report.Unknown, "not_seen"),
			at(50, report.Unknown, presence.SiteNoReport),
		}},
	} {
		if diff := cmp.Diff(c.want, presence.Witness(node, c.check)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
	if got := presence.Witness(nil, uptime.Timeline{down}); len(got) != 0 {
		t.Errorf("a node that has never reported: %v", got)
	}
}
