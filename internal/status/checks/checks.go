// Package checks probes services by HTTP, TCP, DNS and TLS with the probers of the
// blackbox exporter, and by ICMP. It probes only what the configuration names.
package checks

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// tick is the interval at which Run looks for due checks.
const tick = 200 * time.Millisecond

// A Runner runs the checks of one hub while that hub has the lease.
type Runner struct {
	store  *store.Store
	holder string // name of this hub, as the holder of the lease

	mu       sync.Mutex
	list     map[string]*entry // by component
	budget   int
	running  int
	holds    bool      // the lease
	renewed  time.Time // when the lease was last renewed
	runs     map[int]uint64
	finished chan struct{} // receives a value when a check ends, so that the next one starts at once
}

// An entry is one check.
type entry struct {
	check   config.Check
	next    time.Time
	running bool
	took    time.Duration
	last    Result
	at      time.Time // time of last; zero: the check has not run
	dirty   bool      // last is not yet stored
	streak  streak
}

// New returns a Runner without checks. holder names the hub.
func New(s *store.Store, holder string) *Runner {
	return &Runner{store: s, holder: holder, list: map[string]*entry{}, runs: map[int]uint64{good: 0, bad: 0, blind: 0},
		finished: make(chan struct{}, 1)}
}

// Set replaces the checks by those of the configuration. A check whose probe is
// unchanged keeps its state.
func (r *Runner) Set(c config.Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.list
	r.list, r.budget = map[string]*entry{}, c.Checks.Concurrent
	for _, g := range c.Groups {
		for _, k := range g.Components {
			if k.Check == nil {
				continue
			}
			e := was[k.ID]
			if e == nil || e.check.Prober != k.Check.Prober || e.check.Address != k.Check.Address {
				e = &entry{}
			}
			if e.check.Every != k.Check.Every {
				e.next = time.Now()
			}
			e.check = *k.Check
			r.list[k.ID] = e
		}
	}
}

// Run runs the checks until ctx ends.
func (r *Runner) Run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for {
		for _, e := range r.due(time.Now()) {
			running.Go(func() { r.run(ctx, e) })
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-r.finished:
		}
	}
}

// due returns the checks to start now, the most overdue first, at most as many as may
// run in addition to the running ones.
func (r *Runner) due(now time.Time) (list []*entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.holds {
		return nil
	}
	for _, e := range r.list {
		if !e.running && !e.next.After(now) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return a.next.Compare(b.next) })
	list = list[:min(len(list), max(r.budget-r.running, 0))]
	for _, e := range list {
		e.running = true
	}
	r.running += len(list)
	return list
}

func (r *Runner) run(ctx context.Context, e *entry) {
	r.mu.Lock()
	k := e.check
	r.mu.Unlock()
	begin := time.Now()
	result := probe(ctx, k)
	r.mu.Lock()
	r.running--
	e.running = false
	if e.at.IsZero() {
		e.next = begin.Add(rand.N(k.Every)) // all run once at the start and are then spread over their interval
	} else {
		e.next = begin.Add(k.Every - k.Every/10 + rand.N(k.Every/5)) // so that checks do not run in step
	}
	if ctx.Err() == nil && r.holds {
		e.took, e.last, e.at, e.dirty = time.Since(begin), result, begin, true
		e.streak.add(result, begin)
		r.runs[result.kind()]++
	}
	r.mu.Unlock()
	select {
	case r.finished <- struct{}{}:
	default: // a signal to Run is already pending
	}
}

// A Latest is the latest known state of a check.
type Latest struct {
	Component string
	Asks      string // such as http https://webmail.example.org/
	Result
	State Result    // that counts
	Since time.Time // of State
	At    time.Time // time of Result; zero: the check has not run
	Took  time.Duration
}

// Counts contains the figures of a Runner.
type Counts struct {
	Good, Bad, Blind uint64        // results
	Overdue          time.Duration // delay of the most overdue check
	Active           bool          // this hub has the lease
}

// Latest returns the latest known states of all checks, by component.
func (r *Runner) Latest() (list []Latest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, e := range r.list {
		list = append(list, Latest{Component: name, Asks: e.check.Prober + " " + e.check.Address, Result: e.last, State: e.streak.now,
			Since: e.streak.since, At: e.at, Took: e.took})
	}
	slices.SortFunc(list, func(a, b Latest) int {
		if a.Component < b.Component {
			return -1
		}
		return 1
	})
	return list
}

// Count returns the figures at a time.
func (r *Runner) Count(now time.Time) Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := Counts{Good: r.runs[good], Bad: r.runs[bad], Blind: r.runs[blind], Active: r.holds}
	for _, e := range r.list {
		if late := now.Sub(e.next); r.holds && !e.running && late > c.Overdue {
			c.Overdue = late
		}
	}
	return c
}
