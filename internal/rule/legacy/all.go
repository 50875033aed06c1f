package legacy

// All returns every rule, with default thresholds of its own, in the order in
// which findings of equal severity are reported.
func All() []Rule {
	storms := newStormLimits()
	return []Rule{
		krbdRetryStorm(storms),
		layer2BondKrbd(storms),
		cephUnreachable(),
		krbdStalled(),
		krbdIOError(),
		bondDegraded(),
		vmPaused(),
		libcephCRC(),
		libcephSessionLoop(),
		krbdNoRxbounce(),
		bondLACP(),
		nicDrops(),
		nicSaturated(),
		bondImbalance(),
		hostIOPressure(),
		kmsgLost(),
		sourceStalled(),
		reportUndelivered(),
		bondHashLayer2(),
		krbdSharedFate(),
		kernelKnownBug(),
	}
}
