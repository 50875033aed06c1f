package admin

import (
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/fleet"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// gapsBack is how far back the hubs' gaps are looked for.
const gapsBack = 92 * 24 * time.Hour

// rows is the whole fleet.
func (a *Admin) rows(p page) (list []fleet.Row, err error) {
	now := a.now()
	var (
		nodes     []fleet.Node
		listening time.Time
	)
	err = a.store.View(p.q.Context(), func(tx *store.Tx) error {
		all, err := tx.Nodes(p.q.Context())
		if err != nil {
			return err
		}
		gaps, err := tx.Gaps(p.q.Context(), now.Add(-gapsBack))
		if len(gaps) > 0 {
			listening = gaps[len(gaps)-1].End
		}
		for _, n := range all {
			nodes = append(nodes, fleet.Node{Body: n.Body, Arrived: n.Arrived, Interval: n.Interval, TTL: n.TTL, Final: n.Final})
		}
		return err
	})
	return fleet.Table(nodes, listening, now), err
}

// fleetPage shows all nodes, those that differ from their site, and a search.
func (a *Admin) fleetPage(p page) error {
	rows, err := a.rows(p)
	if err != nil {
		return err
	}
	f := fleet.Filter{Text: short(p.q.FormValue("q"), 200), Site: p.q.FormValue("site"), Status: p.q.FormValue("status")}
	data := struct {
		Filter     fleet.Filter
		Sites      []string
		Rows       []fleet.Row
		All        int
		Odd        []fleet.Row // all that differ from their site
		Unassigned []string    // nodes that no component of the page follows
	}{Filter: f, Sites: fleet.Sites(rows), Rows: f.Apply(rows), All: len(rows)}
	if f == (fleet.Filter{}) {
		data.Odd = fleet.Filter{Status: "odd"}.Apply(rows)
	}
	assigned := map[string]bool{}
	for _, g := range a.config().Groups {
		for _, c := range g.Components {
			assigned[c.Node] = true
		}
	}
	for _, r := range rows {
		if !assigned[r.Key] {
			data.Unassigned = append(data.Unassigned, r.Key)
		}
	}
	slices.Sort(data.Unassigned)
	return a.show(p, "fleet.html", "Fleet", data)
}

// The history of a node.
const (
	historyBack = 30 * 24 * time.Hour
	historyMost = 2000 // transitions that are read
	historyShow = 200  // the latest of them
)

// nodePage shows a node's latest report and what has changed on it.
func (a *Admin) nodePage(p page) error {
	key := p.q.PathValue("key")
	rows, err := a.rows(p)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(r fleet.Row) bool { return r.Key == key })
	if i < 0 {
		return errNotFound
	}
	data := struct {
		Row     fleet.Row
		Node    store.Node
		History []native.Transition // the latest first
	}{Row: rows[i]}
	err = a.store.View(p.q.Context(), func(tx *store.Tx) (err error) {
		found := false
		if data.Node, found, err = tx.Node(p.q.Context(), key); err != nil || !found {
			return err
		}
		data.History, err = tx.Transitions(p.q.Context(), data.Node.ID, a.now().Add(-historyBack), historyMost)
		return err
	})
	if err != nil {
		return err
	}
	slices.Reverse(data.History)
	data.History = data.History[:min(len(data.History), historyShow)]
	return a.show(p, "node.html", key, data)
}

// checksPage shows what the hub checks itself.
func (a *Admin) checksPage(p page) error { return a.show(p, "checks.html", "Checks", a.checks()) }
