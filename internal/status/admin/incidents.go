package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The most that an operator writes, in bytes.
const (
	maxTitle = 200
	maxBody  = 32 << 10
)

// recent is how long ago an incident changed or a maintenance ended that is listed.
const recent = 90 * 24 * time.Hour

// A named is a public component or group.
type named struct{ ID, Name string }

// components are the public components, with the names of their groups.
func (a *Admin) components() (list []named) {
	for _, g := range a.config().Groups {
		for _, c := range g.Components {
			list = append(list, named{c.ID, g.Name + " - " + c.Name})
		}
	}
	return list
}

// chosen are the components that a form names, which must be configured.
func (a *Admin) chosen(p page) ([]string, error) {
	all := a.components()
	var list []string
	for _, id := range p.q.PostForm["component"] {
		if !slices.ContainsFunc(all, func(c named) bool { return c.ID == id }) {
			return nil, wrong("There is no component %q.", short(id, 64))
		}
		list = append(list, id)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// written are a text field of a form, which must have something and not too much.
func written(p page, field, what string, most int) (string, error) {
	text := strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(p.q.PostFormValue(field), "?"), "\r\n", "\n"))
	switch {
	case text == "":
		return "", wrong("%s must not be empty.", what)
	case len(text) > most:
		return "", wrong("%s has %d bytes; at most %d are allowed.", what, len(text), most)
	}
	return text, nil
}

// impacts are what an operator can say of a component.
func impacts() []report.Impact {
	return []report.Impact{report.Operational, report.DegradedPerformance, report.PartialOutage, report.MajorOutage}
}

func (a *Admin) incidentsPage(p page) error {
	data := struct {
		Incidents  []incident.Incident
		Components []named
		Statuses   []incident.Status
		Impacts    []report.Impact
	}{Components: a.components(), Statuses: incident.Statuses(), Impacts: impacts()}
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		data.Incidents, err = tx.Incidents(p.q.Context(), a.now().Add(-recent))
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
		Components []named
		Statuses   []incident.Status
		Impacts    []report.Impact
		ToWrite    string
	}{Components: a.components(), Statuses: incident.Statuses(), Impacts: impacts(), ToWrite: incident.ToWrite}
	found := false
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		data.Incident, found, err = tx.Incident(p.q.Context(), p.q.PathValue("ref"))
		return err
	}); err != nil {
		return err
	}
	if !found || !p.who.sees(data.Incident.Published) {
		return errNotFound
	}
	return a.show(p, "incident.html", data.Incident.Title, data)
}

// update is what a form says of an incident.
func (a *Admin) update(p page) (u incident.Update, err error) {
	now := a.now()
	u = incident.Update{Status: incident.Status(p.q.PostFormValue("status")), At: now, Created: now, Author: p.who.Name}
	if !slices.Contains(incident.Statuses(), u.Status) {
		return u, wrong("The status must be one of investigating, identified, monitoring, resolved.")
	}
	if u.Body, err = written(p, "body", "The text", maxBody); err != nil {
		return u, err
	}
	ids, err := a.chosen(p)
	if err != nil {
		return u, err
	}
	impact := report.Impact(p.q.PostFormValue("impact"))
	if len(ids) > 0 && !slices.Contains(impacts(), impact) {
		return u, wrong("The impact must be one of operational, degraded_performance, partial_outage, major_outage.")
	}
	for _, id := range ids {
		u.Affected = append(u.Affected, incident.Affected{Component: id, Impact: impact, Declared: true})
	}
	return u, nil
}

// openIncident opens an incident by hand: it is its operator's from the beginning.
func (a *Admin) openIncident(p page) error {
	title, err := written(p, "title", "The title", maxTitle)
	if err != nil {
		return err
	}
	u, err := a.update(p)
	if err != nil {
		return err
	}
	i := incident.Incident{Ref: incident.Ref(u.At, p.who.Name+title), Title: short(title, maxTitle), Impact: report.Operational, Owner: p.who.Name, Started: u.At, Created: u.At}
	i.Post(u)
	if p.q.PostFormValue("publish") != "" {
		i.Published = u.At
	}
	if err := a.store.Update(p.q.Context(), func(tx *store.Tx) error {
		return keepIncident(p, tx, &i, "incident.open", u.At)
	}); err != nil {
		return err
	}
	return p.back("/incidents/" + i.Ref)
}

// keepIncident keeps an incident that a person has changed, with what it declares and
// who did it.
func keepIncident(p page, tx *store.Tx, i *incident.Incident, action string, now time.Time) error {
	ctx := p.q.Context()
	if err := tx.SaveIncident(ctx, i); err != nil {
		return err
	}
	if err := tx.Declare(ctx, i.Components, now); err != nil {
		return err
	}
	return tx.Audit(ctx, store.Entry{At: now, Who: p.who.Name, Action: action, Subject: i.Ref, Detail: i.Title})
}

