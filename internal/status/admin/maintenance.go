package admin

import (
	"slices"
	"strconv"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// revision formats a revision for a form.
func revision(n int64) string { return strconv.FormatInt(n, 10) }

// A maintenanceView is the data of the maintenance pages.
type maintenanceView struct {
	List       []incident.Maintenance
	One        incident.Maintenance
	Components []desk.Component // and groups
	Statuses   []incident.Status
	Zone       *time.Location
}

// Local formats a time for a form's field, in the page's time zone.
func (v maintenanceView) Local(t time.Time) string { return t.In(v.Zone).Format(inputTime) }

// inputTime is the format in which browsers send a time without a zone.
const inputTime = "2006-01-02T15:04"

func (a *Admin) maintenanceView() maintenanceView {
	return maintenanceView{Components: slices.Concat(desk.Groups(a.config()), desk.Components(a.config())), Zone: a.config().Page.Zone,
		Statuses: desk.MaintenanceStatuses()}
}

func (a *Admin) maintenancesPage(p page) error {
	v := a.maintenanceView()
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		v.List, err = tx.Maintenances(p.q.Context(), a.now().Add(-desk.Recent))
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
		return store.ErrNotFound
	}
	return a.show(p, "maintenance.html", v.One.Title, v)
}

// plan returns the plan in a form, whose times are in the page's time zone.
func (a *Admin) plan(p page) (desk.Plan, error) {
	x := desk.Plan{Title: p.q.PostFormValue("title"), Impacting: p.q.PostFormValue("impacting") != "",
		Components: p.q.PostForm["component"]}
	zone := a.config().Page.Zone
	for field, to := range map[string]*time.Time{"starts": &x.Starts, "ends": &x.Ends} {
		written := p.q.PostFormValue(field)
		at, err := time.ParseInLocation(inputTime, written, zone)
		if err != nil {
			return x, wrong("Start and end must be times such as 2026-01-31T22:00, in %s.", zone)
		}
		if at.Format(inputTime) != written {
			return x, wrong("%s does not exist in %s, as the clock is changed there.", written, zone)
		}
		*to = at
	}
	return x, nil
}

func (a *Admin) scheduleMaintenance(p page) error {
	x, err := a.plan(p)
	if err != nil {
		return err
	}
	var m incident.Maintenance
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) (err error) {
		m, err = a.desk(p).ScheduleMaintenance(p.q.Context(), tx, x, p.q.PostFormValue("body"), p.q.PostFormValue("publish") != "")
		return err
	}); err != nil {
		return err
	}
	return p.back("/maintenance/" + m.Ref)
}

// changeMaintenance applies a form of a maintenance's page.
func (a *Admin) changeMaintenance(p page) error {
	seen, err := p.seen()
	if err != nil {
		return err
	}
	back := "/maintenance/" + seen.Ref
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) (err error) {
		ctx, d := p.q.Context(), a.desk(p)
		switch p.q.PathValue("action") {
		case "update":
			_, err = d.UpdateMaintenance(ctx, tx, seen, incident.Status(p.q.PostFormValue("status")), p.q.PostFormValue("body"))
		case "edit":
			var x desk.Plan
			if x, err = a.plan(p); err == nil {
				_, err = d.EditMaintenance(ctx, tx, seen, func(desk.Plan) desk.Plan { return x })
			}
		case "publish":
			_, err = d.PublishMaintenance(ctx, tx, seen)
		case "delete":
			back = "/maintenance"
			err = d.DeleteMaintenance(ctx, tx, seen)
		default:
			err = store.ErrNotFound
		}
		return err
	}); err != nil {
		return err
	}
	return p.back(back)
}
