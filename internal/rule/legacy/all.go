package legacy

// All returns every rule, with default thresholds of its own, in the order in
// which findings of equal severity are reported.
func All() []Rule {
	return []Rule{
		bondDegraded(),
		vmPaused(),
		bondLACP(),
		nicDrops(),
		nicSaturated(),
		bondImbalance(),
		hostIOPressure(),
		kmsgLost(),
		sourceStalled(),
		reportUndelivered(),
		bondHashLayer2(),
	}
}
