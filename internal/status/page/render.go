package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

//go:embed html style.css page.js
var files embed.FS

// A Renderer renders the pages. Its methods are safe for concurrent use.
type Renderer struct {
	pages  *template.Template
	md     *markdown
	style  []byte
	script string
	index  string // suffix of links to directories
	next   time.Duration
}

// NewRenderer returns a Renderer for pages that a hub serves.
func NewRenderer() (*Renderer, error) {
	r := &Renderer{md: newMarkdown()}
	t, err := template.New("").Funcs(template.FuncMap{
		"words": words, "overall": overall, "status": StatusText, "md": r.md.html, "bars": bars, "code": code, "troubled": troubled,
		"span": func(d time.Duration) string { return human.Span(d.Truncate(time.Second)) }, "count": human.Count[int], "states": counted,
		"pair": func(v view, m any) any { return map[string]any{"View": v, "Month": m} },
	}).ParseFS(files, "html/*.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	r.pages = t
	if r.style, err = files.ReadFile("style.css"); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	script, err := files.ReadFile("page.js")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	r.script = string(script)
	return r, nil
}

// Exported returns a Renderer of the same pages for a directory of files: links name
// index.html, and each page states when the next export is due. next is 0 if none is
// due.
func (r *Renderer) Exported(next time.Duration) *Renderer {
	x := *r
	x.index, x.next = "index.html", next
	return &x
}

// Markdown returns a text written by people as safe HTML.
func (r *Renderer) Markdown(source string) (string, error) {
	html, err := r.md.html(source)
	return string(html), err
}

// Style returns the style sheet of the pages.
func (r *Renderer) Style() []byte { return r.style }

// Policy returns the Content-Security-Policy of a page: nothing is loaded from
// elsewhere, and only the page's own script runs. The widget may be in frames of other
// pages.
func (r *Renderer) Policy(path string) string {
	frames := "'none'"
	if path == "widget/" {
		frames = "*"
	}
	return r.csp() + "; frame-ancestors " + frames
}

func (r *Renderer) csp() string {
	sum := sha256.Sum256([]byte(r.script))
	return "default-src 'none'; style-src 'self'; img-src 'self' data:; connect-src 'self'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'self'"
}

// A view is the data of a template.
type view struct {
	Snapshot
	Heading   string // heading of the page
	Root      string // relative path to the first page
	Index     string // suffix of links to directories
	Here      string // the path of this page
	Policy    string
	Script    template.JS
	Next      time.Time // time of the next export; zero: a hub serves the page
	Component *Component
	Group     *Group
	Incident  *Incident
	Planned   *Maintenance
	Months    []Month
	Month     *Month
	Explained *Incident // the latest incident with a post-mortem
}

// Paths returns the paths of all pages; that of the first page is empty. Paths of
// directories end in /.
func (s Snapshot) Paths() []string {
	paths := []string{"", "history/", "widget/", "style.css"}
	for _, g := range s.Groups {
		paths = append(paths, "groups/"+g.ID+"/")
		for _, c := range g.Components {
			paths = append(paths, "components/"+c.ID+"/")
		}
	}
	for _, i := range s.Incidents {
		paths = append(paths, "incidents/"+i.Ref+"/")
	}
	for _, m := range s.Maintenances {
		paths = append(paths, "maintenance/"+m.Ref+"/")
	}
	for _, m := range s.Months() {
		paths = append(paths, "history/"+m.Path+"/")
	}
	return paths
}

// Document returns the content of a path and its media type; empty: there is no such
// path.
func (r *Renderer) Document(s Snapshot, path string) (kind string, body []byte, err error) {
	if path == "style.css" {
		return "text/css; charset=utf-8", r.style, nil
	}
	v := view{Snapshot: s, Here: path, Index: r.index, Root: strings.Repeat("../", strings.Count(path, "/")), Policy: r.csp(),
		Script: template.JS(r.script)}
	if v.Root == "" {
		v.Root = "./"
	}
	if r.next > 0 {
		v.Next = s.At.Add(r.next)
	}
	name := v.find(path)
	if name == "" {
		return "", nil, nil
	}
	var b bytes.Buffer
	if err := r.pages.ExecuteTemplate(&b, name, v); err != nil {
		return "", nil, fmt.Errorf("page: %w", err)
	}
	return "text/html; charset=utf-8", b.Bytes(), nil
}

// find sets the data for the page of a path, and returns its template; empty: there is
// none.
func (v *view) find(path string) string {
	section, id, _ := strings.Cut(strings.TrimSuffix(path, "/"), "/")
	if path != "" && !strings.HasSuffix(path, "/") || strings.Contains(id, "/") {
		return ""
	}
	switch {
	case path == "":
		v.Months = v.recent()
		v.Explained = v.explained()
		return "index.html"
	case path == "widget/":
		return "widget.html"
	case path == "history/":
		v.Heading, v.Months = "History", v.Snapshot.Months()
		return "history.html"
	case section == "history":
		for _, m := range v.Snapshot.Months() {
			if m.Path == id {
				v.Heading, v.Month = m.Name, &m
				return "month.html"
			}
		}
	case section == "components", section == "groups":
		return v.line(section, id)
	case section == "incidents":
		if n := slices.IndexFunc(v.Incidents, func(i Incident) bool { return i.Ref == id }); n >= 0 {
			v.Incident, v.Heading = &v.Incidents[n], v.Incidents[n].Title
			return "incident.html"
		}
	case section == "maintenance":
		if n := slices.IndexFunc(v.Maintenances, func(m Maintenance) bool { return m.Ref == id }); n >= 0 {
			v.Planned, v.Heading = &v.Maintenances[n], v.Maintenances[n].Title
			return "maintenance.html"
		}
	}
	return ""
}

// line finds the page of a component or a group.
func (v *view) line(section, id string) string {
	for g := range v.Groups {
		x := &v.Groups[g]
		if section == "groups" && x.ID == id {
			v.Heading, v.Group = x.Name, x
			return "line.html"
		}
		for c := range x.Components {
			if y := &x.Components[c]; section == "components" && y.ID == id {
				v.Heading, v.Component = y.Name, y
				return "line.html"
			}
		}
	}
	return ""
}

// When formats a time in the page's zone.
func (s Snapshot) When(t time.Time) string { return t.In(s.Zone).Format("2006-01-02 15:04 MST") }

// Between formats a time span in the page's zone; the end has no date if both dates
// are equal.
func (s Snapshot) Between(from, to time.Time) string {
	layout := "2006-01-02 15:04 MST"
	if from.In(s.Zone).Format(time.DateOnly) == to.In(s.Zone).Format(time.DateOnly) {
		layout = "15:04 MST"
	}
	return from.In(s.Zone).Format("2006-01-02 15:04") + " to " + to.In(s.Zone).Format(layout)
}

// Stamp formats a time in the page's zone, to the second.
func (s Snapshot) Stamp(t time.Time) string { return t.In(s.Zone).Format("2006-01-02 15:04:05 MST") }

// Until formats the end of an interval, without the date if it equals that of the
// beginning.
func (s Snapshot) Until(from, to time.Time) string {
	if from.In(s.Zone).Format(time.DateOnly) == to.In(s.Zone).Format(time.DateOnly) {
		return to.In(s.Zone).Format("15:04:05 MST")
	}
	return s.Stamp(to)
}

// Elapsed formats the time from t to the snapshot.
func (s Snapshot) Elapsed(t time.Time) string { return human.Span(s.At.Sub(t)) }

// explained returns the latest incident with a post-mortem.
func (s Snapshot) explained() *Incident {
	var found *Incident
	for n := range s.Incidents {
		if i := &s.Incidents[n]; i.Postmortem != "" && (found == nil || i.Explained.After(found.Explained)) {
			found = i
		}
	}
	return found
}

// Concerning returns the incidents that name a component or a group's components.
func (v view) Concerning() []Incident {
	return filter(v.Incidents, func(i Incident) bool {
		return slices.ContainsFunc(i.Components, func(n Named) bool {
			if v.Component != nil {
				return n.ID == v.Component.ID
			}
			return n.ID == v.Group.ID || slices.ContainsFunc(v.Group.Components, func(c Component) bool { return c.ID == n.ID })
		})
	})
}

// Line returns the component or group of the page.
func (v view) Line() Line {
	if v.Component != nil {
		return v.Component.Line
	}
	return v.Group.Line
}

// Sorted returns the groups in the order of the page: during an outage, the affected groups come
// first.
func (v view) Sorted() []Group {
	list := slices.Clone(v.Groups)
	slices.SortStableFunc(list, func(a, b Group) int { return order(b.Status) - order(a.Status) })
	return list
}

// Sorted returns the components of a group, those with an outage first.
func (g Group) Sorted() []Component {
	list := slices.Clone(g.Components)
	slices.SortStableFunc(list, func(a, b Component) int { return order(b.Status) - order(a.Status) })
	return list
}

// Troubled returns the days that were not operational, the latest first.
func (l Line) Troubled() []Day {
	list := filter(l.Days, func(d Day) bool { return d.Text != "" && d.Status != report.Operational })
	slices.Reverse(list)
	return list
}

// Folded reports whether a group is collapsed: it is fine, but others are not.
func (v view) Folded(g Group) bool { return order(g.Status) == 0 && order(v.Status) > 0 && !anyBad(g) }

func anyBad(g Group) bool {
	return slices.ContainsFunc(g.Components, func(c Component) bool { return order(c.Status) > 0 })
}

// order returns the rank of a state for the order of groups: only outages count.
func order(i report.Impact) int { return max(i.Rank()-report.Unknown.Rank(), 0) }

// troubled returns the number of components of a group that are not operational, as
// text; empty: none.
func troubled(g Group) string {
	var said []string
	for _, state := range slices.Backward(report.Impacts()) {
		n := 0
		for _, c := range g.Components {
			if c.Status == state {
				n++
			}
		}
		if n > 0 && state != report.Operational {
			said = append(said, fmt.Sprintf("%d of %d: %s", n, len(g.Components), strings.ToLower(words(state))))
		}
	}
	return strings.Join(said, ", ")
}

// A Stretch is a run of equal days in a bar.
type Stretch struct {
	Status report.Impact
	From   int // the left end of its first day, in units of a tenth of a day
	To     int // the right end of its last day
}

// bars returns the stretches of equal days.
func bars(list []Day) (all []Stretch) {
	for n, d := range list {
		if last := len(all) - 1; last >= 0 && all[last].Status == d.Status && n > 0 && (list[n-1].Text == "") == (d.Text == "") {
			all[last].To = n*10 + 8
			continue
		}
		all = append(all, Stretch{Status: d.Status, From: n * 10, To: n*10 + 8})
	}
	return all
}

// code returns a letter for each day, for the script.
func code(list []Day) string {
	var b strings.Builder
	for _, d := range list {
		switch {
		case d.Text == "":
			b.WriteByte('-')
		case d.Status == report.Operational:
			b.WriteByte('o')
		default:
			b.WriteByte('x') // the day has a row in the table
		}
	}
	return b.String()
}

// A Counted is the total duration of a state.
type Counted struct {
	State report.Impact
	Span  string
	What  string // how the state counts
}

// counted returns the durations from which a figure was computed.
func counted(f Figure, w uptime.Weights) (list []Counted) {
	down := func(weight int) string {
		if weight == 0 {
			return "counts as up"
		}
		return fmt.Sprintf("%d %% of it counts as down", weight)
	}
	unknown := "not counted"
	if w.Strict {
		unknown = down(100)
	}
	for _, x := range []struct {
		state report.Impact
		what  string
	}{
		{report.Operational, "counts as up"}, {report.DegradedPerformance, down(w.Degraded)}, {report.PartialOutage, down(w.Partial)},
		{report.MajorOutage, down(w.Major)}, {report.UnderMaintenance, "not counted"}, {report.Unknown, unknown},
	} {
		if d := f.Sum[x.state]; d > 0 {
			list = append(list, Counted{x.state, fmt.Sprintf("%s s", human.Number(int64(d/time.Second))), x.what})
		}
	}
	return list
}

// overall returns the overall state in one sentence.
func overall(i report.Impact) string {
	switch i {
	case report.Operational:
		return "All systems operational"
	case report.UnderMaintenance:
		return "Maintenance in progress"
	case report.DegradedPerformance:
		return "Degraded performance"
	case report.PartialOutage:
		return "Partial outage"
	case report.MajorOutage:
		return "Major outage"
	}
	return "Some systems are not reporting"
}

// StatusText returns the words for a status, for customers.
func StatusText(s incident.Status) string {
	if s == incident.InProgress {
		return "In progress"
	}
	return strings.ToUpper(string(s[:1])) + string(s[1:])
}
