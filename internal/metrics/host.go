package metrics

func hostFamilies() []family {
	return []family{
		{name: "nodewatch_host_info", kind: gauge, labels: []string{"release"},
			help: "Always 1; release is the running kernel's, as in uname -r. No sample until it is known.",
			read: func(p *picture, emit emit) {
				if release := p.Host.Value.Release; release != "" {
					emit(1, sanitize(release))
				}
			}},
		{name: "nodewatch_host_io_pressure_ratio", kind: gauge, labels: []string{"kind"},
			help: "Fraction of the last ten seconds in which some, or all, of the non-idle tasks were stalled on I/O.",
			read: func(p *picture, emit emit) {
				if io := p.Host.Value.IO; io != nil {
					emit(io.Some10/100, "some")
					emit(io.Full10/100, "full")
				}
			}},
		{name: "nodewatch_host_waiting_tasks", kind: gauge,
			help: "Number of threads in uninterruptible sleep; no sample while pressure and load are low, because they are not counted then.",
			read: func(p *picture, emit emit) {
				if w := p.Host.Value.Waiting; w != nil {
					emit(float64(w.Total))
				}
			}},
		{name: "nodewatch_host_hung_tasks_total", kind: counter,
			help: "Number of hung tasks that the kernel has detected since boot; only if the kernel counts them.",
			read: func(p *picture, emit emit) {
				if h := p.Host.Value.Hung; h != nil {
					emit(float64(*h))
				}
			}},
	}
}
