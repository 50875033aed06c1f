package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func anIncident() incident.Incident {
	i := incident.Incident{Ref: "20261122-aaaaa", Title: "Storage: \"Node 2\"", Impact: report.DegradedPerformance, OpenedBy: "rl1/storage",
		Started: noon, Created: noon, Published: noon, AfterCare: "Restart.\n"}
	i.Post(incident.Update{Status: incident.Investigating, Body: "One\n\n*two*", At: noon, Created: noon.Add(time.Second), Author: "kim",
		Affected: []incident.Affected{{Component: "node-2", Impact: report.MajorOutage, Declared: true},
			{Component: "node-1", Impact: report.PartialOutage}}})
	return i
}

func aMaintenance() incident.Maintenance {
	m := incident.Maintenance{Ref: "20261122-mmmmm", Title: "Migration", Impacting: true, Starts: noon.Add(time.Hour),
		Ends: noon.Add(2 * time.Hour), Created: noon, Published: noon, Components: []string{"node-1", "node-2"}}
	m.Post(incident.Update{Status: incident.Scheduled, Body: "No downtime", At: noon, Created: noon, Author: "kim"})
	return m
}

// A stored incident is read back unchanged, also after a change; a change based on an
// old revision is refused.
func incidents(t *testing.T, b bench) {
	i := anIncident()
	b.update(t, func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &i) })
	if i.ID == 0 || i.Revision != 1 || i.Updates[0].ID == 0 {
		t.Fatalf("no numbers: %+v", i)
	}
	same := func(want ...incident.Incident) {
		t.Helper()
		b.view(t, func(tx *store.Tx) error {
			got, err := tx.Incidents(t.Context(), noon.Add(-time.Hour))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			return err
		})
	}
	same(i)
	stale := i
	i.Owner, i.AfterCare = "kim", ""
	i.Post(incident.Update{Status: incident.Resolved, Body: "Over", At: noon.Add(time.Minute), Created: noon.Add(time.Minute),
		Author: "kim"})
	i.Updates[0].Body, i.Updates[0].Edited = "Edited", noon.Add(time.Minute)
	i.Postmortem = incident.Postmortem{Body: "Why", Author: "kim", Created: noon, Updated: noon, Published: noon}
	b.update(t, func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &i) })
	same(i)
	if err := b.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &stale) }); !errors.Is(err,
		store.ErrChanged) {
		t.Errorf("an older revision: %v", err)
	}
	same(i)
	later := anIncident()
	later.Ref, later.Started, later.Components = "20261122-bbbbb", noon.Add(time.Hour), nil
	b.update(t, func(tx *store.Tx) error { return tx.SaveIncident(t.Context(), &later) })
	same(later, i)
	b.view(t, func(tx *store.Tx) error {
		got, found, err := tx.Incident(t.Context(), i.Ref)
		if diff := cmp.Diff(i, got); diff != "" || !found {
			t.Error(found, diff)
		}
		if _, found, _ := tx.Incident(t.Context(), "other"); found {
			t.Error("there is no other")
		}
		old, err2 := tx.Incidents(t.Context(), noon.Add(24*time.Hour))
		if len(old) != 1 || old[0].Ref != later.Ref {
			t.Errorf("long after: %d incidents, want the open one", len(old))
		}
		return errors.Join(err, err2)
	})
	b.update(t, func(tx *store.Tx) error {
		deleted, err := tx.DeleteIncident(t.Context(), later.ID)
		if !deleted {
			t.Error("not deleted")
		}
		return err
	})
	same(i)
}

// A state that a person declares for a component is recorded while the incident is
// open.
func declared(t *testing.T, b bench) {
	key := store.Key{Kind: store.Declared, Name: "node-2"}
	step := func(i *incident.Incident, at time.Time) {
		b.update(t, func(tx *store.Tx) error {
			return errors.Join(tx.SaveIncident(t.Context(), i), tx.Declare(t.Context(), i.Components, at))
		})
	}
	major, partial := anIncident(), anIncident()
	partial.Ref, partial.Components[slices.IndexFunc(partial.Components,
		func(a incident.Affected) bool { return a.Declared })].Impact = "20261122-ppppp", report.PartialOutage
	step(&partial, noon)
	step(&major, noon.Add(time.Minute))
	major.Post(incident.Update{Status: incident.Resolved, At: noon.Add(2 * time.Minute)})
	step(&major, noon.Add(2*time.Minute))
	partial.Post(incident.Update{Status: incident.Resolved, At: noon.Add(3 * time.Minute)})
	step(&partial, noon.Add(3*time.Minute))
	b.view(t, func(tx *store.Tx) error {
		lines, err := tx.Timelines(t.Context(), []store.Key{key, {Kind: store.Declared, Name: "node-1"}}, noon)
		var want uptime.Timeline
		for n, s := range []report.Impact{report.PartialOutage, report.MajorOutage, report.PartialOutage, report.Operational} {
			want = append(want, uptime.Change{At: noon.Add(time.Duration(n) * time.Minute), State: s, Reason: "declared"})
		}
		if diff := cmp.Diff(map[store.Key]uptime.Timeline{key: want}, lines); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

func maintenances(t *testing.T, b bench) {
	m := aMaintenance()
	b.update(t, func(tx *store.Tx) error { return tx.SaveMaintenance(t.Context(), &m) })
	stale := m
	m.Post(incident.Update{Status: incident.InProgress, Body: "Begun", At: m.Starts, Created: m.Starts})
	m.Components = []string{"node-3"}
	b.update(t, func(tx *store.Tx) error { return tx.SaveMaintenance(t.Context(), &m) })
	if m.Revision != 2 {
		t.Errorf("revision %d", m.Revision)
	}
	if err := b.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveMaintenance(t.Context(), &stale) }); !errors.Is(err,
		store.ErrChanged) {
		t.Errorf("an older revision: %v", err)
	}
	b.view(t, func(tx *store.Tx) error {
		got, err := tx.Maintenances(t.Context(), noon.Add(time.Hour*24))
		if diff := cmp.Diff([]incident.Maintenance{m}, got); diff != "" {
			t.Error(diff)
		}
		one, found, err2 := tx.Maintenance(t.Context(), m.Ref)
		if diff := cmp.Diff(m, one); diff != "" || !found {
			t.Error(found, diff)
		}
		return errors.Join(err, err2)
	})
	m.Post(incident.Update{Status: incident.Completed, At: m.Ends, Created: m.Ends})
	b.update(t, func(tx *store.Tx) error { return tx.SaveMaintenance(t.Context(), &m) })
	b.view(t, func(tx *store.Tx) error {
		got, err := tx.Maintenances(t.Context(), noon.Add(time.Hour*24))
		if len(got) != 0 {
			t.Errorf("long over: %v", got)
		}
		return err
	})
	b.update(t, func(tx *store.Tx) error {
		deleted, err := tx.DeleteMaintenance(t.Context(), m.ID)
		if !deleted {
			t.Error("not deleted")
		}
		return err
	})
}
