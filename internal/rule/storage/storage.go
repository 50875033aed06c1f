// Package storage contains the rules about krbd, libceph and the path to the Ceph
// cluster, one file each. Shared code is in storm.go (session loops with stalled
// I/O), evidence.go and advice.go.
package storage

import "github.com/nodewatch/nodewatch/internal/rule"

// Rules returns the rules, with their own default thresholds, in the order in which
// findings of equal severity are reported.
func Rules() []rule.Rule {
	storms, stalls := newStormLimits(), newStalledLimits()
	return []rule.Rule{
		layer2BondKrbd(storms, newCongestionLimits()),
		krbdRetryStorm(storms),
		cephUnreachable(stalls),
		cephRefused(),
		krbdStalled(stalls),
		krbdIOError(),
		krbdNICSaturated(newCongestionLimits()),
		krbdSlow(),
		krbdResend(),
		libcephCRC(),
		libcephSessionLoop(),
		cephMap(stalls),
		krbdMapFailed(),
		krbdNoRxbounce(),
		krbdSharedFate(),
		kernelKnownBug(),
	}
}
