package admin

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// revision is a number as forms carry it.
func revision(n int64) string { return strconv.FormatInt(n, 10) }

// A maintenanceView is what the pages of maintenance show.
type maintenanceView struct {
	List       []incident.Maintenance
	One        incident.Maintenance
	Components []named
	Statuses   []incident.Status
	Zone       *time.Location
}

// Local is a time as a form's field has it, in the page's time zone.
func (v maintenanceView) Local(t time.Time) string { return t.In(v.Zone).Format(inputTime) }

// inputTime is how browsers write a time without a zone.
const inputTime = "2006-01-02T15:04"

func (a *Admin) maintenanceView() maintenanceView {
	v := maintenanceView{Components: a.components(), Zone: a.config().Page.Zone}
	v.Statuses = []incident.Status{incident.Scheduled, incident.InProgress, incident.Verifying, incident.Completed, incident.Cancelled}
	return v
}

func (a *Admin) maintenancesPage(p page) error {
	v := a.maintenanceView()
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		v.List, err = tx.Maintenances(p.q.Context(), a.now().Add(-recent))
		return err
	}); err != nil {
		return err
	}
	v.List = slices.DeleteFunc(v.List, func(m incident.Maintenance) bool { return !p.who.sees(m.Published) })
	return a.show(p, "maintenances.html", "Maintenance", v)
}

func (a *Admin) maintenancePage(p page) error {
	v, found := a.maintenanceView(), false
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		v.One, found, err = tx.Maintenance(p.q.Context(), p.q.PathValue("ref"))
		return err
	}); err != nil {
		return err
	}
	if !found || !p.who.sees(v.One.Published) {
		return errNotFound
	}
	return a.show(p, "maintenance.html", v.One.Title, v)
}

// longestMaintenance is the longest window.
const longestMaintenance = 31 * 24 * time.Hour

// planned sets what a form says of the plan.
func (a *Admin) planned(p page, m *incident.Maintenance) (err error) {
	title, err := written(p, "title", "The title", maxTitle)
	if err != nil {
		return err
	}
	m.Title, m.Impacting = short(title, maxTitle), p.q.PostFormValue("impacting") != ""
	zone := a.config().Page.Zone
	var errStart, errEnd error
	m.Starts, errStart = time.ParseInLocation(inputTime, p.q.PostFormValue("starts"), zone)
	m.Ends, errEnd = time.ParseInLocation(inputTime, p.q.PostFormValue("ends"), zone)
	if errStart != nil || errEnd != nil {
		return wrong("Start and end must be times such as 2026-01-31T22:00, in %s.", zone)
	}
	if !m.Ends.After(m.Starts) || m.Ends.Sub(m.Starts) > longestMaintenance {
		return wrong("The end must be after the start, and at most 31 days later.")
	}
	m.Components, err = a.chosen(p)
	if err == nil && len(m.Components) == 0 {
		err = wrong("Choose at least one component.")
	}
	return err
}

func (a *Admin) scheduleMaintenance(p page) error {
	now := a.now()
	m := incident.Maintenance{Created: now}
	if err := a.planned(p, &m); err != nil {
		return err
	}
	body, err := written(p, "body", "The text", maxBody)
	if err != nil {
		return err
	}
	m.Ref = incident.Ref(now, p.who.Name+m.Title)
	m.Post(incident.Update{Status: incident.Scheduled, Body: body, At: now, Created: now, Author: p.who.Name})
	if p.q.PostFormValue("publish") != "" {
		m.Published = now
	}
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) error {
		return keepMaintenance(p, tx, &m, "maintenance.schedule", now)
	}); err != nil {
		return err
	}
	return p.back("/maintenance/" + m.Ref)
}

func keepMaintenance(p page, tx *store.Tx, m *incident.Maintenance, action string, now time.Time) error {
	if err := tx.SaveMaintenance(p.q.Context(), m); err != nil {
		return err
	}
	return tx.Audit(p.q.Context(), store.Entry{At: now, Who: p.who.Name, Action: action, Subject: m.Ref, Detail: m.Title})
}

// changeMaintenance does what a form on a maintenance's page asks for.
func (a *Admin) changeMaintenance(p page) error {
	action, ref, now := p.q.PathValue("action"), p.q.PathValue("ref"), a.now()
	back := "/maintenance/" + ref
	err := a.store.Update(p.q.Context(), func(tx *store.Tx) error {
		m, found, err := tx.Maintenance(p.q.Context(), ref)
		switch {
		case err != nil:
			return err
		case !found:
			return errNotFound
		case p.q.PostFormValue("revision") != revision(m.Revision):
			return store.ErrChanged
		case m.Node != "":
			return wrong("The node %s announces this maintenance: end it there.", m.Node)
		}
		switch action {
		case "update":
			err = a.updateMaintenance(p, &m, now)
		case "edit":
			err = a.planned(p, &m)
		case "publish":
			m.Published = now
		case "delete":
			if m.Public() {
				return wrong("Customers have seen this maintenance: cancel it instead.")
			}
			back = "/maintenance"
			if _, err := tx.DeleteMaintenance(p.q.Context(), m.ID); err != nil {
				return err
			}
			return tx.Audit(p.q.Context(), store.Entry{At: now, Who: p.who.Name, Action: "maintenance.delete", Subject: m.Ref, Detail: m.Title})
		default:
			return errNotFound
		}
		if err != nil {
			return err
		}
		m.Updated = now
		return keepMaintenance(p, tx, &m, "maintenance."+action, now)
	})
	if err != nil {
		return err
	}
	return p.back(back)
}

func (a *Admin) updateMaintenance(p page, m *incident.Maintenance, now time.Time) error {
	u := incident.Update{Status: incident.Status(p.q.PostFormValue("status")), At: now, Created: now, Author: p.who.Name}
	all := a.maintenanceView().Statuses
	if !slices.Contains(all, u.Status) {
		var words []string
		for _, s := range all {
			words = append(words, string(s))
		}
		return wrong("The status must be one of %s.", strings.Join(words, ", "))
	}
	var err error
	if u.Body, err = written(p, "body", "The text", maxBody); err != nil {
		return err
	}
	m.Post(u)
	return nil
}
