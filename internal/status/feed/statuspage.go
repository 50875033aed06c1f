package feed

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/page"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// api is the path prefix of the read API of Statuspage.
const api = "api/v2/"

// pageID is the id of the page in the API; a hub has one page.
const pageID = "nodewatch"

// maxIncidents is the maximum number of incidents that the API lists.
const maxIncidents = 50

// endpoints returns the documents of the API.
func endpoints() []string {
	return []string{
		"summary.json", "status.json", "components.json", "incidents.json", "incidents/unresolved.json",
		"scheduled-maintenances.json", "scheduled-maintenances/upcoming.json", "scheduled-maintenances/active.json",
	}
}

// statuspage returns a document of the API.
func statuspage(s page.Snapshot, name string) (string, []byte, error) {
	t := teller{s}
	head := pageJSON{ID: pageID, Name: s.Title, URL: s.URL, TimeZone: s.Zone.String(), UpdatedAt: stamp(changed(s))}
	var doc any
	switch name {
	case "summary.json":
		doc = struct {
			Page         pageJSON        `json:"page"`
			Components   []componentJSON `json:"components"`
			Incidents    []incidentJSON  `json:"incidents"`
			Maintenances []incidentJSON  `json:"scheduled_maintenances"`
			Status       statusJSON      `json:"status"`
		}{head, t.components(), t.incidents(s.Open()), t.maintenances(s.Upcoming()), t.status()}
	case "status.json":
		doc = struct {
			Page   pageJSON   `json:"page"`
			Status statusJSON `json:"status"`
		}{head, t.status()}
	case "components.json":
		doc = struct {
			Page       pageJSON        `json:"page"`
			Components []componentJSON `json:"components"`
		}{head, t.components()}
	case "incidents.json", "incidents/unresolved.json":
		list := s.Incidents
		if name != "incidents.json" {
			list = s.Open()
		}
		doc = struct {
			Page      pageJSON       `json:"page"`
			Incidents []incidentJSON `json:"incidents"`
		}{head, t.incidents(list[:min(len(list), maxIncidents)])}
	case "scheduled-maintenances.json", "scheduled-maintenances/upcoming.json", "scheduled-maintenances/active.json":
		var list []page.Maintenance
		for _, m := range s.Maintenances {
			upcoming := m.Status == incident.Scheduled
			if name == "scheduled-maintenances.json" || upcoming && name == "scheduled-maintenances/upcoming.json" || !upcoming &&
				!m.Over() && name == "scheduled-maintenances/active.json" {
				list = append(list, m)
			}
		}
		doc = struct {
			Page         pageJSON       `json:"page"`
			Maintenances []incidentJSON `json:"scheduled_maintenances"`
		}{head, t.maintenances(list[:min(len(list), maxIncidents)])}
	default:
		return "", nil, nil
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return "", nil, fmt.Errorf("feed: %w", err)
	}
	return "application/json; charset=utf-8", body, nil
}

type pageJSON struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	URL       string `json:"url"`
	TimeZone  string `json:"time_zone"`
	UpdatedAt string `json:"updated_at"`
}

type statusJSON struct {
	Indicator   string `json:"indicator"`
	Description string `json:"description"`
}

type componentJSON struct {
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Status      report.Impact `json:"status"`
	CreatedAt   string        `json:"created_at"`
	UpdatedAt   string        `json:"updated_at"`
	Position    int           `json:"position"`
	Description *string       `json:"description"`
	Showcase    bool          `json:"showcase"`
	StartDate   *string       `json:"start_date"`
	GroupID     *string       `json:"group_id"`
	PageID      string        `json:"page_id"`
	Group       bool          `json:"group"`
	OnlyBad     bool          `json:"only_show_if_degraded"`
	Components  []string      `json:"components,omitempty"` // ids of the components of a group
	Own         report.Impact `json:"nodewatch_status"`     // Status, where unknown is called unknown
}

type incidentJSON struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Status       string          `json:"status"`
	CreatedAt    string          `json:"created_at"`
	UpdatedAt    string          `json:"updated_at"`
	MonitoringAt *string         `json:"monitoring_at"`
	ResolvedAt   *string         `json:"resolved_at"`
	Impact       string          `json:"impact"`
	Shortlink    string          `json:"shortlink"`
	StartedAt    string          `json:"started_at"`
	PageID       string          `json:"page_id"`
	Updates      []updateJSON    `json:"incident_updates"`
	Components   []componentJSON `json:"components"`
	For          *string         `json:"scheduled_for,omitempty"`
	Until        *string         `json:"scheduled_until,omitempty"`
}

type updateJSON struct {
	ID          string         `json:"id"`
	Status      string         `json:"status"`
	Body        string         `json:"body"`
	IncidentID  string         `json:"incident_id"`
	CreatedAt   string         `json:"created_at"`
	UpdatedAt   string         `json:"updated_at"`
	DisplayAt   string         `json:"display_at"`
	Affected    []affectedJSON `json:"affected_components"`
	Deliver     bool           `json:"deliver_notifications"`
	CustomTweet *string        `json:"custom_tweet"`
	TweetID     *string        `json:"tweet_id"`
}

type affectedJSON struct {
	Code string        `json:"code"`
	Name string        `json:"name"` // Group - Component
	Old  report.Impact `json:"old_status"`
	New  report.Impact `json:"new_status"`
}

// stamp formats a time as Statuspage does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func optional(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := stamp(t)
	return &text
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// A teller presents a snapshot in the terms of Statuspage.
type teller struct{ page.Snapshot }

// state returns a state that readers support.
func (t teller) state(i report.Impact) report.Impact {
	if i == report.Unknown {
		return t.UnknownAs
	}
	return i
}

