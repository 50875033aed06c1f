package metrics

import "github.com/nodewatch/nodewatch/internal/node"

func sourceFamilies() []family {
	label := []string{"source"}
	return []family{
		{name: "nodewatch_source_up", kind: gauge, labels: label,
			help: "1 if the source is available, 0 if not; no sample if it does not apply to this machine.",
			read: eachSource(func(s node.Source, state string, emit emit) {
				if state != string(node.Absent) {
					emit(truth(state == "ok"), s.Name)
				}
			})},
		{name: "nodewatch_source_partial", kind: gauge, labels: label,
			help: "1 if the source is available but incomplete; nodewatch sources shows the missing data and the remedy.",
			read: func(p *picture, emit emit) {
				for _, s := range p.Report.Sources {
					emit(truth(s.Partly != ""), s.Name)
				}
			}},
		{name: "nodewatch_source_absent", kind: gauge, labels: label,
			help: "1 if the source does not apply to this machine.",
			read: eachSource(func(s node.Source, state string, emit emit) { emit(truth(state == string(node.Absent)), s.Name) })},
		{name: "nodewatch_source_stalled", kind: gauge, labels: label,
			help: "1 if a read of the source has not returned by its deadline, or the source has been silent for several intervals.",
			read: eachSource(func(s node.Source, state string, emit emit) {
				emit(truth(state == string(node.Stalled) || state == "stale"), s.Name)
			})},
		{name: "nodewatch_source_blind_since_timestamp_seconds", kind: gauge, labels: label,
			help: "Time since which the source has been unavailable; no sample while it is available.",
			read: func(p *picture, emit emit) {
				for _, s := range p.Sources {
					if state, since := s.State(p.Started, p.Now); state != "ok" && state != string(node.Absent) {
						emit(unix(since), s.Name)
					}
				}
			}},
		{name: "nodewatch_source_last_success_timestamp_seconds", kind: gauge, labels: label,
			help: "Start of the latest successful reading; no sample if there was none.",
			read: func(p *picture, emit emit) {
				for _, s := range p.Sources {
					if !s.Last.IsZero() {
						emit(unix(s.Last), s.Name)
					}
				}
			}},
		{name: "nodewatch_source_failures_total", kind: counter, labels: label,
			help: "Number of failed readings of the source.",
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
