package intake

import (
	"maps"
	"sync"
	"sync/atomic"
)

// counts contains the counters of the intake since its start.
type counts struct {
	taken    atomic.Uint64
	unknown  atomic.Uint64
	pushed   atomic.Uint64
	alerts   atomic.Uint64
	ignored  atomic.Uint64
	failures atomic.Uint64

	mu    sync.Mutex
	codes map[int]uint64
}

func (c *counts) refused(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.codes == nil {
		c.codes = map[int]uint64{}
	}
	c.codes[code]++
}

// A Count contains the figures of the intake since its start.
type Count struct {
	Taken    uint64         // acknowledged reports
	Refused  map[int]uint64 // refused requests, by HTTP status
	Pushed   uint64         // pushed component states
	Alerts   uint64         // accepted alerts
	Ignored  uint64         // alerts that name no component
	Unknown  uint64         // report fields that this version does not know
	Failures uint64         // transactions that the store failed to execute
	Waiting  int            // reports that are waiting for the store now
}

// Count returns the figures of the intake.
func (i *Intake) Count() Count {
	i.counts.mu.Lock()
	defer i.counts.mu.Unlock()
	return Count{Taken: i.counts.taken.Load(), Refused: maps.Clone(i.counts.codes), Unknown: i.counts.unknown.Load(),
		Pushed: i.counts.pushed.Load(), Alerts: i.counts.alerts.Load(), Ignored: i.counts.ignored.Load(),
		Failures: i.counts.failures.Load(), Waiting: len(i.queue)}
}

// failed counts and reports a failure of the store.
func (i *Intake) failed(err error) {
	i.counts.failures.Add(1)
	i.config.Failed(err)
}
