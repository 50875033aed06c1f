package page

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestTheTimelineIsOfTheIncident(t *testing.T) {
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	move := func(s int, rule string, from, to report.Severity) report.Transition {
		return report.Transition{At: at(s), Rule: rule, From: from, To: to}
	}
	r := report.Report{
		At:       at(3600),
		Incident: &report.Incident{Begin: at(1000), End: at(2000)},
		Transitions: []report.Transition{
			move(100, "long-before", "clear", "warning"), move(200, "long-before", "warning", "clear"),
			move(1000, "storm", "warning", "critical"), move(1100, "storm", "critical", "critical"),
			move(2000, "storm", "critical", "clear"),
			move(1200, "note", "clear", "info"),
			move(1300, "twice", "clear", "warning"), move(1400, "twice", "warning", "clear"), move(1500, "twice", "clear", "warning"),
		},
		Findings: []report.Finding{{Rule: "standing", Severity: report.Warning, LevelSince: at(-5000)},
			{Rule: "after", Severity: report.Critical, LevelSince: at(3000)}},
	}
	var got []string
	for _, row := range timelineOf(r).Rows {
		got = append(got, row.Name+": "+row.Text)
	}
	if diff := cmp.Diff([]string{
		"storm: warning until 02:29:40; critical 02:29:40 to 02:46:20",
		"standing: warning all the time",
		"twice: warning 02:34:40 to 02:36:20; warning since 02:38:00",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v := timelineOf(report.Report{At: at(0)}); v != nil {
		t.Errorf("without an incident: %+v", v)
	}
}

// Whatever the times are, nothing is drawn outside the frame.
func TestTheTimelineStaysInItsFrame(t *testing.T) {
	for _, length := range []time.Duration{0, time.Second, 400 * 24 * time.Hour} {
		for _, off := range []time.Duration{-500 * 24 * time.Hour, -time.Second, 0, time.Second, 500 * 24 * time.Hour} {
			r := report.Report{At: start.Add(length), Incident: &report.Incident{Begin: start}, Transitions: []report.Transition{
				{At: start.Add(off), Rule: "a", From: "clear", To: "critical"},
				{At: start.Add(off + time.Minute), Rule: "a", From: "critical", To: "clear"},
			}}
			v := timelineOf(r)
			if v == nil {
				continue
			}
			for _, p := range v.Rows[0].Parts {
				if p.X < 0 || p.X > 1000 || p.Width < 0 || p.X+p.Width > 1005 {
					t.Errorf("%s, %s: %+v", length, off, p)
				}
			}
			if strings.Contains(v.Rows[0].Text, "never") {
				t.Error(v.Rows[0].Text)
			}
		}
	}
}
