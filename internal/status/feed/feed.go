// Package feed generates the public page for programs: the read API of Statuspage,
// Atom, RSS, a calendar of maintenance, and badges. It reads no clock and accesses no
// network.
package feed

import (
	"net/url"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/page"
)

// Paths returns the paths of all documents.
func Paths(s page.Snapshot) []string {
	paths := []string{"history.atom", "history.rss", "maintenance.ics", "badges/status.svg", "badges/status.json", "badges/icon.svg"}
	for _, name := range endpoints() {
		paths = append(paths, api+name)
	}
	for _, g := range s.Groups {
		paths = append(paths, "badges/"+g.ID+".svg", "badges/"+g.ID+".json")
		for _, c := range g.Components {
			paths = append(paths, "badges/"+c.ID+".svg", "badges/"+c.ID+".json")
		}
	}
	return paths
}

// Document returns the content of a path and its media type; empty: there is no such
// path.
func Document(r *page.Renderer, s page.Snapshot, path string) (kind string, body []byte, err error) {
	switch path {
	case "history.atom":
		body, err = atom(r, s)
		return "application/atom+xml; charset=utf-8", body, err
	case "history.rss":
		body, err = rss(r, s)
		return "application/rss+xml; charset=utf-8", body, err
	case "maintenance.ics":
		return "text/calendar; charset=utf-8", calendar(s), nil
	}
	if name, is := strings.CutPrefix(path, api); is {
		return statuspage(s, name)
	}
	if name, is := strings.CutPrefix(path, "badges/"); is {
		return badge(s, name)
	}
	return "", nil, nil
}

// tag returns an id that does not depend on the name of the page.
func tag(s page.Snapshot, what string) string { return "tag:" + host(s) + ",2005:" + what }

func host(s page.Snapshot) string {
	u, err := url.Parse(s.URL)
	if err != nil || u.Hostname() == "" {
		return "localhost"
	}
	return u.Hostname()
}

// changed returns the time of the latest visible change. It does not depend on the
// clock, so that readers that request only changes receive nothing if there is none.
func changed(s page.Snapshot) time.Time {
	var at time.Time
	later := func(t time.Time) {
		if t.After(at) {
			at = t
		}
	}
	for _, i := range s.Incidents {
		later(i.Updated)
	}
	for _, m := range s.Maintenances {
		later(m.Updated)
	}
	for _, g := range s.Groups {
		later(g.Since)
		for _, c := range g.Components {
			later(c.Since)
		}
	}
	if at.IsZero() {
		return s.At
	}
	return at
}
