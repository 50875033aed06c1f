package admin

import (
	"slices"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/fleet"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// fleetPage shows all nodes, the nodes that differ from their site, and a search.
func (a *Admin) fleetPage(p page) error {
	var rows []fleet.Row
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		rows, err = desk.Fleet(p.q.Context(), tx, a.now())
		return err
	}); err != nil {
		return err
	}
	f := fleet.Filter{Text: short(p.q.FormValue("q"), 200), Site: p.q.FormValue("site"), Status: p.q.FormValue("status")}
	data := struct {
		Filter     fleet.Filter
		Sites      []string
		Rows       []fleet.Row
		All        int
		Odd        []fleet.Row // all nodes that differ from their site
		Unassigned []string    // nodes that no component of the page follows
	}{Filter: f, Sites: fleet.Sites(rows), Rows: f.Apply(rows), All: len(rows)}
	if f == (fleet.Filter{}) {
		data.Odd = fleet.Filter{Status: "odd"}.Apply(rows)
	}
	assigned := desk.Assigned(a.config())
	for _, r := range rows {
		if !assigned[r.Key] {
			data.Unassigned = append(data.Unassigned, r.Key)
		}
	}
	slices.Sort(data.Unassigned)
	return a.show(p, "fleet.html", "Fleet", data)
}

// nodePage shows a node's latest report and the history of its changes.
func (a *Admin) nodePage(p page) error {
	var (
		data  desk.Node
		found bool
	)
	if err := a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		data, found, err = desk.NodeOf(p.q.Context(), tx, p.q.PathValue("key"), a.now())
		return err
	}); err != nil {
		return err
	}
	if !found {
		return store.ErrNotFound
	}
	return a.show(p, "node.html", data.Row.Key, data)
}

// checksPage shows the hub's own checks.
func (a *Admin) checksPage(p page) error { return a.show(p, "checks.html", "Checks", a.checks()) }
