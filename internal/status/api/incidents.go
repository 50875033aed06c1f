package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// An incidentView is an incident in a response.
type incidentView struct {
	Ref        string          `json:"ref"`
	Title      string          `json:"title"`
	Impact     report.Impact   `json:"impact"`
	Status     incident.Status `json:"status"`
	OpenedBy   string          `json:"opened_by"` // GROUP/KIND; empty: a person did
	Owner      string          `json:"owner"`     // empty: it is updated automatically
	Started    time.Time       `json:"started"`
	Resolved   *time.Time      `json:"resolved"`
	Created    time.Time       `json:"created"`
	Updated    time.Time       `json:"updated"`
	Published  *time.Time      `json:"published"` // null: a draft
	Revision   int64           `json:"revision"`
	AfterCare  string          `json:"after_care"`
	Components []affectedView  `json:"components"`
	Updates    []updateView    `json:"updates"`
	Postmortem *postmortemView `json:"postmortem"`
	URL        string          `json:"url"`
}

type affectedView struct {
	Component string        `json:"component"`
	Impact    report.Impact `json:"impact"`
	Declared  bool          `json:"declared"`
}

type updateView struct {
	ID      int64           `json:"id"`
	Status  incident.Status `json:"status"`
	Body    string          `json:"body"`
	At      time.Time       `json:"at"`
	Created time.Time       `json:"created"`
	Edited  *time.Time      `json:"edited"`
	Author  string          `json:"author"` // empty: written automatically
}

type postmortemView struct {
	Body      string     `json:"body"`
	Author    string     `json:"author"`
	Created   time.Time  `json:"created"`
	Updated   time.Time  `json:"updated"`
	Published *time.Time `json:"published"`
}

// optional returns a pointer to a time; nil: it is not set.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// url returns the public address of a page.
func (c *call) url(section, ref string) string {
	return strings.TrimSuffix(c.Config.Page.URL, "/") + "/" + section + "/" + ref + "/"
}

func (c *call) viewIncident(i incident.Incident) incidentView {
	v := incidentView{
		Ref: i.Ref, Title: i.Title, Impact: i.Impact, Status: i.Status, OpenedBy: i.OpenedBy, Owner: i.Owner, Started: i.Started,
		Resolved: optional(i.Resolved), Created: i.Created,
		Updated: i.Updated, Published: optional(i.Published), Revision: i.Revision, AfterCare: i.AfterCare, Components: []affectedView{},
		Updates: viewUpdates(i.Updates), URL: c.url("incidents", i.Ref),
	}
	for _, a := range i.Components {
		v.Components = append(v.Components, affectedView(a))
	}
	if p := i.Postmortem; p.Body != "" {
		v.Postmortem = &postmortemView{p.Body, p.Author, p.Created, p.Updated, optional(p.Published)}
	}
	return v
}

func viewUpdates(list []incident.Update) []updateView {
	all := []updateView{}
	for _, u := range list {
		all = append(all, updateView{u.ID, u.Status, u.Body, u.At, u.Created, optional(u.Edited), u.Author})
	}
	return all
}

// shown returns an answer with an incident as stored.
func (c *call) shown(i incident.Incident, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return showIncident(c, i.Ref)
}

// showIncident returns an incident.
func showIncident(c *call, ref string) (answer, error) {
	i, is, err := c.tx.Incident(c.ctx, ref)
	if err != nil || !is {
		return answer{}, missing(err)
	}
	return found(c.viewIncident(i), "/incidents/"+i.Ref), nil
}

func (a *API) incident(c *call) (answer, error) { return showIncident(c, c.path("ref")) }

// incidents lists the incidents that are open or have changed within 90 days.
func (a *API) incidents(c *call) (answer, error) {
	p, err := c.page()
	if err != nil {
		return answer{}, err
	}
	state, err := c.choice("state", "open", "draft", "resolved")
	if err != nil {
		return answer{}, err
	}
	list, err := c.tx.Incidents(c.ctx, c.Now.Add(-desk.Recent))
	list = slices.DeleteFunc(list, func(i incident.Incident) bool {
		return state == "open" && !i.Open() || state == "draft" && i.Public() || state == "resolved" && i.Open()
	})
	views := []incidentView{}
	for _, i := range cut(list, p) {
		views = append(views, c.viewIncident(i))
	}
	return found(struct {
		Incidents []incidentView `json:"incidents"`
		Total     int            `json:"total"`
	}{views, len(list)}, ""), err
}

// A post is an update in a request.
type post struct {
	Status     incident.Status `json:"status"`
	Body       string          `json:"body"`
	Components []struct {
		Component string        `json:"component"`
		Impact    report.Impact `json:"impact"`
	} `json:"components"`
}

func (p post) desk() desk.Post {
	d := desk.Post{Status: p.Status, Body: p.Body}
	for _, a := range p.Components {
		d.Affected = append(d.Affected, incident.Affected{Component: a.Component, Impact: a.Impact})
	}
	return d
}

func (a *API) openIncident(c *call) (answer, error) {
	var in struct {
		Title     string `json:"title"`
		AfterCare string `json:"after_care"`
		Publish   bool   `json:"publish"`
		post
	}
	in.Status = incident.Investigating
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	out, err := c.shown(c.OpenIncident(c.ctx, c.tx, desk.NewIncident{Title: in.Title, AfterCare: in.AfterCare, Publish: in.Publish,
		Post: in.desk()}))
	return made(out.doc, out.shows), err
}

// A seen is the optional revision on which a request is based.
type seen struct {
	Revision int64 `json:"revision"`
}

func (c *call) version(s seen) desk.Version {
	return desk.Version{Ref: c.path("ref"), Revision: s.Revision}
}

func (a *API) editIncident(c *call) (answer, error) {
	var in struct {
		Title     *string `json:"title"`
		AfterCare *string `json:"after_care"`
		Updates   []struct {
			ID   int64  `json:"id"`
			Body string `json:"body"`
		} `json:"updates"`
		seen
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	e := desk.Edit{Title: in.Title, AfterCare: in.AfterCare, Updates: map[int64]string{}}
	for _, u := range in.Updates {
		e.Updates[u.ID] = u.Body
	}
	return c.shown(c.EditIncident(c.ctx, c.tx, c.version(in.seen), e))
}

func (a *API) deleteIncident(c *call) (answer, error) {
	var in seen
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusNoContent}, c.DeleteIncident(c.ctx, c.tx, c.version(in))
}

func (a *API) updateIncident(c *call) (answer, error) {
	var in struct {
		post
		seen
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return c.shown(c.UpdateIncident(c.ctx, c.tx, c.version(in.seen), in.desk()))
}

func (a *API) publishIncident(c *call) (answer, error) {
	var in seen
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return c.shown(c.PublishIncident(c.ctx, c.tx, c.version(in)))
}

func (a *API) takeOver(c *call) (answer, error) {
	var in seen
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return c.shown(c.TakeOver(c.ctx, c.tx, c.version(in)))
}

func (a *API) writePostmortem(c *call) (answer, error) {
	var in struct {
		Body    string `json:"body"`
		Publish bool   `json:"publish"`
		seen
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return c.shown(c.WritePostmortem(c.ctx, c.tx, c.version(in.seen), in.Body, in.Publish))
}

func (a *API) draftPostmortem(c *call) (answer, error) {
	var in seen
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return c.shown(c.DraftPostmortem(c.ctx, c.tx, c.version(in)))
}
