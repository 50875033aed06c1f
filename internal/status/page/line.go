package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

const (
	days         = 90  // number of days in a bar
	maxIntervals = 200 // maximum number of listed intervals
)

// A Figure is an uptime and the times from which it was computed.
type Figure struct {
	Text  string // such as 99.998 %; empty: no time counts
	Known string // share of the time for which the state is known; empty: all of it
	Sum   uptime.Tally
}

// A Day is one bar.
type Day struct {
	Date   string // YYYY-MM-DD in the page's time zone
	Status report.Impact
	Text   string // what happened, such as "Major outage for 4 min"; empty: there is no record
}

// An Interval is a time in one state.
type Interval struct {
	From, To   time.Time
	Going      bool // it continues
	State      report.Impact
	Note       string // why a state is unknown
	Backfilled bool   // recorded after the fact
}

// Span formats the length of the interval.
func (i Interval) Span() string {
	d := i.To.Sub(i.From).Truncate(time.Second)
	if d == 0 {
		return "less than 1 s"
	}
	return human.Span(d)
}

// A builder builds the lines of a snapshot.
type builder struct {
	now     time.Time
	zone    *time.Location
	weights uptime.Weights
	days    []uptime.Day
}

func (b builder) group(g config.Group, lines map[string]uptime.Timeline) (uptime.Timeline, Group) {
	policy := uptime.Policy(g.Policy)
	x := Group{Rollup: rollup(g)}
	var (
		below  []uptime.Timeline
		states []uptime.Change // now
	)
	for _, k := range g.Components {
		line := lines[k.ID]
		y := Component{Line: b.line(line, k.Start), Group: g.ID, Place: g.Name, Started: !k.Start.IsZero()}
		y.ID, y.Name, y.Description = k.ID, k.Name, k.Description
		x.Components = append(x.Components, y)
		states = append(states, uptime.Change{State: y.Status})
		if len(line) > 0 {
			below = append(below, line)
		}
	}
	line := uptime.Rollup(policy, below...)
	x.Line = b.line(line, time.Time{})
	x.ID, x.Name, x.Description, x.Status = g.ID, g.Name, g.Description, report.Operational
	if len(states) > 0 {
		x.Status = policy.State(states).State
	}
	return line, x
}

// rollup describes how the state of a group follows from its components.
func rollup(g config.Group) string {
	switch g.Policy.Kind {
	case "redundant":
		return "The group works while one of its components works."
	case "quorum":
		return fmt.Sprintf("The group works while %d of its %d components work.", g.Policy.N, len(g.Components))
	case "percent":
		return fmt.Sprintf("The group works while %d %% of its components work.", g.Policy.N)
	}
	return "The group has the state of its worst component."
}

// line returns the Line for a record.
func (b builder) line(line uptime.Timeline, start time.Time) Line {
	x := Line{Status: report.Unknown, First: start}
	if c, known := line.At(b.now); known {
		x.Status, x.Since = c.State, c.At
		if x.First.IsZero() {
			x.First = line[0].At
		}
		if c.State == report.Unknown || c.Reason == noPackets {
			x.Note = note(c.Reason) + " since " + c.At.In(b.zone).Format("2006-01-02 15:04 MST")
		}
	}
	from := later(b.days[0].From, start)
	list := line.Between(from, b.now)
	x.Uptime = b.figure(list)
	for _, i := range slices.Backward(list) {
		if i.State != report.Operational && len(x.Intervals) < maxIntervals {
			y := Interval{From: i.From, To: i.To, Going: i.To.Equal(b.now), State: i.State, Backfilled: i.Backfilled}
			if i.State == report.Unknown || i.Reason == noPackets {
				y.Note = note(i.Reason)
			}
			x.Intervals = append(x.Intervals, y)
		}
	}
	for _, d := range b.days {
		end := d.To
		if end.After(b.now) {
			end = b.now
		}
		x.Days = append(x.Days, b.day(d, line.Between(later(d.From, start), end)))
	}
	return x
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// noPackets is the reason if the hub's own ping got no reply.
const noPackets = "no_packets"

// note explains to customers why a state is unknown or does not come from the node
// itself.
func note(reason string) string {
	switch reason {
	case noPackets:
		return "No packets returned by host"
	case presence.NoReport:
		return "No report"
	case presence.SiteNoReport:
		return "No report from this whole site"
	case presence.HubGap:
		return "Not monitored"
	case presence.Stopped:
		return "Monitoring stopped"
	}
	return "No data"
}

func (b builder) day(d uptime.Day, list []uptime.Interval) Day {
	x := Day{Date: d.From.In(b.zone).Format(time.DateOnly), Status: report.Unknown}
	if len(list) == 0 {
		return x
	}
	x.Status = report.Operational
	sum := uptime.Sum(list)
	var said []string
	for _, state := range slices.Backward(report.Impacts()) {
		if length := sum[state]; length > 0 {
			x.Status = report.Worse(x.Status, state)
			if state != report.Operational {
				said = append(said, words(state)+" for "+human.Span(max(length.Truncate(time.Second), time.Second)))
			}
		}
	}
	if len(said) == 0 {
		said = []string{words(x.Status)}
	}
	x.Text = strings.Join(said, ", ")
	return x
}

// figure returns the uptime of a record.
func (b builder) figure(list []uptime.Interval) Figure {
	f := Figure{Sum: uptime.Sum(list)}
	n, ok := f.Sum.Uptime(b.weights)
	if !ok {
		return f
	}
	f.Text = percent(n)
	if c, _ := f.Sum.Coverage(); c < 100000 {
		f.Known = percent(c)
	}
	return f
}

func percent(n int64) string { return fmt.Sprintf("%d.%03d %%", n/1000, n%1000) }

// words returns the words for a state, for customers.
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
