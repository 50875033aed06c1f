// Package page generates the public status page. It contains only what customers may
// see, reads no clock and accesses no network.
package page

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Snapshot is everything that the public pages show at one time. Its types list each
// field that may be shown; none is shared with the operators' view.
type Snapshot struct {
	Title        string
	URL          string // address of the page; ends in /
	About        string // Markdown
	Footer       string // Markdown
	NoIndex      bool
	At           time.Time
	Zone         *time.Location
	Status       report.Impact // the worst of the groups
	Uptime       Figure
	Weights      uptime.Weights
	UnknownAs    report.Impact // state shown to readers that do not support unknown
	Groups       []Group
	Incidents    []Incident    // the latest first
	Maintenances []Maintenance // the latest first
}

// A Line contains the fields that components and groups have in common.
type Line struct {
	ID          string
	Name        string
	Description string
	Status      report.Impact
	Since       time.Time // start of Status; zero: there is no record
	First       time.Time // start of its record, or of the time that counts; zero: there is none
	Note        string    // why Status is unknown, and since when; empty: it is known, or there is no record
	Uptime      Figure
	Days        []Day      // oldest first
	Intervals   []Interval // intervals that are not operational, the latest first
}

// A Group is a heading with its components.
type Group struct {
	Line
	Rollup     string // how its state follows from its components, in words
	Components []Component
}

// A Component is one line of the page.
type Component struct {
	Line
	Group   string // the id of its group
	Place   string // the name of its group
	Started bool   // the time counts from a configured day on
}

// A Named is a component of an incident or a maintenance.
type Named struct {
	ID     string
	Name   string
	Place  string // its group; empty: it is a group
	Impact report.Impact
}

// An Incident is a published incident.
type Incident struct {
	Ref        string
	Title      string
	Impact     report.Impact
	Status     incident.Status
	Started    time.Time
	Resolved   time.Time // zero: it is open
	Created    time.Time
	Updated    time.Time
	Components []Named
	Updates    []Update // oldest first
	AfterCare  string   // Markdown
	Postmortem string   // Markdown; empty: none is published
	Explained  time.Time
}

// Open reports whether the incident is not resolved.
func (i Incident) Open() bool { return i.Status != incident.Resolved }

// Lead returns the first paragraph of the post-mortem.
func (i Incident) Lead() string {
	first, _ := lead(i.Postmortem)
	return first
}

// Rest returns the post-mortem without its first paragraph.
func (i Incident) Rest() string {
	_, rest := lead(i.Postmortem)
	return rest
}

// Latest returns the latest update.
func (i Incident) Latest() Update { return latest(i.Updates) }

// Newest returns the updates, the latest first.
func (i Incident) Newest() []Update { return newest(i.Updates) }

// A Maintenance is a published maintenance.
type Maintenance struct {
	Ref        string
	Title      string
	Status     incident.Status
	Impacting  bool
	Starts     time.Time
	Ends       time.Time
	Began      time.Time // zero: not yet
	Finished   time.Time // zero: not yet
	Created    time.Time
	Updated    time.Time
	Revision   int64
	Components []Named
	Updates    []Update // oldest first
}

// Over reports whether the maintenance is completed or cancelled.
func (m Maintenance) Over() bool {
	return m.Status == incident.Completed || m.Status == incident.Cancelled
}

// Latest returns the latest update.
func (m Maintenance) Latest() Update { return latest(m.Updates) }

// Newest returns the updates, the latest first.
func (m Maintenance) Newest() []Update { return newest(m.Updates) }

// An Update is one message of an incident or a maintenance.
type Update struct {
	ID       int64
	Status   incident.Status
	Body     string // Markdown
	At       time.Time
	Created  time.Time
	Edited   time.Time // zero: never
	Affected []Named
}

func latest(list []Update) Update {
	if len(list) == 0 {
		return Update{}
	}
	return list[len(list)-1]
}

