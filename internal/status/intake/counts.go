package intake

import (
	"maps"
	"sync"
	"sync/atomic"
)

// counts are what the intake has done since it began.
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

// A Count is what the intake has done since it began.
type Count struct {
	Taken    uint64         // reports that were acknowledged
	Refused  map[int]uint64 // requests, by HTTP status
	Pushed   uint64         // components that were pushed
	Alerts   uint64         // alerts that were taken
	Ignored  uint64         // alerts that name no component
	Unknown  uint64         // fields of reports that this version does not know
	Failures uint64         // transactions that the store did not make
	Waiting  int            // reports that wait for the store now
}

// Count returns what the intake has done.
func (i *Intake) Count() Count {
	i.counts.mu.Lock()
	defer i.counts.mu.Unlock()
	return Count{Taken: i.counts.taken.Load(), Refused: maps.Clone(i.counts.codes), Unknown: i.counts.unknown.Load(), Pushed: i.counts.pushed.Load(), Alerts: i.counts.alerts.Load(), Ignored: i.counts.ignored.Load(), Failures: i.counts.failures.Load(), Waiting: len(i.queue)}
}

// failed notes that the store did not do what it was asked to.
func (i *Intake) failed(err error) {
	i.counts.failures.Add(1)
	i.config.Failed(err)
}
