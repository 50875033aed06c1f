package feed

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/feeds"

	"github.com/nodewatch/nodewatch/internal/status/page"
)

// maxEntries is the maximum number of entries in a feed.
const maxEntries = 100

// An entry is one incident or maintenance.
type entry struct {
	kind, ref, title, path string
	created, updated       time.Time
	updates                []page.Update // oldest first
}

// entries returns the latest incidents and maintenances, ordered by their last
// change.
func entries(s page.Snapshot) (list []entry) {
	for _, i := range s.Incidents {
		list = append(list, entry{"Incident", i.Ref, i.Title, "incidents/" + i.Ref + "/", i.Created, i.Updated, i.Updates})
	}
	for _, m := range s.Maintenances {
		list = append(list, entry{"Maintenance", m.Ref, m.Title, "maintenance/" + m.Ref + "/", m.Created, m.Updated, m.Updates})
	}
	slices.SortStableFunc(list, func(a, b entry) int { return b.updated.Compare(a.updated) })
	return list[:min(len(list), maxEntries)]
}

// said returns the text of an update with its time and status.
func said(r *page.Renderer, s page.Snapshot, u page.Update) (string, error) {
	html, err := r.Markdown(u.Body)
	return fmt.Sprintf("<p><strong>%s</strong> · %s</p>\n%s", page.StatusText(u.Status), s.When(u.At), html), err
}

// atom returns a feed with one entry per incident, which is revised in place.
func atom(r *page.Renderer, s page.Snapshot) ([]byte, error) {
	f := feeds.AtomFeed{
		Xmlns: "http://www.w3.org/2005/Atom", Title: s.Title, Id: tag(s, "/history"), Updated: changed(s).UTC().Format(time.RFC3339),
		Link:   &feeds.AtomLink{Href: s.URL + "history.atom", Rel: "self", Type: "application/atom+xml"},
		Author: &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: s.Title}},
	}
	for _, e := range entries(s) {
		var content []string
		for _, u := range slices.Backward(e.updates) {
			html, err := said(r, s, u)
			if err != nil {
				return nil, err
			}
			content = append(content, html)
		}
		f.Entries = append(f.Entries, &feeds.AtomEntry{
			Title: e.title, Id: tag(s, e.kind+"/"+e.ref), Published: e.created.UTC().Format(time.RFC3339),
			Updated: e.updated.UTC().Format(time.RFC3339),
			Links:   []feeds.AtomLink{{Href: s.URL + e.path, Rel: "alternate", Type: "text/html"}},
			Content: &feeds.AtomContent{Type: "html", Content: strings.Join(content, "\n")},
		})
	}
	return encode(f)
}

// rss returns a feed with one item per update, as many readers do not show revised
// items.
func rss(r *page.Renderer, s page.Snapshot) ([]byte, error) {
	f := feeds.RssFeed{Title: s.Title, Link: s.URL, Description: "Incidents and maintenance",
		LastBuildDate: changed(s).UTC().Format(time.RFC1123Z)}
	type item struct {
		at time.Time
		*feeds.RssItem
	}
	var list []item
	for _, e := range entries(s) {
		for _, u := range e.updates {
			html, err := said(r, s, u)
			if err != nil {
				return nil, err
			}
			link := fmt.Sprintf("%s%s#update-%d", s.URL, e.path, u.ID)
			list = append(list, item{u.At, &feeds.RssItem{
				Title: e.title + ": " + page.StatusText(u.Status), Link: link, Description: html, PubDate: u.At.UTC().Format(time.RFC1123Z),
				Guid: &feeds.RssGuid{Id: link, IsPermaLink: "false"},
			}})
		}
	}
	slices.SortStableFunc(list, func(a, b item) int { return b.at.Compare(a.at) })
	for _, i := range list[:min(len(list), maxEntries)] {
		f.Items = append(f.Items, i.RssItem)
	}
	return encode(f.FeedXml())
}

func encode(feed any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", " ")
	if err := e.Encode(feed); err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	return b.Bytes(), nil
}
