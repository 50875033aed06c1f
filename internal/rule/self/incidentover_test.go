package self

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// storm is the incident that has ended in these tests.
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
	b := bond.Bond{Name: "bond0", Index: 4, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: bond.Layer2, Up: true, Slaves: []bond.Slave{{Name: "eth0", Index: 2, Carrier: true}, {Name: "eth1", Index: 3, Carrier: true}}}
	in := func(policy bond.HashPolicy, i *report.Incident) rule.Input {
		b.HashPolicy = policy
		s := node.Snapshot{}.TakeAll([]node.Entry{
			{At: now, Obs: node.SawLinks{Reading: node.Reading[bond.Links]{At: now, Value: bond.Links{Bonds: []bond.Bond{b}, Addresses: []bond.Address{{IP: "192.0.2.12", Bits: 24, Index: 4}}}}}},
			{At: now, Obs: node.SawMapped{Reading: node.Reading[[]rbd.Mapped]{At: now, Value: []rbd.Mapped{{Device: "rbd0", ClientID: 4, ClientAddr: "192.0.2.12"}}}}},
			{At: now, Obs: node.SawKernel{Reading: node.Reading[kmsg.Batch]{At: now}}},
			{At: now},
		})
		return rule.Input{Facts: facts.New(s, facts.Baselines{}), Incident: i}
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
	if all := texts(got.Evidence); !strings.Contains(all, "to do: bond0 still hashes with") || !strings.Contains(all, "read-only filesystems in vm101") {
		t.Errorf("to do: %s", all)
	}
	if all := texts(got.Against); !strings.Contains(all, "no session to an OSD was lost") {
		t.Errorf("done: %s", all)
	}
	got = check(in(bond.Layer34, storm(end)))[0]
	if all := texts(got.Against); !strings.Contains(all, "done: bond0 spreads what this host sends (layer3+4)") {
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
