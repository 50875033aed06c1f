package self

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func sourceStalled() rule.Rule {
	return rule.Rule{
		ID:            "source-stalled",
		Title:         "a data source is unavailable",
		Component:     report.ComponentNodewatch,
		Severity:      "warning",
		Impact:        "operational: a component that cannot be observed becomes unknown, not worse",
		For:           rule.Always(15 * time.Second),
		KeepFiringFor: rule.Always(10 * time.Second),
		About: "A source has not returned from a read, has failed, or is denied. Its data is unknown: " +
			"findings that depend on it stay raised, and new ones cannot be raised. A read that does not return is a sign " +
			"that a kernel lock, libvirt or the underlying storage is stalled. Sources that do not apply to this host do not count.",
		Do: []string{
			"List all sources, why they are unavailable and how to enable them: `nodewatch sources`, or the page.",
			"A stalled source is waiting in the kernel or for a daemon: run `cat /proc/PID/stack` on the waiting thread, as root, to see where. Restarting nodewatch does not help.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			for _, src := range in.Sources {
				state, since := src.State(in.Started, in.Now)
				if state == "ok" || state == "starting" || state == string(node.Absent) || state == string(node.Held) {
					continue
				}
				list = append(list, unavailable(in, src, state, since))
			}
			return list
		},
	}
}

func unavailable(in rule.Input, src node.Source, state string, since time.Time) rule.Result {
	r := rule.Result{
		Subject: src.Name, Severity: report.Warning, Since: since,
		Summary: fmt.Sprintf("source %s is %s since %s", src.Name, state, human.Clock(since)),
		Advice:  []report.Advice{{Do: "List all sources and how to enable them", Command: "nodewatch sources"}},
	}
	if src.Err != nil {
		r.Evidence = append(r.Evidence, rule.FactAt(src.Name, "", src.Err.Text, since))
		if src.Err.Remedy != "" {
			r.Advice = append([]report.Advice{{Do: src.Err.Remedy}}, r.Advice...)
		}
	}
	if src.Last.IsZero() {
		r.Against = append(r.Against, rule.FactAt(src.Name, "", "it has not been read since nodewatch started: it may not be set up",
			in.Started))
	} else {
		r.Evidence = append(r.Evidence, rule.FactAt(src.Name, "", "last read", src.Last))
	}
	return r
}
