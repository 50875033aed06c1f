package metrics

import "github.com/nodewatch/nodewatch/internal/node"

func sourceFamilies() []family {
	label := []string{"source"}
	return []family{
		{name: "nodewatch_source_up", kind: gauge, labels: label,
			help: "1 if the source can see now, 0 if it cannot; no sample if what it reads is not on this machine.",
			read: eachSource(func(s node.Source, state string, emit emit) {
				if state != string(node.Absent) {
					emit(truth(state == "ok"), s.Name)
				}
			})},
		{name: "nodewatch_source_partial", kind: gauge, labels: label,
			help: "1 if the source can be read but does not show everything; nodewatch sources says what is missing and how to fix it.",
			read: func(p *picture, emit emit) {
				for _, s := range p.Report.Sources {
					emit(truth(s.Partly != ""), s.Name)
				}
			}},
		{name: "nodewatch_source_absent", kind: gauge, labels: label,
			help: "1 if what the source reads is not on this machine.",
			read: eachSource(func(s node.Source, state string, emit emit) { emit(truth(state == string(node.Absent)), s.Name) })},
		{name: "nodewatch_source_stalled", kind: gauge, labels: label,
			help: "1 if a read of the source has not come back by its deadline, or the source has been silent for several rounds.",
			read: eachSource(func(s node.Source, state string, emit emit) {
				emit(truth(state == string(node.Stalled) || state == "stale"), s.Name)
			})},
		{name: "nodewatch_source_blind_since_timestamp_seconds", kind: gauge, labels: label,
			help: "Time since which the source cannot see; no sample while it can.",
			read: func(p *picture, emit emit) {
				for _, s := range p.Sources {
					if state, since := s.State(p.Started, p.Now); state != "ok" && state != string(node.Absent) {
						emit(unix(since), s.Name)
					}
				}
			}},
		{name: "nodewatch_source_last_success_timestamp_seconds", kind: gauge, labels: label,
			help: "Time at which the latest reading that gave a value began; no sample if there was none.",
			read: func(p *picture, emit emit) {
				for _, s := range p.Sources {
					if !s.Last.IsZero() {
						emit(unix(s.Last), s.Name)
					}
				}
			}},
		{name: "nodewatch_source_failures_total", kind: counter, labels: label,
			help: "Number of readings of the source that gave no value.",
			read: eachSource(func(s node.Source, _ string, emit emit) { emit(float64(s.Failures), s.Name) })},
	}
}

// eachSource reads a metric from every source and its state.
func eachSource(read func(s node.Source, state string, emit emit)) func(*picture, emit) {
	return func(p *picture, emit emit) {
		for _, s := range p.Sources {
			state, _ := s.State(p.Started, p.Now)
			read(s, state, emit)
		}
	}
}
