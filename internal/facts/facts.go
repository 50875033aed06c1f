// Package facts derives typed values about a node from one Snapshot. It formats no
// text, makes no judgement, does no I/O and does not read the clock.
package facts

import (
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
)

// Facts are the values derived from one snapshot. Each value is computed at most
// once, when it is first requested; the results are shared and must not be changed.
// Facts are safe for concurrent use.
type Facts struct {
	node.Snapshot
	usual Baselines

	nics      func() []NIC
	byNIC     func() map[string]int
	stalls    func() []*Stall
	waits     func() []node.Wait
	devices   func() map[image]string
	latency   func() []Latency
	cluster   func() Cluster
	clients   func() []Client
	everyone  func() GuestSet
	exposure  func() Exposure
	runningOf func() running
	firstLoss func() time.Time
	lossLines func() lossLines

	mu     sync.Mutex
	losses map[time.Duration]*Losses
}

// New returns the facts of a snapshot, with the baseline latencies of its disks.
func New(s node.Snapshot, usual Baselines) *Facts {
	f := &Facts{Snapshot: s, usual: usual, losses: map[time.Duration]*Losses{}}
	f.nics = sync.OnceValue(f.findNICs)
	f.byNIC = sync.OnceValue(f.indexNICs)
	f.stalls = sync.OnceValue(f.findStalls)
	f.waits = sync.OnceValue(f.findWaits)
	f.devices = sync.OnceValue(f.findImageDevices)
	f.latency = sync.OnceValue(f.findLatency)
	f.cluster = sync.OnceValue(f.findCluster)
	f.clients = sync.OnceValue(f.findClients)
	f.everyone = sync.OnceValue(f.findEveryone)
	f.exposure = sync.OnceValue(func() Exposure { return f.ExposureOf(f.Mapped.Value) })
	f.runningOf = sync.OnceValue(f.findRunning)
	f.lossLines = sync.OnceValue(f.findLossLines)
	f.firstLoss = sync.OnceValue(f.findFirstLoss)
	return f
}

// AnyBlind reports whether one of the sources cannot be read now.
func (f *Facts) AnyBlind(sources ...string) bool {
	for _, name := range sources {
		if f.Blind(name) != nil {
			return true
		}
	}
	return false
}

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Earlier returns the earlier of two times.
func Earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
