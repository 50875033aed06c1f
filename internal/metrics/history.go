package metrics

func historyFamilies() []family {
	return []family{
		{name: "nodewatch_history_bytes", kind: gauge,
			help: "Memory used for the last hour of traffic, I/O and lost sessions in the page's charts, in bytes; at most 4 MiB.",
			read: func(p *picture, emit emit) { emit(float64(p.History.Bytes)) }},
		{name: "nodewatch_history_nics_left_out", kind: gauge,
			help: "Number of NICs without a history, because more than 64 are watched.",
			read: func(p *picture, emit emit) { emit(float64(p.History.LeftOut)) }},
	}
}
