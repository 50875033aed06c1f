package feed_test

import (
	"encoding/json"
	"encoding/xml"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/status/feed"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/page"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func snapshot() page.Snapshot {
	component := func(id string, status report.Impact) page.Component {
		return page.Component{Line: page.Line{ID: id, Name: "Node <" + id + ">", Description: "Hypervisor", Status: status,
			Since: noon.Add(-time.Hour), First: noon.Add(-24 * time.Hour)}, Group: "g", Place: "VPS"}
	}
	node2 := page.Named{ID: "node-2", Name: "Node 2", Place: "VPS", Impact: report.MajorOutage}
	recovered := node2
	recovered.Impact = report.Operational
	return page.Snapshot{
		Title: "Example & Co", URL: "https://status.example.org/", At: noon, Zone: time.UTC, Status: report.MajorOutage,
		Weights: uptime.Weights{Major: 100, Partial: 30}, UnknownAs: report.DegradedPerformance,
		Groups: []page.Group{{Line: page.Line{ID: "g", Name: "VPS", Status: report.MajorOutage, Since: noon.Add(-time.Hour),
			First: noon.Add(-24 * time.Hour)}, Components: []page.Component{component("node-2", report.MajorOutage),
			component("node-3", report.Unknown)}}},
		Incidents: []page.Incident{
			{Ref: "i2", Title: "Open <b>", Impact: report.MajorOutage, Status: incident.Monitoring, Started: noon.Add(-time.Hour),
				Created: noon.Add(-time.Hour), Updated: noon, Components: []page.Named{node2}, Updates: []page.Update{
					{ID: 7, Status: incident.Investigating, Body: "One <script>alert(1)</script>", At: noon.Add(-time.Hour),
						Created: noon.Add(-time.Hour), Affected: []page.Named{node2}},
					{ID: 8, Status: incident.Monitoring, Body: "*Two*", At: noon, Created: noon, Affected: []page.Named{recovered}},
				}},
			{Ref: "i1", Title: "Done", Impact: report.PartialOutage, Status: incident.Resolved, Started: noon.Add(-48 * time.Hour),
				Resolved: noon.Add(-47 * time.Hour), Created: noon.Add(-48 * time.Hour), Updated: noon.Add(-40 * time.Hour),
				Postmortem: "Why", Explained: noon.Add(-40 * time.Hour)},
		},
		Maintenances: []page.Maintenance{
			{Ref: "m3", Title: "Later; with, signs", Status: incident.Scheduled, Starts: noon.Add(24 * time.Hour),
				Ends: noon.Add(26 * time.Hour), Created: noon, Updated: noon, Revision: 4,
				Components: []page.Named{{ID: "g", Name: "VPS", Impact: report.UnderMaintenance}},
				Updates:    []page.Update{{ID: 1, Status: incident.Scheduled, Body: "Soon", At: noon, Created: noon}}},
			{Ref: "m2", Title: "Now", Status: incident.InProgress, Starts: noon.Add(-time.Hour), Ends: noon.Add(time.Hour), Created: noon,
				Updated: noon, Began: noon.Add(-time.Hour)},
			{Ref: "m1", Title: "Not", Status: incident.Cancelled, Starts: noon.Add(-72 * time.Hour), Ends: noon.Add(-71 * time.Hour),
				Created: noon, Updated: noon, Finished: noon.Add(-80 * time.Hour)},
		},
	}
}

func document(t *testing.T, path string) []byte {
	t.Helper()
	r, err := page.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	kind, body, err := feed.Document(r, snapshot(), path)
	if err != nil || kind == "" {
		t.Fatalf("%s: %q %v", path, kind, err)
	}
	return body
}

// fields returns the paths of all values of a JSON document; the entries of a list
// share one path.
func fields(v any, prefix string) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			all = append(all, prefix+k)
			all = append(all, fields(x, prefix+k+".")...)
		}
	case []any:
		for _, x := range v {
			all = append(all, fields(x, prefix)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// under returns names with a prefix.
func under(prefix string, names ...string) (all []string) {
	for _, n := range names {
		all = append(all, prefix+n)
	}
	return all
}

// The documents have all fields of Statuspage's read API, and one additional field.
func TestTheFieldsOfStatuspage(t *testing.T) {
	head := append([]string{"page"}, under("page.", "id", "name", "url", "time_zone", "updated_at")...)
	status := append([]string{"status"}, under("status.", "indicator", "description")...)
	component := []string{"id", "name", "status", "created_at", "updated_at", "position", "description", "showcase", "start_date",
		"group_id", "page_id", "group", "only_show_if_degraded", "nodewatch_status"}
	components := slices.Concat([]string{"components", "components.components"}, under("components.", component...))
	of := func(what string, more ...string) []string {
		own := append([]string{"id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact", "shortlink",
			"started_at", "page_id", "incident_updates", "components"}, more...)
		update := []string{"id", "status", "body", "incident_id", "created_at", "updated_at", "display_at", "affected_components",
			"deliver_notifications", "custom_tweet", "tweet_id"}
		return slices.Concat([]string{what}, under(what+".", own...), under(what+".incident_updates.", update...),
			under(what+".components.", component...))
	}
	affected := under("incidents.incident_updates.affected_components.", "code", "name", "old_status", "new_status")
	incidents := append(of("incidents"), affected...)
	planned := of("scheduled_maintenances", "scheduled_for", "scheduled_until")
	active := slices.DeleteFunc(slices.Clone(planned), func(s string) bool {
		return strings.HasPrefix(s, "scheduled_maintenances.incident_updates.") ||
			strings.HasPrefix(s, "scheduled_maintenances.components.")
	})
	for name, want := range map[string][]string{
		"summary.json":                         slices.Concat(head, components, incidents, planned, status),
		"status.json":                          slices.Concat(head, status),
		"components.json":                      slices.Concat(head, components),
		"incidents.json":                       slices.Concat(head, incidents),
		"incidents/unresolved.json":            slices.Concat(head, incidents),
		"scheduled-maintenances.json":          slices.Concat(head, planned),
		"scheduled-maintenances/upcoming.json": slices.Concat(head, planned),
		"scheduled-maintenances/active.json":   slices.Concat(head, active),
	} {
		var doc any
		body := document(t, "api/v2/"+name)
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, fields(doc, "")); diff != "" {
			t.Errorf("%s (-Statuspage +here)\n%s", name, diff)
		}
		for _, at := range regexp.MustCompile(`"\w+_at":"([^"]*)"`).FindAllSubmatch(body, -1) {
			if _, err := time.Parse("2006-01-02T15:04:05.000Z", string(at[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// An answer is a response as readers of Statuspage decode it, with the words that
// they support.
type answer struct {
	Components []struct{ ID, Status, Nodewatch_status string }
	Incidents  []struct {
		ID, Status, Impact         string
		Monitoring_at, Resolved_at *string
		Incident_updates           []struct {
			ID, Status          string
			Affected_components []struct{ Code, Name, Old_status, New_status string }
		}
		Components []struct{ ID string }
	}
	Scheduled_maintenances []struct {
		ID, Status string
		Components []struct{ ID string }
	}
	Status struct{ Indicator, Description string }
}

func TestTheWordsOfStatuspage(t *testing.T) {
	read := func(name string) (a answer) {
		if err := json.Unmarshal(document(t, "api/v2/"+name), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := read("summary.json")
	if a.Status.Indicator != "critical" || a.Status.Description != "Major System Outage" {
		t.Errorf("%+v", a.Status)
	}
	if c := a.Components; len(c) != 3 || c[0].ID != "g" || c[2].Status != "degraded_performance" || c[2].Nodewatch_status != "unknown" {
		t.Errorf("%+v", c)
	}
	if len(a.Incidents) != 1 || a.Incidents[0].Monitoring_at == nil || a.Incidents[0].Resolved_at != nil ||
		a.Incidents[0].Impact != "critical" {
		t.Fatalf("%+v", a.Incidents)
	}
	u := a.Incidents[0].Incident_updates
	if u[0].ID != "8" || u[0].Affected_components[0].Old_status != "major_outage" ||
		u[1].Affected_components[0].Old_status != "operational" || u[0].Affected_components[0].Name != "VPS - Node 2" {
		t.Errorf("the updates, newest first: %+v", u)
	}
	if len(a.Scheduled_maintenances) != 2 {
		t.Errorf("%+v", a.Scheduled_maintenances)
	}
	all := read("scheduled-maintenances.json").Scheduled_maintenances
	if len(all) != 3 || all[2].Status != "completed" || len(all[0].Components) != 2 {
		t.Errorf("a cancelled one has a word that readers know, a group represents its components: %+v", all)
	}
	if up, now := read("scheduled-maintenances/upcoming.json").Scheduled_maintenances,
		read("scheduled-maintenances/active.json").Scheduled_maintenances; len(up) != 1 || up[0].ID != "m3" || len(now) != 1 ||
		now[0].ID != "m2" {
		t.Errorf("%+v %+v", up, now)
	}
	if i := read("incidents.json").Incidents; len(i) != 2 || i[1].Status != "postmortem" ||
		i[1].Incident_updates[0].Status != "postmortem" {
		t.Errorf("%+v", i)
	}
	known := regexp.MustCompile(`"(new_|old_)?status":"(\w+)"`)
	for _, m := range known.FindAllSubmatch(document(t, "api/v2/summary.json"), -1) {
		if !slices.Contains([]string{"operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage",
			"investigating", "identified", "monitoring", "resolved", "postmortem", "scheduled", "in_progress", "verifying", "completed"},
			string(m[2])) {
			t.Errorf("readers do not know %s", m[0])
		}
	}
}

func TestAtom(t *testing.T) {
	var f struct {
		ID      string `xml:"id"`
		Updated string `xml:"updated"`
		Link    struct {
			Rel string `xml:"rel,attr"`
		} `xml:"link"`
		Entries []struct {
			Title     string `xml:"title"`
			ID        string `xml:"id"`
			Published string `xml:"published"`
			Updated   string `xml:"updated"`
			Content   string `xml:"content"`
			Link      struct {
				Href string `xml:"href,attr"`
			} `xml:"link"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(document(t, "history.atom"), &f); err != nil {
		t.Fatal(err)
	}
	if f.ID != "tag:status.example.org,2005:/history" || f.Link.Rel != "self" || f.Updated != "2026-11-30T12:00:00Z" ||
		len(f.Entries) != 5 {
		t.Fatalf("%+v", f)
	}
	e := f.Entries[0]
	if e.Title != "Open <b>" || e.ID != "tag:status.example.org,2005:Incident/i2" || e.Published != "2026-11-30T11:00:00Z" ||
		e.Updated != "2026-11-30T12:00:00Z" || e.Link.Href != "https://status.example.org/incidents/i2/" {
		t.Errorf("%+v", e)
	}
	if strings.Contains(e.Content, "<script") || strings.Index(e.Content, "<em>Two</em>") > strings.Index(e.Content, "One") {
		t.Errorf("%s", e.Content)
	}
}

func TestRSS(t *testing.T) {
	var f struct {
		Items []struct {
			Title string `xml:"title"`
			Guid  struct {
				ID        string `xml:",chardata"`
				Permalink string `xml:"isPermaLink,attr"`
			} `xml:"guid"`
			Description string `xml:"description"`
			Date        string `xml:"pubDate"`
		} `xml:"channel>item"`
	}
	if err := xml.Unmarshal(document(t, "history.rss"), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Items) != 3 || f.Items[0].Date != "Mon, 30 Nov 2026 12:00:00 +0000" {
		t.Fatalf("%+v", f)
	}
	ids := map[string]bool{}
	for _, i := range f.Items {
		ids[i.Guid.ID] = true
		if i.Guid.Permalink != "false" || strings.Contains(i.Description, "<script") {
			t.Errorf("%+v", i)
		}
	}
	if len(ids) != 3 || !ids["https://status.example.org/incidents/i2/#update-8"] {
		t.Errorf("%v", ids)
	}
}

func TestTheCalendar(t *testing.T) {
	raw := document(t, "maintenance.ics")
	c, err := ics.ParseCalendar(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range c.Events() {
		value := func(p ics.ComponentProperty) string {
			if x := e.GetProperty(p); x != nil {
				return x.Value
			}
			return ""
		}
		got = append(got, strings.Join([]string{e.Id(), value(ics.ComponentPropertySequence), value(ics.ComponentPropertyDtStart),
			value(ics.ComponentPropertyDtEnd), value(ics.ComponentPropertyDtstamp), value(ics.ComponentPropertyStatus)}, " "))
	}
	want := []string{
		"m3@status.example.org 4 20261201T120000Z 20261201T140000Z 20261130T120000Z CONFIRMED",
		"m2@status.example.org 0 20261130T110000Z 20261130T130000Z 20261130T120000Z CONFIRMED",
		"m1@status.example.org 0 20261127T120000Z 20261127T130000Z 20261130T120000Z CANCELLED",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(raw), "\r\n") || strings.Contains(strings.ReplaceAll(string(raw), "\r\n", ""), "\n") ||
		!strings.Contains(string(raw), `SUMMARY:Later\; with\, signs`) {
		t.Errorf("%q", raw)
	}
}

func TestBadges(t *testing.T) {
	for path, want := range map[string]string{
		"badges/status.json": `{"schemaVersion":1,"label":"Example \u0026 Co","message":"major outage","color":"red"}`,
		"badges/node-3.json": `{"schemaVersion":1,"label":"Node \u003cnode-3\u003e","message":"no data","color":"lightgrey"}`,
	} {
		if got := string(document(t, path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for _, path := range []string{"badges/status.svg", "badges/g.svg", "badges/node-2.svg", "badges/icon.svg"} {
		raw := string(document(t, path))
		var doc struct {
			Title string `xml:"title"`
		}
		if err := xml.Unmarshal([]byte(raw), &doc); err != nil || strings.Contains(raw, "style=") || strings.Contains(raw, "<script") {
			t.Errorf("%s: %v %s", path, err, raw)
		}
	}
	r, err := page.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"badges/none.svg", "badges/node-2.png", "badges/node-2", "api/v2/other.json", "x"} {
		if kind, _, err := feed.Document(r, snapshot(), path); kind != "" || err != nil {
			t.Errorf("%s: %s %v", path, kind, err)
		}
	}
	for _, path := range feed.Paths(snapshot()) {
		document(t, path)
	}
}