func (t teller) status() statusJSON {
	switch t.state(t.Status) {
	case report.UnderMaintenance:
		return statusJSON{"maintenance", "Service Under Maintenance"}
	case report.DegradedPerformance:
		return statusJSON{"minor", "Partially Degraded Service"}
	case report.PartialOutage:
		return statusJSON{"major", "Partial System Outage"}
	case report.MajorOutage:
		return statusJSON{"critical", "Major System Outage"}
	}
	return statusJSON{"none", "All Systems Operational"}
}

// impact returns the impact of an incident in the terms of Statuspage.
func impact(i report.Impact) string {
	switch i {
	case report.DegradedPerformance:
		return "minor"
	case report.PartialOutage:
		return "major"
	case report.MajorOutage:
		return "critical"
	}
	return "none"
}

// components returns all groups, each followed by its components.
func (t teller) components() []componentJSON {
	list := []componentJSON{}
	for n, g := range t.Groups {
		x := t.line(g.Line, n+1)
		x.Group, x.Components = true, []string{}
		for _, c := range g.Components {
			x.Components = append(x.Components, c.ID)
		}
		list = append(list, x)
		for n, c := range g.Components {
			list = append(list, t.component(c, n+1))
		}
	}
	return list
}

func (t teller) component(c page.Component, position int) componentJSON {
	x := t.line(c.Line, position)
	x.GroupID = text(c.Group)
	if c.Started {
		x.StartDate = text(c.First.In(t.Zone).Format(time.DateOnly))
	}
	return x
}

func (t teller) line(l page.Line, position int) componentJSON {
	created, updated := l.First, l.Since
	if created.IsZero() { // there is no record
		created = changed(t.Snapshot)
	}
	if updated.Before(created) {
		updated = created
	}
	return componentJSON{
		ID: l.ID, Name: l.Name, Status: t.state(l.Status), Own: l.Status, CreatedAt: stamp(created), UpdatedAt: stamp(updated),
		Position:    position,
		Description: text(l.Description), PageID: pageID,
	}
}

// named returns components by their ids, in their current state.
func (t teller) named(list []page.Named) []componentJSON {
	all := []componentJSON{}
	for _, g := range t.Groups {
		for n, c := range g.Components {
			if slices.ContainsFunc(list, func(x page.Named) bool { return x.ID == c.ID || x.ID == g.ID }) {
				all = append(all, t.component(c, n+1))
			}
		}
	}
	return all
}

func (t teller) incidents(list []page.Incident) []incidentJSON {
	all := []incidentJSON{}
	for _, i := range list {
		x := incidentJSON{
			ID: i.Ref, Name: i.Title, Status: string(i.Status), CreatedAt: stamp(i.Created), UpdatedAt: stamp(i.Updated),
			ResolvedAt: optional(i.Resolved),
			Impact:     impact(i.Impact), Shortlink: t.URL + "incidents/" + i.Ref + "/", StartedAt: stamp(i.Started), PageID: pageID,
			Updates: t.updates(i.Ref, i.Updates), Components: t.named(i.Components),
		}
		for _, u := range i.Updates {
			if u.Status == incident.Monitoring {
				x.MonitoringAt = optional(u.At)
			}
		}
		if i.Postmortem != "" {
			x.Status = "postmortem"
			p := t.update(i.Ref, page.Update{Status: "postmortem", Body: i.Postmortem, At: i.Explained, Created: i.Explained})
			p.ID = i.Ref + "-postmortem"
			x.Updates = append([]updateJSON{p}, x.Updates...)
		}
		all = append(all, x)
	}
	return all
}

func (t teller) maintenances(list []page.Maintenance) []incidentJSON {
	all := []incidentJSON{}
	for _, m := range list {
		x := incidentJSON{
			ID: m.Ref, Name: m.Title, Status: string(m.Status), CreatedAt: stamp(m.Created), UpdatedAt: stamp(m.Updated),
			ResolvedAt: optional(m.Finished),
			Impact:     "maintenance", Shortlink: t.URL + "maintenance/" + m.Ref + "/", StartedAt: stamp(m.Starts), PageID: pageID,
			Updates: t.updates(m.Ref, m.Updates), Components: t.named(m.Components), For: optional(m.Starts), Until: optional(m.Ends),
		}
		if m.Status == incident.Cancelled { // a word that readers do not support
			x.Status = string(incident.Completed)
		}
		all = append(all, x)
	}
	return all
}

// updates returns the updates of an incident, the latest first, with their changes.
func (t teller) updates(ref string, list []page.Update) []updateJSON {
	all := []updateJSON{}
	was := map[string]report.Impact{}
	for _, u := range list {
		x := t.update(ref, u)
		for _, n := range u.Affected {
			x.Affected = append(x.Affected, affectedJSON{n.ID, strings.TrimPrefix(n.Place+" - "+n.Name, " - "),
				orOperational(was[n.ID]), n.Impact})
			was[n.ID] = n.Impact
		}
		all = append(all, x)
	}
	slices.Reverse(all)
	return all
}

func orOperational(i report.Impact) report.Impact {
	if i == "" {
		return report.Operational
	}
	return i
}

func (t teller) update(ref string, u page.Update) updateJSON {
	edited := u.Created
	if u.Edited.After(edited) {
		edited = u.Edited
	}
	status := u.Status
	if status == incident.Cancelled {
		status = incident.Completed
	}
	return updateJSON{ID: strconv.FormatInt(u.ID, 10), Status: string(status), Body: u.Body, IncidentID: ref, CreatedAt: stamp(u.Created),
		UpdatedAt: stamp(edited), DisplayAt: stamp(u.At)}
}
