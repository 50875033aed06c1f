package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A change is stored together with its author, or not at all; a declared state begins
// with the publication of the incident, or at the time of the update.
func changesByHand(t *testing.T, b bench) {
	entry := store.Entry{At: noon, Who: "kim", Action: "incident.create", Detail: "d"}
	var made incident.Incident
	b.update(t, func(tx *store.Tx) (err error) {
		made, err = tx.ChangeIncident(t.Context(), "", entry, func(i *incident.Incident) error {
			*i = anIncident()
			i.Published = time.Time{}
			return nil
		})
		return err
	})
	states := func() (list []string) {
		b.view(t, func(tx *store.Tx) error {
			k := store.Key{Kind: store.Declared, Name: "node-2"}
			lines, err := tx.Timelines(t.Context(), []store.Key{k}, noon.Add(-time.Hour))
			for _, c := range lines[k] {
				list = append(list, c.At.Sub(noon).String()+" "+string(c.State))
			}
			return err
		})
		return list
	}
	if got := states(); len(got) != 1 || got[0] != "0s operational" {
		t.Errorf("a draft declares %v", got)
	}
	change := func(at time.Duration, f func(*incident.Incident) error) error {
		e := store.Entry{At: noon.Add(at), Who: "kim", Action: "x"}
		return b.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.ChangeIncident(t.Context(), made.Ref, e, f)
			return err
		})
	}
	if err := change(time.Hour, func(i *incident.Incident) error { i.Published = noon.Add(time.Hour); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := states(); len(got) != 1 || got[0] != "0s "+string(report.MajorOutage) {
		t.Errorf("once it is public: %v", got)
	}
	if err := change(2*time.Hour, func(i *incident.Incident) error {
		i.Post(incident.Update{Status: incident.Resolved, At: noon.Add(90 * time.Minute), Created: noon.Add(2 * time.Hour)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := states(); len(got) != 2 || got[1] != "1h30m0s operational" {
		t.Errorf("resolved at an earlier time: %v", got)
	}
	refused := errors.New("refused")
	if err := change(3*time.Hour, func(i *incident.Incident) error { i.Title = "other"; return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	b.view(t, func(tx *store.Tx) error {
		i, _, err := tx.Incident(t.Context(), made.Ref)
		log, err2 := tx.AuditLog(t.Context(), 0, 10)
		if i.Title == "other" || len(log) != 3 || log[2].Subject != made.Ref || log[2].Who != "kim" || log[2].Action != "incident.create" {
			t.Errorf("%q %+v", i.Title, log)
		}
		return errors.Join(err, err2)
	})
	err := b.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ChangeIncident(t.Context(), "none", entry, func(*incident.Incident) error { return nil })
		_, err2 := tx.ChangeMaintenance(t.Context(), "none", entry, func(*incident.Maintenance) error { return nil })
		if !errors.Is(err, store.ErrNotFound) || !errors.Is(err2, store.ErrNotFound) {
			t.Errorf("%v %v", err, err2)
		}
		_, err = tx.ChangeMaintenance(t.Context(), "", entry, func(m *incident.Maintenance) error { *m = aMaintenance(); return nil })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
