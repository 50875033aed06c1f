package main

import (
	"context"
	_ "embed"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/incident"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// postmortem is the post-mortem of the previous night's incident.
//
//go:embed demo/postmortem.md
var postmortem string

// A trouble is an outage in the demo's past.
type trouble struct {
	component string // component of the public page
	part      string // component of its node; empty: none
	before    time.Duration
	lasts     time.Duration
	impact    report.Impact
	title     string // title of the incident; empty: there was none
	said      string
	explained bool // the incident has the post-mortem
}

const day = 24 * time.Hour

// past lists the outages of 90 days, the oldest first.
var past = []trouble{
	{component: "lambda", before: 81*day + 5*time.Hour, lasts: 95 * time.Second, impact: report.MajorOutage},
	{component: "rl2-node4", part: "host", before: 74*day + 2*time.Hour, lasts: 26 * time.Minute, impact: report.DegradedPerformance},
	{component: "rl1-ipv6", before: 62*day + 14*time.Hour, lasts: 3 * time.Minute, impact: report.MajorOutage,
		title: "IPv6 gateway of RL1 is unreachable", said: "No packets returned by host."},
	{component: "rl1-ipv6", before: 61*day + 9*time.Hour, lasts: 2 * time.Minute, impact: report.MajorOutage,
		title: "IPv6 gateway of RL1 is unreachable", said: "No packets returned by host."},
	{component: "webmail", before: 55*day + 20*time.Hour, lasts: 11 * time.Minute, impact: report.PartialOutage,
		title: "Webmail: some logins fail", said: "IMAP does not answer on one of two servers."},
	{component: "rl1-node6", part: "host", before: 33*day + 3*time.Hour, lasts: 4 * time.Minute, impact: report.MajorOutage,
		title: "Node 6 (RL1) is unreachable", said: "No packets returned by host."},
	{component: "rl1-ipv6", before: 32*day + 1*time.Hour, lasts: 150 * time.Second, impact: report.MajorOutage,
		title: "IPv6 gateway of RL1 is unreachable", said: "No packets returned by host."},
	{component: "omega", before: 19*day + 7*time.Hour, lasts: 80 * time.Second, impact: report.MajorOutage},
	{component: "rl3-node7", part: "network", before: 8*day + 16*time.Hour, lasts: 48 * time.Minute, impact: report.DegradedPerformance},
	{component: "rl1-node2", part: "storage", before: 9 * time.Hour, lasts: 11 * time.Minute, impact: report.MajorOutage,
		title: "Virtual machines on Node 2 (RL1) do not respond", said: "Disks of virtual machines on this node do not respond.",
		explained: true},
}

// history writes 90 days of history: the states of each component, the published
// incidents, and a planned maintenance.
func (d *demo) history(ctx context.Context) error {
	begin := d.began.Add(-90 * day)
	return d.store.Update(ctx, func(tx *store.Tx) error {
		for _, g := range d.config.Groups {
			for _, c := range g.Components {
				for _, k := range demoKeys(c) {
					if err := d.remember(ctx, tx, k, c.ID, begin); err != nil {
						return err
					}
				}
			}
		}
		for _, x := range past {
			if x.title == "" {
				continue
			}
			if err := d.tell(ctx, tx, x); err != nil {
				return err
			}
		}
		at := d.began.Add(3 * day).Truncate(time.Hour)
		m := incident.Maintenance{
			Ref: incident.Ref(d.began, "migration"), Title: "VPS - RL1: migrate Node 2 from krbd to librbd", Status: incident.Scheduled,
			Starts: at, Ends: at.Add(4 * time.Hour), Created: d.began, Updated: d.began, Published: d.began,
			Components: []string{"rl1-node2"},
		}
		m.Post(incident.Update{Status: incident.Scheduled, At: d.began, Created: d.began, Author: "demo",
			Body: "Virtual machines are live-migrated to a node that uses librbd, and back. No downtime is expected."})
		return tx.SaveMaintenance(ctx, &m)
	})
}

// demoKeys returns the signals that a public component follows.
func demoKeys(c config.Component) (keys []store.Key) {
	if c.Node == "" {
		return []store.Key{{Kind: store.Pushed, Name: c.ID}}
	}
	for _, part := range []string{"guests", "host", "network", "storage"} {
		keys = append(keys, store.Key{Kind: store.OfNode, Owner: c.Node, Name: part})
	}
	return keys
}

// remember writes the history of a signal before its recorded part.
func (d *demo) remember(ctx context.Context, tx *store.Tx, k store.Key, component string, begin time.Time) error {
	line := uptime.Timeline{{At: begin, State: report.Operational}}
	for _, x := range past {
		if x.component == component && (x.part == "" || x.part == k.Name) {
			from := d.began.Add(-x.before)
			line = append(line, uptime.Change{At: from, State: x.impact}, uptime.Change{At: from.Add(x.lasts), State: report.Operational})
		}
	}
	records, err := tx.Timelines(ctx, []store.Key{k}, begin)
	if err != nil {
		return err
	}
	for _, c := range records[k] {
		if c.At.After(line[len(line)-1].At) {
			line = append(line, c)
		}
	}
	id, err := tx.Signal(ctx, k, store.Signal{})
	if err != nil {
		return err
	}
	return tx.Rewrite(ctx, id, begin, line)
}

// tell stores the incident of an outage with its updates.
func (d *demo) tell(ctx context.Context, tx *store.Tx, x trouble) error {
	from := d.began.Add(-x.before)
	to := from.Add(x.lasts)
	i := incident.Incident{Ref: incident.Ref(from, x.component), Title: x.title, Impact: report.Operational, Owner: "demo", Started: from,
		Created: from, Published: from}
	hurt := []incident.Affected{{Component: x.component, Impact: x.impact}}
	i.Post(incident.Update{Status: incident.Investigating, Body: x.said, At: from, Created: from, Affected: hurt})
	if x.explained {
		i.Post(incident.Update{Status: incident.Monitoring, Body: "Disks respond again.", At: to, Created: to})
		to = to.Add(10 * time.Minute)
	}
	i.Post(incident.Update{Status: incident.Resolved, Body: "Works again.", At: to, Created: to})
	if x.explained {
		at := d.began.Add(-2 * time.Hour)
		i.Postmortem = incident.Postmortem{Body: postmortem, Author: "demo", Created: at, Updated: at, Published: at}
		i.AfterCare = "Virtual machines that went read-only need a reboot, which checks their file systems."
	}
	i.Updates = slices.Clip(i.Updates)
	return tx.SaveIncident(ctx, &i)
}