// changeIncident does what a form on an incident's page asks for.
func (a *Admin) changeIncident(p page) error {
	action, ref, now := p.q.PathValue("action"), p.q.PathValue("ref"), a.now()
	change := a.incidentActions()[action]
	if change == nil {
		return errNotFound
	}
	back := "/incidents/" + ref
	err := a.store.Update(p.q.Context(), func(tx *store.Tx) error {
		i, found, err := tx.Incident(p.q.Context(), ref)
		switch {
		case err != nil:
			return err
		case !found:
			return errNotFound
		case p.q.PostFormValue("revision") != revision(i.Revision):
			return store.ErrChanged
		case action == "delete":
			back = "/incidents"
			return deleteIncident(p, tx, i, now)
		}
		if err := change(p, &i, now); err != nil {
			return err
		}
		i.Updated = now
		return keepIncident(p, tx, &i, "incident."+action, now)
	})
	if err != nil {
		return err
	}
	return p.back(back)
}

// deleteIncident deletes a draft: what customers have seen stays.
func deleteIncident(p page, tx *store.Tx, i incident.Incident, now time.Time) error {
	if i.Public() {
		return wrong("Customers have seen this incident: resolve it instead.")
	}
	if _, err := tx.DeleteIncident(p.q.Context(), i.ID); err != nil {
		return err
	}
	return tx.Audit(p.q.Context(), store.Entry{At: now, Who: p.who.Name, Action: "incident.delete", Subject: i.Ref, Detail: i.Title})
}

// incidentActions are what can be done to an incident. Whatever a person writes makes
// it theirs: the machine does not change it any more.
func (a *Admin) incidentActions() map[string]func(page, *incident.Incident, time.Time) error {
	return map[string]func(page, *incident.Incident, time.Time) error{
		"update": func(p page, i *incident.Incident, _ time.Time) error {
			u, err := a.update(p)
			if err != nil {
				return err
			}
			i.Owner = cmp.Or(i.Owner, p.who.Name)
			i.Post(u)
			return nil
		},
		"edit": func(p page, i *incident.Incident, now time.Time) (err error) {
			if i.Title, err = written(p, "title", "The title", maxTitle); err != nil {
				return err
			}
			i.Title, i.Owner = short(i.Title, maxTitle), cmp.Or(i.Owner, p.who.Name)
			i.AfterCare = strings.TrimSpace(p.q.PostFormValue("after_care"))
			if len(i.AfterCare) > maxBody {
				return wrong("The after-care has more than %d bytes.", maxBody)
			}
			for n := range i.Updates {
				u := &i.Updates[n]
				if !p.q.PostForm.Has("update-" + revision(u.ID)) {
					continue
				}
				body, err := written(p, "update-"+revision(u.ID), "An update", maxBody)
				if err != nil {
					return err
				}
				if body != u.Body {
					u.Body, u.Edited = body, now
				}
			}
			return nil
		},
		"publish": func(_ page, i *incident.Incident, now time.Time) error {
			if i.Public() {
				return wrong("The incident is published already.")
			}
			i.Published = now
			return nil
		},
		"take-over": func(p page, i *incident.Incident, _ time.Time) error {
			i.Owner = p.who.Name
			return nil
		},
		"draft-postmortem": func(p page, i *incident.Incident, now time.Time) error {
			if i.Postmortem.Body != "" {
				return wrong("There is a post-mortem already: edit it.")
			}
			body, err := a.draft(p.q.Context(), *i, now)
			i.Postmortem = incident.Postmortem{Body: body, Author: p.who.Name, Created: now, Updated: now}
			return err
		},
		"postmortem": func(p page, i *incident.Incident, now time.Time) (err error) {
			x := &i.Postmortem
			if x.Body, err = written(p, "body", "The post-mortem", maxBody); err != nil {
				return err
			}
			if x.Created.IsZero() {
				x.Created = now
			}
			x.Author, x.Updated = p.who.Name, now
			if p.q.PostFormValue("publish") == "" {
				return nil
			}
			if strings.Contains(x.Body, incident.ToWrite) {
				return wrong("Something is still to be written: look for %q.", incident.ToWrite)
			}
			if x.Published.IsZero() {
				x.Published = now
			}
			return nil
		},
		"delete": func(page, *incident.Incident, time.Time) error { return nil },
	}
}

// draft is the post-mortem as it follows from the record.
func (a *Admin) draft(ctx context.Context, i incident.Incident, now time.Time) (string, error) {
	lines, err := a.lines(ctx)
	if err != nil {
		return "", err
	}
	var records []incident.Record
	for _, c := range a.components() {
		if i.Names(c.ID) {
			records = append(records, incident.Record{Component: c.ID, Name: c.Name, Line: lines[c.ID]})
		}
	}
	return incident.Draft(i, records, a.config().Page.Zone, now), nil
}
