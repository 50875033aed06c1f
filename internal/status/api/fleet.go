package api

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/fleet"
	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// A nodeView is a node of the fleet in a response.
type nodeView struct {
	Key        string          `json:"key"`
	Site       string          `json:"site"`
	Version    string          `json:"version"`
	Status     report.Impact   `json:"status"` // as reported; unknown once its TTL has passed
	Presence   presence.Phase  `json:"presence"`
	LastReport time.Time       `json:"last_report"`
	Severity   report.Severity `json:"severity"` // severity of its worst finding; empty: there is none
	Headline   string          `json:"headline"`
	Findings   int             `json:"findings"`
	Labels     report.Labels   `json:"labels"`
	Inventory  report.Labels   `json:"inventory"`
	Differs    []string        `json:"differs"`  // in what it differs from most nodes of its site
	Assigned   bool            `json:"assigned"` // a component of the page follows it
}

func viewNode(r fleet.Row, assigned map[string]bool) nodeView {
	v := nodeView{
		Key: r.Key, Site: r.Site, Version: r.Version, Status: r.Status, Presence: r.Presence, LastReport: r.Arrived, Severity: r.Worst,
		Headline: r.Headline, Findings: len(r.Findings),
		Labels: labels(r.Labels), Inventory: labels(r.Made), Differs: []string{}, Assigned: assigned[r.Key],
	}
	for _, o := range r.Odd {
		v.Differs = append(v.Differs, o.String())
	}
	return v
}

// labels returns labels that are never null in JSON.
func labels(l report.Labels) report.Labels {
	if l == nil {
		return report.Labels{}
	}
	return l
}

// nodes lists the fleet, the worst nodes first.
func (a *API) nodes(c *call) (answer, error) {
	p, err := c.page()
	if err != nil {
		return answer{}, err
	}
	q := c.q.URL.Query()
	f := fleet.Filter{Text: q.Get("q"), Site: q.Get("site")}
	if f.Status, err = c.choice("status", "bad", "silent", "odd"); err != nil {
		return answer{}, err
	}
	rows, err := desk.Fleet(c.ctx, c.tx, c.Now)
	if err != nil {
		return answer{}, err
	}
	rows = f.Apply(rows)
	views, assigned := []nodeView{}, desk.Assigned(c.Config)
	for _, r := range cut(rows, p) {
		views = append(views, viewNode(r, assigned))
	}
	return found(struct {
		Nodes []nodeView `json:"nodes"`
		Total int        `json:"total"`
	}{views, len(rows)}, ""), nil
}

// node returns a node with its findings, components and history.
func (a *API) node(c *call) (answer, error) {
	n, is, err := desk.NodeOf(c.ctx, c.tx, c.path("key"), c.Now)
	if err != nil || !is {
		return answer{}, missing(err)
	}
	type change struct {
		At      time.Time     `json:"at"`
		Rule    string        `json:"rule"`
		Subject string        `json:"subject"`
		From    string        `json:"from"`
		To      string        `json:"to"`
		Impact  report.Impact `json:"impact"`
		Summary string        `json:"summary"`
	}
	out := struct {
		Node       nodeView           `json:"node"`
		FirstSeen  time.Time          `json:"first_seen"`
		Components []native.Component `json:"components"`
		Findings   []report.Finding   `json:"findings"`
		History    []change           `json:"history"`
	}{viewNode(n.Row, desk.Assigned(c.Config)), n.Node.FirstSeen, append([]native.Component{}, n.Node.Body.Components...),
		append([]report.Finding{}, n.Row.Findings...), []change{}}
	for _, t := range n.History {
		out.History = append(out.History, change{t.At, t.Rule, t.Subject, string(t.From), string(t.To), t.Impact, t.Summary})
	}
	return found(out, ""), nil
}

// listChecks lists the hub's own checks.
func (a *API) listChecks(c *call) (answer, error) {
	type check struct {
		Component   string        `json:"component"`
		Asks        string        `json:"asks"`
		State       report.Impact `json:"state"` // state after confirmation
		Reason      string        `json:"reason"`
		Detail      string        `json:"detail"` // detail of the latest run
		At          *time.Time    `json:"at"`     // null: it has not run on this hub
		Took        float64       `json:"took_s"`
		Certificate *time.Time    `json:"certificate_expires"`
	}
	list := []check{}
	for _, k := range a.Checks() {
		x := check{k.Component, k.Asks, k.State.State, k.State.Reason, k.Detail, optional(k.At), k.Took.Seconds(), optional(k.Expires)}
		if x.State == "" {
			x.State = report.Unknown
		}
		list = append(list, x)
	}
	return found(struct {
		Checks []check `json:"checks"`
	}{list}, ""), nil
}
