package metrics

func launcherFamilies() []family {
	known := func(p *picture) bool { return !p.Launcher.At.IsZero() || p.Launcher.Err != nil }
	count := func(value func(p *picture) int) func(*picture, emit) {
		return func(p *picture, emit emit) {
			if known(p) {
				emit(float64(value(p)))
			}
		}
	}
	return []family{
		{name: "nodewatch_launcher_up", kind: gauge,
			help: "1 if the launcher, which starts the probe, nodewatch-ceph and exec reporters, responds; 0 if it has ended or hangs.",
			read: func(p *picture, emit emit) {
				if known(p) {
					emit(truth(p.Launcher.Err == nil))
				}
			}},
		{name: "nodewatch_launcher_restarts_total", kind: counter,
			help: "Number of times that a launcher has replaced one that ended: at most 1 until nodewatch is restarted.",
			read: count(func(p *picture) int { return p.Launcher.Value.Restarts })},
		{name: "nodewatch_launcher_children_running", kind: gauge,
			help: "Number of running programs that the launcher has started, as of its latest response.",
			read: count(func(p *picture) int { return p.Launcher.Value.Running })},
		{name: "nodewatch_launcher_children_left_behind", kind: gauge,
			help: "Number of killed programs that have not ended because they are in uninterruptible sleep, as of the launcher's latest response.",
			read: count(func(p *picture) int { return p.Launcher.Value.LeftBehind })},
	}
}
