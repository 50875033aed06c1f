package metrics

import (
	"maps"
	"slices"

	"github.com/nodewatch/nodewatch/internal/node"
)

func reporterFamilies() []family {
	label := []string{"reporter"}
	return []family{
		{name: "nodewatch_report_state", kind: gauge, labels: []string{"reporter", "state"},
			help: "1 for the state of the reporter and 0 for the other states; open: the circuit breaker is open, retried at a reduced rate.",
			read: eachReporter(func(d node.Delivery, emit emit) {
				stateset([]string{node.DeliveryStarting, node.DeliveryOK, node.DeliveryRetrying, node.DeliveryOpen, node.DeliveryStalled},
					d.State, emit, d.Name)
			})},
		{name: "nodewatch_reports_total", kind: counter, labels: label,
			help: "Number of reports that the reporter has delivered.",
			read: eachReporter(func(d node.Delivery, emit emit) { emit(float64(d.Done), d.Name) })},
		{name: "nodewatch_report_failures_total", kind: counter, labels: []string{"reporter", "reason"},
			help: "Number of failed deliveries, by kind of failure.",
			read: eachReporter(func(d node.Delivery, emit emit) {
				for _, kind := range slices.Sorted(maps.Keys(d.Failed)) {
					emit(float64(d.Failed[kind]), d.Name, kind)
				}
			})},
		{name: "nodewatch_report_last_success_timestamp_seconds", kind: gauge, labels: label,
			help: "Time of the last delivery that succeeded; no sample if none has.",
			read: eachReporter(func(d node.Delivery, emit emit) {
				if !d.Last.IsZero() {
					emit(unix(d.Last), d.Name)
				}
			})},
		{name: "nodewatch_report_queue_length", kind: gauge, labels: label,
			help: "Number of transitions that wait for the backend's acknowledgement.",
			read: eachReporter(func(d node.Delivery, emit emit) { emit(float64(d.Waiting), d.Name) })},
		{name: "nodewatch_report_unsaved_transitions", kind: gauge, labels: label,
			help: "Number of waiting transitions that are not on disk and would be lost if nodewatch were killed.",
			read: eachReporter(func(d node.Delivery, emit emit) { emit(float64(d.Unsaved), d.Name) })},
		{name: "nodewatch_report_dropped_transitions_total", kind: counter, labels: label,
			help: "Number of transitions that were dropped because the queue was full.",
			read: eachReporter(func(d node.Delivery, emit emit) { emit(float64(d.Dropped), d.Name) })},
		{name: "nodewatch_report_keep_failed", kind: gauge, labels: label,
			help: "1 if the reporter's state could not be written to the state directory.",
			read: eachReporter(func(d node.Delivery, emit emit) { emit(truth(d.PersistErr != ""), d.Name) })},
	}
}

// eachReporter reads a metric from every reporter.
func eachReporter(read func(d node.Delivery, emit emit)) func(*picture, emit) {
	return func(p *picture, emit emit) {
		for _, d := range p.Deliveries.Value {
			read(d, emit)
		}
	}
}

func overrideFamilies() []family {
	return []family{
		{name: "nodewatch_maintenance", kind: gauge,
			help: "1 while the node is under maintenance.",
			read: func(p *picture, emit emit) { emit(truth(p.Report.Maintenance != nil)) }},
		{name: "nodewatch_finding_accepted", kind: gauge, labels: []string{"rule", "subject"},
			help: "1 for each raised finding that an operator has acknowledged until a date; at most 50 per rule.",
			read: func(p *picture, emit emit) {
				named := map[string]int{}
				for _, f := range p.Report.Findings {
					if f.Accepted == nil {
						continue
					}
					if named[f.Rule]++; named[f.Rule] <= maxSubjects {
						emit(1, f.Rule, sanitize(f.Subject))
					}
				}
			}},
	}
}
