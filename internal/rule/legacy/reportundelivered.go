package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// An undeliveredLimits are the thresholds of report-undelivered.
type undeliveredLimits struct {
	After time.Duration `json:"after" doc:"how long no delivery of a reporter has succeeded until that is a finding" min:"30s" max:"24h"`
}

func reportUndelivered() Rule {
	limits := &undeliveredLimits{After: 5 * time.Minute}
	return Rule{
		ID:        "report-undelivered",
		Title:     "Reports do not reach a backend",
		Component: Nodewatch,
		Severity:  "warning; info while it delivers and cannot write to the state directory",
		Impact:    "operational: customers do not notice, but people may not be told",
		Keep:      30 * time.Second,
		Needs:     []string{node.SourceReporters},
		Limits:    limits,
		About: "One of the configured reporters has not delivered for a while: its backend does not answer, refuses what it is sent, or " +
			"wants another secret. Who relies on it is not told of this node. The other reporters, which this finding goes to, are not held up by it. " +
			"A refusal that somebody must mend is told at once.",
		Do: []string{
			"See what comes back: `nodewatch report test NAME`, as the user that nodewatch runs as.",
			"401, 403, 404 and 422 are mistakes of the configuration: the secret's file, the address, the id of a component.",
			"If transitions are dropped, the backend's history of this node has a gap; the tape, if there is one, has none.",
		},
		Check: func(in Input) []report.Finding {
			var found []report.Finding
			for _, d := range in.Deliveries.Value {
				if f, fails := undelivered(in, d, limits.After); fails {
					found = append(found, f)
				} else if d.KeepErr != "" {
					found = append(found, unkept(in, d))
				}
			}
			return found
		},
	}
}

// undelivered returns the finding on one reporter, and whether there is one.
func undelivered(in Input, d node.Delivery, after time.Duration) (report.Finding, bool) {
	since := d.Since
	if d.Last.After(since) {
		since = d.Last
	}
	refused := d.Kind == string(report.Misconfigured)
	fails := d.State == node.DeliveryRetrying || d.State == node.DeliveryOpen || d.State == node.DeliveryStalled
	if !fails || !refused && in.Now.Sub(since) < after {
		return report.Finding{}, false
	}
	f := report.Finding{
		Subject: d.Name, Severity: report.Warning, Impact: report.Operational, Since: since,
		Summary:  fmt.Sprintf("reporter %s (%s) has not delivered since %s", d.Name, d.Backend, since.UTC().Format(time.DateTime)),
		Evidence: []report.Evidence{in.fact(node.SourceReporters, d.Name, d.Error)},
		Advice: []report.Advice{
			{Do: "See what comes back", Command: paste("nodewatch report test %s", d.Name)},
		},
	}
	if d.Last.IsZero() {
		f.Summary = fmt.Sprintf("reporter %s (%s) has never delivered since nodewatch started", d.Name, d.Backend)
	}
	if d.Dropped > 0 {
		f.Evidence = append(f.Evidence, in.fact(node.SourceReporters, d.Name, fmt.Sprintf("%d transitions are lost to it, as its queue was full", d.Dropped)))
	}
	if d.Waiting > 0 {
		f.Against = append(f.Against, in.fact(node.SourceReporters, d.Name, fmt.Sprintf("%d transitions wait and will be delivered", d.Waiting)))
	}
	return f, true
}

// unkept is the finding on a reporter that delivers, and forgets at a restart.
func unkept(in Input, d node.Delivery) report.Finding {
	return report.Finding{
		Subject: d.Name, Severity: report.Info, Impact: report.Operational,
		Summary:  fmt.Sprintf("reporter %s (%s) cannot write what it must not forget over a restart", d.Name, d.Backend),
		Evidence: []report.Evidence{in.fact(node.SourceReporters, d.Name, d.KeepErr)},
		Advice:   []report.Advice{{Do: "See that nodewatch's user can write to the state directory and that its disk is not full"}},
	}
}
