package node

// A Launcher is the state of the process that starts nodewatch's programs.
type Launcher struct {
	Restarts   int `json:"restarts"`    // 1 once the spare launcher has taken over
	Running    int `json:"running"`     // number of running programs
	LeftBehind int `json:"left_behind"` // number of programs that were killed and have not ended: they sleep in the kernel
}

// SawLauncher is a response of the launcher.
type SawLauncher struct{ Reading[Launcher] }

// Apply implements Observation.
func (o SawLauncher) Apply(s Snapshot) Snapshot {
	s.Launcher = o.after(s.Launcher)
	return s.recordReading(SourceLauncher, o.At, o.Every, s.Launcher.Err)
}
