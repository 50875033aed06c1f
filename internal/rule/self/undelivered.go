package self

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type undeliveredLimits struct {
	After time.Duration `json:"after" doc:"how long a reporter must fail before the finding is raised" min:"30s" max:"24h"`
}

func reportUndelivered() rule.Rule {
	l := &undeliveredLimits{After: 5 * time.Minute}
	return rule.Rule{
		ID:            "report-undelivered",
		Title:         "reports do not reach a backend",
		Component:     report.ComponentNodewatch,
		Severity:      "warning; info if it delivers but cannot write to the state directory",
		Impact:        "operational: customers do not notice, but people may not be notified",
		KeepFiringFor: rule.Always(30 * time.Second),
		Needs:         []string{node.SourceReporters},
		Limits:        l,
		About: "A configured reporter has not delivered for a while: its backend does not answer, rejects the reports, or " +
			"requires another secret. People who rely on it are not notified about this node. The other reporters are not delayed; they report this finding. " +
			"A refusal that needs a change of the configuration is reported at once.",
		Do: []string{
			"Show the backend's response: `nodewatch report test NAME`, run as nodewatch's user.",
			"401, 403, 404 and 422 indicate a configuration error: the secret's file, the address, or the id of a component.",
			"If transitions are dropped, the backend's history of this node has a gap; a recorded tape has none.",
		},
		Check: func(in rule.Input) []rule.Result {
			var list []rule.Result
			for _, d := range in.Deliveries.Value {
				if r, fails := l.undelivered(in, d); fails {
					list = append(list, r)
				} else if d.PersistErr != "" {
					list = append(list, unsaved(in, d))
				}
			}
			return list
		},
	}
}

// undelivered returns the finding on one reporter, and whether there is one.
func (l *undeliveredLimits) undelivered(in rule.Input, d node.Delivery) (rule.Result, bool) {
	since := facts.Later(d.Since, d.Last)
	refused := d.Kind == string(report.Misconfigured)
	fails := d.State == node.DeliveryRetrying || d.State == node.DeliveryOpen || d.State == node.DeliveryStalled
	if !fails || !refused && in.Now.Sub(since) < l.After {
		return rule.Result{}, false
	}
	r := rule.Result{
		Subject: d.Name, Severity: report.Warning, Since: since,
		Summary:  fmt.Sprintf("reporter %s (%s) has not delivered since %s", d.Name, d.Backend, since.UTC().Format(time.DateTime)),
		Evidence: []report.Evidence{in.Fact(node.SourceReporters, d.Name, d.Error)},
		Advice:   []report.Advice{{Do: "See what comes back", Command: rule.ShellCommand("nodewatch report test %s", d.Name)}},
	}
	if d.Last.IsZero() {
		r.Summary = fmt.Sprintf("reporter %s (%s) has never delivered since nodewatch started", d.Name, d.Backend)
	}
	if d.Dropped > 0 {
		r.Evidence = append(r.Evidence, in.Fact(node.SourceReporters, d.Name,
			fmt.Sprintf("%s dropped because its queue was full", human.Count(d.Dropped, "transition"))))
	}
	if d.Waiting > 0 {
		r.Against = append(r.Against, in.Fact(node.SourceReporters, d.Name,
			fmt.Sprintf("%s queued for delivery", human.Count(d.Waiting, "transition"))))
	}
	return r, true
}

// unsaved returns the finding on a reporter that delivers but would lose its state in
// a restart.
func unsaved(in rule.Input, d node.Delivery) rule.Result {
	return rule.Result{
		Subject: d.Name, Severity: report.Info,
		Summary:  fmt.Sprintf("reporter %s (%s) cannot save its state, which it needs after a restart", d.Name, d.Backend),
		Evidence: []report.Evidence{in.Fact(node.SourceReporters, d.Name, d.PersistErr)},
		Advice:   []report.Advice{{Do: "Make sure nodewatch's user can write to the state directory and that its disk is not full"}},
	}
}
