package presence

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The reasons of a state that is unknown because no report was received.
const (
	NoReport     = "no_report"      // no report from this node for longer than its TTL
	SiteNoReport = "site_no_report" // no report from any node of its site
	HubGap       = "hub_gap"        // no hub was running, or not for long enough to conclude more
	Stopped      = "stopped"        // the agent reported that it stops
)

// resolution is the resolution of the record. A reported state is recorded for at
// least the moment of its report, however short it is, because the state after a
// silence is compared with it.
const resolution = time.Millisecond

// A Gap is a time in which no hub was running.
type Gap struct{ Begin, End time.Time }

// A Node contains the reporting times of a node.
type Node struct {
	Site     string
	Arrived  time.Time // arrival of its latest report, by the hub's clock
	Interval time.Duration
	TTL      time.Duration
	Stopped  bool   // its latest report announced that the agent stops
	Recorded string // the reason why it is recorded as silent; empty: it is not
}

// A Phase is the regularity of a node's reports.
type Phase string

// The phases of a node.
const (
	Reporting Phase = "reporting"
	Late      Phase = "late"      // a report was missed
	Silent    Phase = "no report" // no report for longer than its TTL
	Waiting   Phase = "waiting"   // no hub was running; the node has one TTL to report
	Ended     Phase = "stopped"
)

// Phase returns the phase of the node. listening is the end of the hubs' latest gap;
// zero: there was none.
func (n Node) Phase(listening, now time.Time) Phase {
	age, missed := now.Sub(n.Arrived), listening.After(n.Arrived)
	switch {
	case n.Stopped:
		return Ended
	case age > n.TTL && missed && now.Sub(listening) <= n.TTL:
		return Waiting
	case age > n.TTL:
		return Silent
	case age > n.Interval+n.Interval/2 && !missed:
		return Late
	}
	return Reporting
}

// Record returns the record of a node since its latest report. It is empty if that
// report is younger than the node's TTL, so that its states are valid. gaps are those
// of the hubs, oldest first.
func (n Node) Record(gaps []Gap, now time.Time) (line uptime.Timeline) {
	if now.Sub(n.Arrived) <= n.TTL {
		return nil
	}
	silent := NoReport
	if n.Stopped {
		silent = Stopped
	}
	add := func(at time.Time, reason string) {
		if last := len(line) - 1; last >= 0 && (line[last].Reason == reason || !line[last].At.Before(at)) {
			return
		}
		line = append(line, uptime.Change{At: at, State: report.Unknown, Reason: reason})
	}
	from := n.Arrived.Add(resolution) // since then a hub has been waiting for a report
	for _, g := range gaps {
		if !g.End.After(from) || !g.Begin.Before(now) {
			continue
		}
		if g.Begin.Sub(from) > n.TTL {
			add(from, silent)
			add(g.Begin, HubGap)
		} else {
			add(from, HubGap) // the hubs cannot know which reports they missed
		}
		from = g.End
	}
	if len(line) == 0 || now.Sub(from) > n.TTL {
		add(from, silent)
	}
	return line
}

// A Silence is the new record of all components of a node.
type Silence struct {
	Node    int // its index in the list
	Reason  string
	Changes uptime.Timeline // changes from the latest report on
}

// Silences returns the records of silent nodes that differ from the recorded ones.
func Silences(nodes []Node, gaps []Gap, now time.Time) (list []Silence) {
	lines := make([]uptime.Timeline, len(nodes))
	sites := map[string]*site{}
	for i, n := range nodes {
		lines[i] = n.Record(gaps, now)
		if n.Stopped || n.Site == "" {
			continue
		}
		if sites[n.Site] == nil {
			sites[n.Site] = &site{whole: true}
		}
		sites[n.Site].add(n, reason(lines[i]) == NoReport)
	}
	for _, n := range nodes {
		sites[n.Site].count(n)
	}
	for i, n := range nodes {
		line := lines[i]
		if reason(line) == NoReport && (n.Recorded == SiteNoReport || sites[n.Site].fell(n)) {
			for k := range line {
				if line[k].Reason == NoReport {
					line[k].Reason = SiteNoReport
				}
			}
		}
		if r := reason(line); r != "" && r != n.Recorded {
			list = append(list, Silence{Node: i, Reason: r, Changes: line})
		}
	}
	return list
}

// reason returns why the state is unknown at the end of a record; empty: it is known.
func reason(line uptime.Timeline) string {
	if len(line) == 0 {
		return ""
	}
	return line[len(line)-1].Reason
}

// A site is the silence of the nodes of one site.
type site struct {
	whole    bool      // all nodes of the site are silent
	latest   time.Time // arrival of the latest report from any of its nodes
	together int       // number of nodes that fell silent then
}

func (s *site) add(n Node, silent bool) {
	s.whole = s.whole && silent
	if n.Arrived.After(s.latest) {
		s.latest = n.Arrived
	}
}

func (s *site) count(n Node) {
	if s.with(n) {
		s.together++
	}
}

// with reports whether the node's latest report is about as old as the latest of the
// site.
func (s *site) with(n Node) bool {
	return s != nil && !n.Stopped && s.latest.Sub(n.Arrived) <= n.TTL
}

// fell reports whether the node fell silent together with its whole site.
func (s *site) fell(n Node) bool { return s.with(n) && s.whole && s.together > 1 }
