package network

import (
	"fmt"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type throttleLimits struct {
	Share float64 `json:"share" doc:"share of the line rate below which a limit is reported" min:"0.01" max:"1"`
}

func throttleLeft() rule.Rule {
	l := &throttleLimits{Share: node.FullShare}
	return rule.Rule{
		ID:        "throttle-left",
		Title:     "a rate limit (tc) is in place on a link that carries storage",
		Component: report.ComponentNetwork,
		Severity:  "warning; info during an incident, and if other classes of the link are not limited",
		Impact:    "operational: the limit works as configured; the storage rules report slow disks",
		Needs:     []string{node.SourceLimits},
		Limits:    l,
		About: "A queueing discipline with a rate (tbf, cake, netem), a class with a ceiling (htb, hfsc) or a police action limits a link that krbd's traffic passes, including VLANs, bonds and slaves, to less than 90 % of its line rate. " +
			"In an incident a limit is an emergency measure. If left in place it becomes a bottleneck: krbd disks are slow although no NIC is saturated, and no NIC counter shows why. " +
			"The default disciplines (mq, fq_codel, fq, pfifo_fast), and limits of guests' taps, do not count.",
		Do: []string{
			"Make sure that the cause of the incident has been fixed, on the host and on the switch.",
			"Show the limits: `tc -s qdisc show dev LINK`, `tc -s class show dev LINK`, `tc -s filter show dev LINK ingress`.",
			"Remove the limit: `tc qdisc del dev LINK root`, or `tc qdisc del dev LINK ingress`. This also removes the other classes and filters there. Look for it in the network configuration too.",
			"If the limit is intended, acknowledge the finding: `nodewatch ack throttle-left LINK`.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			throttles := in.Throttles(l.Share)
			for i := range throttles {
				if t := &throttles[i]; i == 0 || t.Link != throttles[i-1].Link {
					list = append(list, l.result(in, t, throttles[i:]))
				}
			}
			return list
		},
	}
}

// result returns the finding on the link of t. t is the lowest limit of the link and
// the first of the list.
func (l *throttleLimits) result(in rule.Input, t *facts.Throttle, list []facts.Throttle) rule.Result {
	r := rule.Result{
		Subject: t.Link, Severity: report.Warning, Setting: true,
		Summary: fmt.Sprintf("%s is limited to %s (%s, %s)%s; it carries the traffic of %s", t.Link, human.BitRate(float64(t.Rate)), t.Way,
			t.Kind, ofLine(t), human.Count(t.Devices, "krbd disk")),
	}
	for i := range list {
		if o := &list[i]; o.Link == t.Link && len(r.Evidence) < 8 {
			r.Evidence = append(r.Evidence, in.Fact(node.SourceLimits, o.Link,
				fmt.Sprintf("%s at %s: %s %s%s", o.Kind, o.Where, o.Way, human.BitRate(float64(o.Rate)), ofLine(o))))
		}
	}
	switch {
	case in.Incident != nil && in.Incident.End.IsZero():
		r.Severity = report.Info
		r.Against = append(r.Against, rule.FactAt("", "", "an incident is ongoing: the limit may be an emergency measure",
			in.Incident.Begin))
	case partOnly(in, t):
		r.Severity = report.Info
		r.Against = append(r.Against, in.Fact(node.SourceLimits, t.Link,
			"other classes of "+t.Link+" are not limited: part of the traffic passes freely"))
	}
	r.Advice = []report.Advice{{Do: "Once the cause of the incident is fixed, on the host and on the switch, remove the limit. This also removes other classes there", Command: rule.ShellCommand("tc qdisc del dev %s root", t.Link)}}
	show := report.Advice{Do: "Show what limits " + t.Link, Command: rule.ShellCommand("tc -s qdisc show dev %s; tc -s class show dev %s",
		t.Link, t.Link)}
	if t.Way == "rx" {
		r.Advice[0] = report.Advice{Do: "Once the cause of the incident is fixed, on the host and on the switch, remove the limit. This also removes other filters there", Command: rule.ShellCommand("tc qdisc del dev %s ingress", t.Link)}
		show.Command = rule.ShellCommand("tc -s filter show dev %s ingress", t.Link)
	}
	r.Advice = append(r.Advice, show, report.Advice{Do: "Remove it from the network configuration too, or the next reload restores it"})
	return r
}

// ofLine describes a limit as a share of the line rate; empty if the line rate is
// unknown.
func ofLine(t *facts.Throttle) string {
	if t.Line == 0 {
		return ""
	}
	return fmt.Sprintf(", %s of %s", human.Percent(float64(t.Rate)/t.Line), human.BitRate(t.Line))
}

// partOnly reports whether the limit applies to one class while another class of the
// link, other than its parent, is not limited.
func partOnly(in rule.Input, t *facts.Throttle) bool {
	if t.Kind != "htb" && t.Kind != "hfsc" {
		return false
	}
	free := 0
	for _, o := range in.Limits.Value.Limits {
		if o.Link == t.Link && o.Way == t.Way && o.Kind == t.Kind && float64(o.Rate) >= node.FullShare*t.Line {
			free++
		}
	}
	return t.Line > 0 && free > 1 // the root class and a leaf
}
