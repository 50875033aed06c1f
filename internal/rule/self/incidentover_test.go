package self

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// storm returns the incident that has ended in these tests.
func storm(end time.Time) *report.Incident {
	return &report.Incident{
		Begin: end.Add(-10*time.Minute - 49*time.Second), End: end, Peak: report.MajorOutage, Severity: report.Critical,
		Headline: "layer2 bond + krbd: a storm", Finding: report.Ref{Rule: "layer2-bond-krbd", Subject: "bond0"}, Cause: "saturation",
		Guests: &report.Guests{Hit: 65, Total: 65, Names: []string{"vm101", "vm102"}},
	}
}

func TestIncidentOver(t *testing.T) {
	end := time.Date(2026, 3, 1, 3, 16, 31, 0, time.UTC)
	now := end.Add(10 * time.Minute)
	in := func(policy bond.HashPolicy, i *report.Incident) rule.Input {
		n := nodetest.New(nodetest.Over(nodetest.LACPBond(policy))).MapDisks(1, "192.0.2.2").Log().Wait(now.Sub(nodetest.Start))
		return rule.Input{Facts: facts.New(n.Snapshot, facts.Baselines{}), Incident: i}
	}
	check := incidentOver().Check
	lasting := storm(end)
	lasting.End = time.Time{}
	if got := len(check(in(bond.Layer2, nil))) + len(check(in(bond.Layer2, lasting))); got != 0 {
		t.Fatalf("%d findings before an incident has ended", got)
	}
	got := check(in(bond.Layer2, storm(end)))[0]
	if want := "Storm ended 03:16:31 after 10 min 49 s: major outage, 65 of 65 guests hit; cause: saturation"; got.Summary != want {
		t.Errorf("got  %s\nwant %s", got.Summary, want)
	}
	if all := texts(got.Evidence); !strings.Contains(all, "to do: bond0 still hashes with") ||
		!strings.Contains(all, "read-only filesystems in vm101") {
		t.Errorf("to do: %s", all)
	}
	if all := texts(got.Against); !strings.Contains(all, "no session to an OSD was lost") {
		t.Errorf("done: %s", all)
	}
	got = check(in(bond.Layer34, storm(end)))[0]
	if all := texts(got.Against); !strings.Contains(all, "done: bond0 distributes what this host sends (layer3+4)") {
		t.Errorf("done: %s", all)
	}
}

func texts(list []report.Evidence) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(e.Fact + "\n")
	}
	return b.String()
}
