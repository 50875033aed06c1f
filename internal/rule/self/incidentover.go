package self

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// stillResetting is how long after the last lost session sessions count as still
// being lost.
const stillResetting = 10 * time.Minute

func incidentOver() rule.Rule {
	return rule.Rule{
		ID:        "incident-over",
		Title:     "an incident has ended and needs cleanup",
		Component: report.ComponentNodewatch,
		Severity:  "info",
		Impact:    "operational: it has ended",
		About: "An incident begins with the first finding of impact degraded_performance or worse, or of severity critical, that no other finding explains, and ends when there has been none for 10 minutes. " +
			"For 24 hours, or until it is acknowledged, this finding shows when it happened, how severe it was and what remains to be done. Where possible, the checklist is verified against what nodewatch observes.",
		Do: []string{
			"Work through the list, then acknowledge it: `nodewatch ack incident`.",
			"Reboot guests whose filesystems turned read-only: nodewatch cannot see that from the host.",
			"Remove any limit that was set on a storage NIC.",
		},
		Check: func(in rule.Input) []rule.Result {
			if in.Incident == nil || in.Incident.End.IsZero() {
				return nil
			}
			todo, done := checklist(in)
			return []rule.Result{{
				Severity: report.Info,
				Since:    in.Incident.End,
				Summary:  summaryOf(*in.Incident),
				Evidence: append([]report.Evidence{rule.FactAt("", "", "it was: "+in.Incident.Headline, in.Incident.Begin)}, todo...),
				Against:  done,
				Advice:   cleanUp(in),
			}}
		},
	}
}

// summaryOf describes the incident in one line.
func summaryOf(i report.Incident) string {
	what := "Incident"
	if i.Finding.Rule == "krbd-retry-storm" || i.Finding.Rule == "layer2-bond-krbd" {
		what = "Storm"
	}
	text := fmt.Sprintf("%s ended %s after %s: %s", what, human.Clock(i.End), human.Span(i.End.Sub(i.Begin)),
		strings.ReplaceAll(string(i.Peak), "_", " "))
	if i.Guests != nil {
		text += fmt.Sprintf(", %d of %d guests hit", i.Guests.Hit, i.Guests.Total)
	}
	if i.Cause != "" {
		return rule.Summary(text+"; cause: "+i.Cause, text)
	}
	return text
}

// checklist returns the remaining and the completed steps after an incident, as far
// as completion can be observed.
func checklist(in rule.Input) (todo, done []report.Evidence) {
	for _, b := range in.Bonds() {
		if _, carries := in.CarriesStorage(b.Name); !carries || !b.MultiSlave() {
			continue
		}
		s := in.Spread(b)
		if s.Like {
			todo = append(todo, in.Fact(node.SourceBond, b.Name, fmt.Sprintf("to do: %s still hashes with %s", b.Name, s.Why)))
		} else {
			done = append(done, in.Fact(node.SourceBond, b.Name, fmt.Sprintf("done: %s distributes what this host sends (%s)", b.Name,
				b.HashPolicy)))
		}
		switch rx := s.Rx; {
		case !s.Measured || rx.Total == 0:
		case rx.Even(len(b.Slaves)):
			done = append(done, in.Fact(node.SourceNIC, b.Name, "done: the switch distributes what "+b.Name+" receives"))
		case rx.Skew > 0.5:
			todo = append(todo, in.Fact(node.SourceNIC, b.Name, fmt.Sprintf("to do: the switch sends %s of what %s receives to %s",
				human.Percent(rx.Share), b.Name, rx.Slave)))
		}
	}
	throttles := in.Throttles(node.FullShare)
	for i := range throttles {
		t := &throttles[i]
		todo = append(todo, in.Fact(node.SourceLimits, t.Link, fmt.Sprintf("to do: %s is still limited to %s (%s, %s at %s)", t.Link,
			human.BitRate(float64(t.Rate)), t.Way, t.Kind, t.Where)))
	}
	if len(throttles) == 0 && len(in.StorageLinks()) > 0 && in.LimitsKnown() {
		done = append(done, in.Fact(node.SourceLimits, "", "done: no link that carries storage is limited (tc)"))
	}
	if in.Blind(node.SourceKmsg) == nil {
		if last := in.LastLoss(); !last.IsZero() && in.Now.Sub(last) < stillResetting {
			todo = append(todo, rule.FactAt(node.SourceKmsg, "", "to do: sessions to OSDs are still being lost, the latest at "+
				human.Clock(last), last))
		} else {
			done = append(done, in.Fact(node.SourceKmsg, "", "done: no session to an OSD was lost in the last 10 min"))
		}
	}
	if g := in.Incident.Guests; g != nil {
		todo = append(todo, rule.FactAt("", "", "to do: look for read-only filesystems in "+human.Names(g.Names, 5), in.Incident.End))
	}
	return todo, done
}

// cleanUp returns the steps after an incident.
func cleanUp(in rule.Input) []report.Advice {
	var list []report.Advice
	for _, t := range in.Throttles(node.FullShare) {
		if hook := map[string]string{"tx": "root", "rx": "ingress"}[t.Way]; !slices.ContainsFunc(list,
			func(a report.Advice) bool { return strings.HasSuffix(a.Do, " "+t.Link) }) {
			list = append(list, report.Advice{Do: "Remove the limit of " + t.Link,
				Command: rule.ShellCommand("tc qdisc del dev %s "+hook, t.Link)})
		}
	}
	if len(list) == 0 && !in.LimitsKnown() {
		list = append(list, report.Advice{Do: "Remove any limit that was set on a storage NIC during the incident",
			Command: "tc qdisc show"})
	}
	if in.Incident.Guests != nil {
		list = append(list, report.Advice{Do: "Reboot the guests whose filesystems turned read-only: nodewatch cannot see that from the host"})
	}
	return append(list,
		report.Advice{Do: "Acknowledge the incident when everything is done", Command: "nodewatch ack incident"},
	)
}
