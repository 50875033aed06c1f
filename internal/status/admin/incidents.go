package admin

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// desk returns the desk of a page's visitor.
func (a *Admin) desk(p page) desk.Desk {
	return desk.Desk{Config: a.config(), Who: p.who.Name, Now: a.now()}
}

func (a *Admin) incidentsPage(p page) error {
	data := struct {
		Incidents  []incident.Incident
		Components []desk.Component
		Statuses   []incident.Status
		Impacts    []report.Impact
	}{Components: desk.Components(a.config()), Statuses: incident.Statuses(), Impacts: desk.Impacts()}
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		data.Incidents, err = tx.Incidents(p.q.Context(), a.now().Add(-desk.Recent))
		return err
	}); err != nil {
		return err
	}
	data.Incidents = slices.DeleteFunc(data.Incidents, func(i incident.Incident) bool { return !p.who.sees(i.Published) })
	return a.show(p, "incidents.html", "Incidents", data)
}

func (a *Admin) incidentPage(p page) error {
	data := struct {
		Incident   incident.Incident
		Components []desk.Component
		Statuses   []incident.Status
		Impacts    []report.Impact
		ToWrite    string
	}{Components: desk.Components(a.config()), Statuses: incident.Statuses(), Impacts: desk.Impacts(), ToWrite: incident.ToWrite}
	found := false
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		data.Incident, found, err = tx.Incident(p.q.Context(), p.q.PathValue("ref"))
		return err
	}); err != nil {
		return err
	}
	if !found || !p.who.sees(data.Incident.Published) {
		return store.ErrNotFound
	}
	return a.show(p, "incident.html", data.Incident.Title, data)
}

// post returns the update in a form: one impact for all selected components.
func (p page) post() desk.Post {
	u := desk.Post{Status: incident.Status(p.q.PostFormValue("status")), Body: p.q.PostFormValue("body")}
	for _, id := range p.q.PostForm["component"] {
		u.Affected = append(u.Affected, incident.Affected{Component: id, Impact: report.Impact(p.q.PostFormValue("impact"))})
	}
	return u
}

// seen returns the version on which a form is based.
func (p page) seen() (desk.Version, error) {
	n, err := strconv.ParseInt(p.q.PostFormValue("revision"), 10, 64)
	if err != nil || n < 1 {
		return desk.Version{}, store.ErrChanged
	}
	return desk.Version{Ref: p.q.PathValue("ref"), Revision: n}, nil
}

// openIncident opens an incident by hand.
func (a *Admin) openIncident(p page) error {
	var i incident.Incident
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) (err error) {
		i, err = a.desk(p).OpenIncident(p.q.Context(), tx, desk.NewIncident{Title: p.q.PostFormValue("title"),
			Publish: p.q.PostFormValue("publish") != "", Post: p.post()})
		return err
	}); err != nil {
		return err
	}
	return p.back("/incidents/" + i.Ref)
}

// changeIncident applies a form of an incident's page.
func (a *Admin) changeIncident(p page) error {
	seen, err := p.seen()
	if err != nil {
		return err
	}
	back := "/incidents/" + seen.Ref
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) (err error) {
		ctx, d := p.q.Context(), a.desk(p)
		switch p.q.PathValue("action") {
		case "update":
			_, err = d.UpdateIncident(ctx, tx, seen, p.post())
		case "edit":
			_, err = d.EditIncident(ctx, tx, seen, p.edit())
		case "publish":
			_, err = d.PublishIncident(ctx, tx, seen)
		case "take-over":
			_, err = d.TakeOver(ctx, tx, seen)
		case "draft-postmortem":
			_, err = d.DraftPostmortem(ctx, tx, seen)
		case "postmortem":
			_, err = d.WritePostmortem(ctx, tx, seen, p.q.PostFormValue("body"), p.q.PostFormValue("publish") != "")
		case "delete":
			back = "/incidents"
			err = d.DeleteIncident(ctx, tx, seen)
		default:
			err = store.ErrNotFound
		}
		return err
	}); err != nil {
		return err
	}
	return p.back(back)
}

// edit returns the corrections of an incident in a form.
func (p page) edit() desk.Edit {
	title, care := p.q.PostFormValue("title"), p.q.PostFormValue("after_care")
	e := desk.Edit{Title: &title, AfterCare: &care, Updates: map[int64]string{}}
	for name, values := range p.q.PostForm {
		if id, err := strconv.ParseInt(strings.TrimPrefix(name, "update-"), 10, 64); err == nil && strings.HasPrefix(name, "update-") {
			e.Updates[id] = values[0]
		}
	}
	return e
}
