package metrics

import (
	"slices"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// otherSubjects is the subject under which one rule's findings beyond the limit are
// summed.
const otherSubjects = "(other)"

func verdictFamilies(build buildinfo.Info) []family {
	return []family{
		{name: "nodewatch_build_info", kind: gauge, labels: []string{"version", "revision", "date", "goversion", "goos", "goarch"},
			always: true,
			help:   "Always 1; the labels describe nodewatch's build: version, commit and its date, Go version and platform.",
			read: func(_ *picture, emit emit) {
				emit(1, build.Version, build.Revision, build.Date, build.Go, build.OS, build.Arch)
			}},
		{name: "nodewatch_report_timestamp_seconds", kind: gauge,
			help: "Time of the report that all these metrics are derived from; there is one report per second.",
			read: func(p *picture, emit emit) { emit(unix(p.Report.At)) }},
		{name: "nodewatch_node_state", kind: gauge, labels: []string{"state"},
			help: "1 for the state of the node, the worst of its components, and 0 for the other states.",
			read: func(p *picture, emit emit) { stateset(states(), string(p.Report.Status), emit) }},
		{name: "nodewatch_component_state", kind: gauge, labels: []string{"component", "state"},
			help: "1 for the state of the component and 0 for the other states.",
			read: func(p *picture, emit emit) {
				for _, c := range p.Report.Components {
					stateset(states(), string(c.Status), emit, string(c.Name))
				}
			}},
		{name: "nodewatch_component_state_since_timestamp_seconds", kind: gauge, labels: []string{"component"},
			help: "Time since which the component has been in its state.",
			read: func(p *picture, emit emit) {
				for _, c := range p.Report.Components {
					emit(unix(c.Since), string(c.Name))
				}
			}},
		{name: "nodewatch_findings", kind: gauge, labels: []string{"severity"},
			help: "Number of raised findings of the severity.",
			read: countFindings},
		{name: "nodewatch_findings_blind", kind: gauge,
			help: "Number of raised findings whose sources are unavailable, so that they can be neither confirmed nor cleared.",
			read: countBlind},
		{name: "nodewatch_finding", kind: gauge, labels: []string{"rule", "subject", "severity"},
			help: "1 for each raised finding; at most 50 per rule, the others are summed under the subject (other).",
			read: nameFindings},
		{name: "nodewatch_finding_guests", kind: gauge, labels: []string{"rule", "subject"},
			help: "Number of guests that a raised finding affects; no sample if there are none or they are unknown; at most 50 findings per rule.",
			read: countGuestsHit},
		{name: "nodewatch_finding_explained", kind: gauge, labels: []string{"rule", "subject", "by"},
			help: "1 for each raised finding that raised findings of the rule in the label by explain; at most 50 per rule.",
			read: nameExplained},
		{name: "nodewatch_transitions_total", kind: counter,
			help: "Number of times that a finding was raised or cleared, or changed its severity, impact or visibility.",
			read: countTransitions},
	}
}

// states are the values of a stateset, least severe first.
func states() []string {
	var words []string
	for _, i := range report.Impacts() {
		words = append(words, string(i))
	}
	return words
}

func countFindings(p *picture, emit emit) {
	n := map[report.Severity]float64{}
	for _, f := range p.Report.Findings {
		n[f.Severity]++
	}
	for _, s := range []report.Severity{report.Info, report.Warning, report.Critical} {
		emit(n[s], string(s))
	}
}

func countBlind(p *picture, emit emit) {
	n := 0.0
	for _, f := range p.Report.Findings {
		if f.State == report.Blind {
			n++
		}
	}
	emit(n)
}

func nameFindings(p *picture, emit emit) {
	type key struct {
		rule, subject string
		severity      report.Severity
	}
	named, sum, order := map[string]int{}, map[key]float64{}, []key{}
	for _, f := range p.Report.Findings {
		k := key{f.Rule, sanitize(f.Subject), f.Severity}
		if named[f.Rule]++; named[f.Rule] > maxSubjects {
			k.subject = otherSubjects
		}
		if sum[k]++; sum[k] == 1 {
			order = append(order, k)
		}
	}
	for _, k := range order {
		emit(sum[k], k.rule, k.subject, string(k.severity))
	}
}

func countGuestsHit(p *picture, emit emit) {
	named := map[string]int{}
	for _, f := range p.Report.Findings {
		if named[f.Rule]++; f.Guests != nil && named[f.Rule] <= maxSubjects {
			emit(float64(f.Guests.Hit), f.Rule, f.Subject)
		}
	}
}

func nameExplained(p *picture, emit emit) {
	named := map[string]int{}
	for _, f := range p.Report.Findings {
		if len(f.ExplainedBy) == 0 {
			continue
		}
		if named[f.Rule]++; named[f.Rule] > maxSubjects {
			continue
		}
		var by []string
		for _, x := range f.ExplainedBy {
			if !slices.Contains(by, x.Rule) {
				by = append(by, x.Rule)
				emit(1, f.Rule, sanitize(f.Subject), x.Rule)
			}
		}
	}
}

func countTransitions(p *picture, emit emit) {
	last := uint64(0)
	for _, t := range p.Report.Transitions {
		last = max(last, t.N)
	}
	emit(float64(last))
}
