package api

import (
	"net/http"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/incident"
)

// A maintenanceView is a maintenance in a response.
type maintenanceView struct {
	Ref        string          `json:"ref"`
	Title      string          `json:"title"`
	Status     incident.Status `json:"status"`
	Impacting  bool            `json:"impacting"`
	Starts     time.Time       `json:"starts"`
	Ends       time.Time       `json:"ends"`
	Began      *time.Time      `json:"began"`
	Finished   *time.Time      `json:"finished"`
	Node       string          `json:"node"` // node that announced it; empty: a person did
	Created    time.Time       `json:"created"`
	Updated    time.Time       `json:"updated"`
	Published  *time.Time      `json:"published"` // null: a draft
	Revision   int64           `json:"revision"`
	Components []string        `json:"components"`
	Updates    []updateView    `json:"updates"`
	URL        string          `json:"url"`
}

func (c *call) viewMaintenance(m incident.Maintenance) maintenanceView {
	return maintenanceView{
		Ref: m.Ref, Title: m.Title, Status: m.Status, Impacting: m.Impacting, Starts: m.Starts, Ends: m.Ends, Began: optional(m.Began),
		Finished: optional(m.Finished), Node: m.Node,
		Created: m.Created, Updated: m.Updated, Published: optional(m.Published), Revision: m.Revision,
		Components: append([]string{}, m.Components...), Updates: viewUpdates(m.Updates),
		URL: c.url("maintenance", m.Ref),
	}
}

// planned returns an answer with a maintenance as stored.
func (c *call) planned(m incident.Maintenance, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return showMaintenance(c, m.Ref)
}

// showMaintenance returns a maintenance.
func showMaintenance(c *call, ref string) (answer, error) {
	m, is, err := c.tx.Maintenance(c.ctx, ref)
	if err != nil || !is {
		return answer{}, missing(err)
	}
	return found(c.viewMaintenance(m), "/maintenance/"+m.Ref), nil
}

func (a *API) maintenance(c *call) (answer, error) { return showMaintenance(c, c.path("ref")) }

// maintenances lists the maintenances that are not over or whose end is at most 90
// days ago.
func (a *API) maintenances(c *call) (answer, error) {
	p, err := c.page()
	if err != nil {
		return answer{}, err
	}
	list, err := c.tx.Maintenances(c.ctx, c.Now.Add(-desk.Recent))
	views := []maintenanceView{}
	for _, m := range cut(list, p) {
		views = append(views, c.viewMaintenance(m))
	}
	return found(struct {
		Maintenance []maintenanceView `json:"maintenance"`
		Total       int               `json:"total"`
	}{views, len(list)}, ""), err
}

func (a *API) scheduleMaintenance(c *call) (answer, error) {
	var in struct {
		Title      string    `json:"title"`
		Impacting  bool      `json:"impacting"`
		Starts     time.Time `json:"starts"`
		Ends       time.Time `json:"ends"`
		Components []string  `json:"components"`
		Body       string    `json:"body"`
		Publish    bool      `json:"publish"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	plan := desk.Plan{Title: in.Title, Impacting: in.Impacting, Starts: in.Starts, Ends: in.Ends, Components: in.Components}
	out, err := c.planned(c.ScheduleMaintenance(c.ctx, c.tx, plan, in.Body, in.Publish))
	return made(out.doc, out.shows), err
}

func (a *API) editMaintenance(c *call) (answer, error) {
	var in struct {
		Title      *string    `json:"title"`
		Impacting  *bool      `json:"impacting"`
		Starts     *time.Time `json:"starts"`
		Ends       *time.Time `json:"ends"`
		Components []string   `json:"components"`
		seen
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return c.planned(c.EditMaintenance(c.ctx, c.tx, c.version(in.seen), func(p desk.Plan) desk.Plan {
		set(&p.Title, in.Title)
		set(&p.Impacting, in.Impacting)
		set(&p.Starts, in.Starts)
		set(&p.Ends, in.Ends)
		if in.Components != nil {
			p.Components = in.Components
		}
		return p
	}))
}

// set copies a value that the request contains.
func set[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

func (a *API) deleteMaintenance(c *call) (answer, error) {
	var in seen
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusNoContent}, c.DeleteMaintenance(c.ctx, c.tx, c.version(in))
}

func (a *API) updateMaintenance(c *call) (answer, error) {
	var in struct {
		Status incident.Status `json:"status"`
		Body   string          `json:"body"`
		seen
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return c.planned(c.UpdateMaintenance(c.ctx, c.tx, c.version(in.seen), in.Status, in.Body))
}

func (a *API) publishMaintenance(c *call) (answer, error) {
	var in seen
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return c.planned(c.PublishMaintenance(c.ctx, c.tx, c.version(in)))
}
