package alertmanager

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// An alert is one element of the list in POST /api/v2/alerts (Alertmanager's
// api/v2/openapi.yaml, postableAlert). Its labels are its identity. Both startsAt and
// endsAt are always sent: Alertmanager would use endsAt for a missing startsAt, and
// its own default for a missing endsAt.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`

	key string
}

// what returns the alert's name for an error message.
func (a alert) what() string {
	return strings.TrimSpace(fmt.Sprintf("alert %s %s", a.Labels["alertname"], a.Labels["subject"]))
}

// alerts returns the alerts of a report's findings, each valid until the given time.
func (c Config) alerts(r report.Report, until time.Time) []alert {
	list, seen := []alert{}, map[string]bool{}
	for _, f := range r.Findings {
		if a := c.alert(r, f, until); !seen[a.key] {
			seen[a.key] = true
			list = append(list, a)
		}
	}
	if c.Watchdog {
		list = append(list, c.made(r, map[string]string{"alertname": "NodewatchWatchdog", "severity": "none"}, map[string]string{
			"summary":     "nodewatch on " + line(r.Node) + " is alive",
			"description": "This alert always fires. If it stops, the path from this node to on-call is broken.",
		}, r.Started, until))
	}
	return list
}

func (c Config) alert(r report.Report, f report.Finding, until time.Time) alert {
	notes := map[string]string{
		"summary":     cut(line(f.Summary), maxLine),
		"description": cut(description(f), maxText),
		"impact":      line(string(f.Impact)),
	}
	if strings.HasPrefix(f.Runbook, "http://") || strings.HasPrefix(f.Runbook, "https://") {
		notes["runbook_url"] = cut(line(f.Runbook), maxLine)
	}
	if f.Flapping {
		notes["flapping"] = "flapping since " + stamp(f.Since)
	}
	if f.State == report.Blind {
		notes["blind"] = "cannot be seen since " + stamp(f.LastSeen) + ": this is not a recovery"
	}
	if len(f.ExplainedBy) > 0 {
		var by []string
		for _, x := range f.ExplainedBy {
			by = append(by, strings.TrimSpace(x.Rule+" "+line(x.Subject)))
		}
		notes["explained_by"] = cut(strings.Join(by, ", "), maxLine)
	}
	if a := f.Accepted; a != nil {
		notes["accepted"] = cut(line(fmt.Sprintf("by %s until %s: %s", a.By, stamp(a.Until), a.Reason)), maxLine)
	}
	return c.made(r, map[string]string{
		"alertname": camel(f.Rule), "rule": f.Rule, "subject": f.Subject,
		"severity": string(f.Severity), "component": string(f.Component),
	}, notes, f.LevelSince, until)
}

// made returns an alert with the node's labels. Its start is never later than now.
func (c Config) made(r report.Report, own, notes map[string]string, since, until time.Time) alert {
	if since.IsZero() || since.After(r.At) {
		since = r.At
	}
	maps.DeleteFunc(notes, func(_, v string) bool { return v == "" })
	a := alert{Labels: labels(r, own), Annotations: notes, StartsAt: since.UTC(), EndsAt: until.UTC(), GeneratorURL: link(c.Page, r.Node)}
	a.key = key(a.Labels)
	return a
}

// description returns the evidence and advice of a finding, in lines.
func description(f report.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Since %s.\n", stamp(f.Since))
	facts := func(word string, list []report.Evidence) {
		for _, e := range list {
			fmt.Fprintf(&b, "%s: %s %s: %s\n", word, e.At.UTC().Format(time.TimeOnly),
				strings.TrimSpace(line(e.Source)+" "+line(e.Subject)), line(e.Fact))
		}
	}
	facts("For", f.Evidence)
	facts("Against", f.Against)
	for _, a := range f.Advice {
		fmt.Fprintf(&b, "Do: %s\n", line(a.Do))
		for command := range strings.Lines(a.Command) {
			fmt.Fprintf(&b, "    %s\n", line(command))
		}
	}
	return strings.TrimSpace(b.String())
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
