// Package page is the public status page: what is shown, and how. It holds only
// what customers may see, reads no clock and reaches no network.
package page

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// days is how many days a bar shows.
const days = 90

// A Snapshot is everything that the public page shows at one time.
type Snapshot struct {
	Title  string
	URL    string
	At     time.Time
	Zone   *time.Location
	Status report.Impact // of the page: the worst of the groups
	Uptime string
	Groups []Group
}

// A Group is a heading with its components.
type Group struct {
	ID          string
	Name        string
	Description string
	Status      report.Impact
	Uptime      string
	Components  []Component
}

// A Component is one line of the page.
type Component struct {
	ID          string
	Name        string
	Description string
	Status      report.Impact
	Since       time.Time // of Status; zero: there is no record
	Note        string    // why Status is unknown, and since when; empty: it is known, or there is no record
	Uptime      string    // such as 99.998 %; empty: nothing counts
	Days        []Day     // oldest first
}

// A Day is one bar.
type Day struct {
	Date   string // YYYY-MM-DD in the page's time zone
	Status report.Impact
	Text   string // a sentence about the day; empty: there is no record
}

// Build makes the snapshot. lines are the records of the components, by id.
func Build(c config.Config, lines map[string]uptime.Timeline, now time.Time) Snapshot {
	s := Snapshot{Title: c.Page.Title, URL: c.Page.URL, At: now, Zone: c.Page.Zone, Status: report.Operational}
	weights := uptime.Weights{Major: c.Page.Weights.Major, Partial: c.Page.Weights.Partial, Degraded: c.Page.Weights.Degraded, Strict: c.Page.Weights.Strict}
	list := uptime.Days(now, c.Page.Zone, days)
	var all []uptime.Timeline
	for _, g := range c.Groups {
		x := Group{ID: g.ID, Name: g.Name, Description: g.Description, Status: report.Operational}
		policy := uptime.Policy(g.Policy)
		var (
			below  []uptime.Timeline
			states []uptime.Change // now
		)
		for _, k := range g.Components {
			line := lines[k.ID]
			y := component(k, line, list, now, c.Page.Zone, weights)
			x.Components = append(x.Components, y)
			states = append(states, uptime.Change{State: y.Status})
			if len(line) > 0 {
				below = append(below, line)
			}
		}
		if len(states) > 0 {
			x.Status = policy.State(states).State
		}
		line := uptime.Rollup(policy, below...)
		x.Uptime = figure(line.Between(list[0].From, now), weights)
		all = append(all, line)
		s.Status = report.Worse(s.Status, x.Status)
		s.Groups = append(s.Groups, x)
	}
	s.Uptime = figure(uptime.Rollup(uptime.Policy{}, all...).Between(list[0].From, now), weights)
	return s
}

func component(k config.Component, line uptime.Timeline, list []uptime.Day, now time.Time, zone *time.Location, w uptime.Weights) Component {
	x := Component{ID: k.ID, Name: k.Name, Description: k.Description, Status: report.Unknown}
	if c, known := line.At(now); known {
		x.Status, x.Since = c.State, c.At
		if c.State == report.Unknown || c.Reason == noPackets {
			x.Note = note(c.Reason, c.At.In(zone))
		}
	}
	from := list[0].From
	if k.Start.After(from) {
		from = k.Start
	}
	x.Uptime = figure(line.Between(from, now), w)
	for _, d := range list {
		end := d.To
		if end.After(now) {
			end = now
		}
		begin := d.From
		if k.Start.After(begin) {
			begin = k.Start
		}
		x.Days = append(x.Days, day(d, line.Between(begin, end)))
	}
	return x
}

// noPackets is the reason of the hub's own ping that had no answer.
const noPackets = "no_packets"

// note says why a state is unknown, as customers read it.
func note(reason string, since time.Time) string {
	at := since.Format("2006-01-02 15:04 MST")
	switch reason {
	case noPackets:
		return "No packets returned by host since " + at
	case presence.NoReport:
		return "No report since " + at
	case presence.SiteNoReport:
		return "No report from this whole site since " + at
	case presence.HubGap:
		return "Not monitored since " + at
	case presence.Stopped:
		return "Monitoring was stopped at " + at
	}
	return "No data since " + at
}

func day(d uptime.Day, list []uptime.Interval) Day {
	x := Day{Date: d.From.Format(time.DateOnly), Status: report.Unknown}
	if len(list) == 0 {
		return x
	}
	x.Status = report.Operational
	for _, i := range list {
		x.Status = report.Worse(x.Status, i.State)
	}
	x.Text = x.Date + ": " + words(x.Status)
	if d := uptime.Sum(list)[report.Unknown]; d >= time.Second {
		x.Text += ", no data for " + d.Truncate(time.Second).String()
	}
	return x
}

// figure is an uptime as people read it.
func figure(list []uptime.Interval, w uptime.Weights) string {
	n, ok := uptime.Sum(list).Uptime(w)
	if !ok {
		return ""
	}
	text := fmt.Sprintf("%d.%03d %%", n/1000, n%1000)
	if c, _ := uptime.Sum(list).Coverage(); c < 100000 {
		text += fmt.Sprintf(" (known for %d.%03d %% of the time)", c/1000, c%1000)
	}
	return text
}

// words are a state as customers read it.
func words(i report.Impact) string {
	switch i {
	case report.Operational:
		return "Operational"
	case report.UnderMaintenance:
		return "Under maintenance"
	case report.DegradedPerformance:
		return "Degraded performance"
	case report.PartialOutage:
		return "Partial outage"
	case report.MajorOutage:
		return "Major outage"
	}
	return "No data"
}