func newest(list []Update) []Update {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// An Input is the data from which a snapshot is built.
type Input struct {
	Config       config.Config
	Lines        map[string]uptime.Timeline // the records of the components, by id, with maintenance
	Incidents    []incident.Incident
	Maintenances []incident.Maintenance
	Now          time.Time
}

// Build builds the snapshot.
func Build(in Input) Snapshot {
	p := in.Config.Page
	s := Snapshot{
		Title: p.Title, URL: strings.TrimSuffix(p.URL, "/") + "/", About: p.About, Footer: p.Footer, NoIndex: p.NoIndex, At: in.Now,
		Zone:   p.Zone,
		Status: report.Operational, UnknownAs: report.Impact(p.UnknownAs),
		Weights: uptime.Weights{Major: p.Weights.Major, Partial: p.Weights.Partial, Degraded: p.Weights.Degraded, Strict: p.Weights.Strict},
	}
	b := builder{now: in.Now, zone: p.Zone, weights: s.Weights, days: uptime.Days(in.Now, p.Zone, days)}
	var all []uptime.Timeline
	for _, g := range in.Config.Groups {
		line, x := b.group(g, in.Lines)
		all = append(all, line)
		s.Status = report.Worse(s.Status, x.Status)
		s.Groups = append(s.Groups, x)
	}
	s.Uptime = b.figure(uptime.Rollup(uptime.Policy{}, all...).Between(b.days[0].From, in.Now))
	names := s.names()
	for _, i := range in.Incidents {
		if i.Public() {
			s.Incidents = append(s.Incidents, public(i, names))
		}
	}
	for _, m := range in.Maintenances {
		if m.Public() {
			s.Maintenances = append(s.Maintenances, planned(m, names))
		}
	}
	return s
}

// names returns all components and groups, by id.
func (s Snapshot) names() map[string]Named {
	names := map[string]Named{}
	for _, g := range s.Groups {
		names[g.ID] = Named{ID: g.ID, Name: g.Name}
		for _, c := range g.Components {
			names[c.ID] = Named{ID: c.ID, Name: c.Name, Place: g.Name}
		}
	}
	return names
}

func public(i incident.Incident, names map[string]Named) Incident {
	x := Incident{
		Ref: i.Ref, Title: i.Title, Impact: i.Impact, Status: i.Status, Started: i.Started, Resolved: i.Resolved, Created: i.Created,
		Updated:    i.Updated,
		Components: named(i.Components, names), Updates: updates(i.Updates, names), AfterCare: i.AfterCare,
	}
	if !i.Postmortem.Published.IsZero() {
		x.Postmortem, x.Explained = i.Postmortem.Body, i.Postmortem.Published
	}
	return x
}

func planned(m incident.Maintenance, names map[string]Named) Maintenance {
	var affected []incident.Affected
	for _, c := range m.Components {
		affected = append(affected, incident.Affected{Component: c, Impact: report.UnderMaintenance})
	}
	return Maintenance{
		Ref: m.Ref, Title: m.Title, Status: m.Status, Impacting: m.Impacting, Starts: m.Starts, Ends: m.Ends, Began: m.Began,
		Finished: m.Finished,
		Created:  m.Created, Updated: m.Updated, Revision: m.Revision, Components: named(affected, names),
		Updates: updates(m.Updates, names),
	}
}

// named returns the components that are still configured.
func named(list []incident.Affected, names map[string]Named) (all []Named) {
	for _, a := range list {
		if n, is := names[a.Component]; is {
			n.Impact = a.Impact
			all = append(all, n)
		}
	}
	return all
}

func updates(list []incident.Update, names map[string]Named) (all []Update) {
	for _, u := range list {
		all = append(all, Update{ID: u.ID, Status: u.Status, Body: u.Body, At: u.At, Created: u.Created, Edited: u.Edited,
			Affected: named(u.Affected, names)})
	}
	return all
}

// Open returns the incidents that are not resolved.
func (s Snapshot) Open() []Incident {
	return filter(s.Incidents, Incident.Open)
}

// Upcoming returns the maintenances that are not over, the next one first.
func (s Snapshot) Upcoming() []Maintenance {
	list := filter(s.Maintenances, func(m Maintenance) bool { return !m.Over() })
	slices.Reverse(list)
	return list
}

// filter returns the elements of a list for which keep returns true.
func filter[T any](list []T, keep func(T) bool) (kept []T) {
	for _, x := range list {
		if keep(x) {
			kept = append(kept, x)
		}
	}
	return kept
}
