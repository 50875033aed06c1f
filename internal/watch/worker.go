package watch

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// The parameters of retries after a failed delivery. The wait is random, up to a bound
// that doubles from retryFirst to retryMax. After breakAfter failures without a
// success the circuit is open: about one attempt per retryMax, even if the state
// changes. A misconfiguration opens it at once, for misconfiguredWait.
const (
	retryFirst        = time.Second
	retryMax          = time.Minute
	breakAfter        = 8
	misconfiguredWait = 5 * time.Minute
	staleAfter        = 3               // consecutive deliveries: another instance reports for this node
	shutdownTimeout   = 2 * time.Second // time that a reporter has for its last Report
)

// A Delivery is one reporter with its delivery settings.
type Delivery struct {
	Name     string // as in the configuration
	Backend  string
	Reporter report.Reporter
	Every    time.Duration // interval of repeated deliveries of the state
	Deadline time.Duration // timeout of one attempt
	Filter   report.Filter
}

// A worker passes Reports to one reporter. Everything but the mailbox and the status
// is accessed by its own goroutine only.
type worker struct {
	Delivery
	clock               clock
	latest              atomic.Pointer[report.Report] // the newest Report
	handled             atomic.Pointer[report.Report] // the latest Report that the backend has accepted or failed to accept
	wake                chan struct{}                 // capacity 1: there is a Report
	persist             chan struct{}                 // capacity 1: state may have to be persisted
	done                chan struct{}                 // closed after the last delivery
	persisted           chan struct{}                 // closed after the last write
	next                time.Time                     // time of the next delivery of an unchanged state
	notBefore           time.Time                     // earliest time of the next attempt
	deliveredKey        string                        // fingerprint of the Report that the backend has
	currentKey          string                        // fingerprint of the latest Report, which it should have
	consecutiveFailures int                           // failures since the last success
	stale               int                           // consecutive deliveries for which the backend had newer data

	mu      sync.Mutex
	account node.Delivery
	began   time.Time // start of the attempt in progress; zero if there is none
}

func newWorker(d Delivery, c clock) *worker {
	x := &worker{Delivery: d, clock: c, wake: make(chan struct{}, 1), persist: make(chan struct{}, 1), done: make(chan struct{}),
		persisted: make(chan struct{})}
	x.account = node.Delivery{Name: d.Name, Backend: d.Backend, State: node.DeliveryStarting, Since: c.now(), Failed: map[string]uint64{},
		Deadline: d.Deadline}
	return x
}

// enqueue puts a Report into the mailbox, and replaces the one that may still be
// there. It never blocks.
func (d *worker) enqueue(r *report.Report) {
	d.latest.Store(r)
	signal(d.wake)
	signal(d.persist) // also during a delivery
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run delivers until ctx ends, and then reports the shutdown.
func (d *worker) run(ctx context.Context, node string) {
	defer close(d.done)
	for {
		select {
		case <-ctx.Done():
			d.reportFinal(context.WithoutCancel(ctx))
			return
		case <-d.wake:
		}
		latest := d.latest.Load()
		r := d.Filter.Apply(*latest)
		now := d.clock.now()
		if d.currentKey = fingerprint(r); d.currentKey == d.deliveredKey && now.Before(d.next) {
			d.handled.Store(latest)
			continue
		}
		if now.Before(d.notBefore) {
			continue
		}
		d.attempt(ctx, r)
		d.handled.Store(latest)
		d.next = nextPhase(now, d.every(), node+"/"+d.Name)
		signal(d.persist)
	}
}

// settled reports whether there is nothing new to deliver.
func (d *worker) settled() bool {
	latest := d.latest.Load()
	return latest == nil || d.handled.Load() == latest
}

// every returns the interval of repeated deliveries: as configured, or longer if the
// backend has asked for that.
func (d *worker) every() time.Duration {
	if p, ok := d.Reporter.(report.Paced); ok {
		return max(d.Every, p.Every())
	}
	return d.Every
}

// attempt makes one delivery.
func (d *worker) attempt(ctx context.Context, r report.Report) {
	d.mu.Lock()
	d.began = d.clock.now()
	d.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, d.Deadline)
	defer cancel()
	_, err := withRecover(bounded, func(ctx context.Context) (struct{}, error) { return struct{}{}, d.Reporter.Report(ctx, r) })
	if ctx.Err() != nil && err != nil {
		d.mu.Lock()
		d.began = time.Time{}
		d.mu.Unlock()
		return // interrupted by the shutdown, not failed
	}
	now := d.clock.now()
	f := report.FailureOf(err)
	d.stale++
	if f == nil || f.Kind != report.Stale {
		d.stale = 0
	}
	wait := d.after(f)
	d.notBefore = now.Add(wait)
	if f == nil || f.Kind == report.Partial || f.Kind == report.Stale {
		d.deliveredKey = d.currentKey
	}
	d.note(f, now)
}

// after returns the wait after a delivery that failed with f.
func (d *worker) after(f *report.Failure) time.Duration {
	if f == nil || f.Kind == report.Partial || f.Kind == report.Stale {
		d.consecutiveFailures = 0
		return 0
	}
	d.consecutiveFailures++
	switch {
	case f.Kind == report.Misconfigured:
		return misconfiguredWait + rand.N(misconfiguredWait/2)
	case f.Kind == report.Throttled && f.After > 0:
		return f.After + rand.N(max(f.After/4, time.Second))
	case f.Kind == report.Throttled:
		return retryMax/2 + rand.N(retryMax/2)
	}
	if d.consecutiveFailures >= breakAfter {
		return retryMax + rand.N(retryMax/2)
	}
	return retryFirst/2 + rand.N(min(retryFirst<<(d.consecutiveFailures-1), retryMax))
}

// note records the result of one attempt.
func (d *worker) note(f *report.Failure, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.began = time.Time{}
	state := node.DeliveryOK
	a := &d.account
	a.Error, a.Kind = "", ""
	if f != nil {
		a.Error, a.Kind = f.Err.Error(), string(f.Kind)
		a.Failed[a.Kind]++
	}
	switch {
	case d.stale >= staleAfter:
		state = node.DeliveryOpen
	case f == nil, f.Kind == report.Partial, f.Kind == report.Stale:
		a.Done++
		a.Last = now
	case f.Kind == report.Misconfigured, d.consecutiveFailures >= breakAfter:
		state = node.DeliveryOpen
	default:
		state = node.DeliveryRetrying
	}
	if a.State != state {
		a.State, a.Since = state, now
	}
}

// reportFinal reports the shutdown, if the backend has ever been reached.
func (d *worker) reportFinal(ctx context.Context) {
	latest := d.latest.Load()
	if latest == nil || d.account.Last.IsZero() {
		return
	}
	r := d.Filter.Apply(*latest)
	r.Final = "nodewatch stops"
	bounded, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	_, err := withRecover(bounded, func(ctx context.Context) (struct{}, error) { return struct{}{}, d.Reporter.Report(ctx, r) })
	d.note(report.FailureOf(err), d.clock.now())
}

// persistLoop persists the reporter's state whenever it may have changed, and after
// the last delivery. A write that hangs delays only further writes.
func (d *worker) persistLoop(ctx context.Context, k report.Persister) {
	defer close(d.persisted)
	for {
		select {
		case <-d.done:
			d.persistNow(ctx, k)
			return
		case <-d.persist:
			d.persistNow(ctx, k)
		}
	}
}

func (d *worker) persistNow(ctx context.Context, k report.Persister) {
	latest := d.latest.Load()
	if latest == nil {
		return
	}
	r := d.Filter.Apply(*latest)
	_, err := withRecover(ctx, func(context.Context) (struct{}, error) { return struct{}{}, k.Persist(r) })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.account.PersistErr = ""
	if err != nil {
		d.account.PersistErr = err.Error()
	}
}

// state returns a copy of the delivery status.
func (d *worker) state() node.Delivery {
	var q report.Queue
	if queued, ok := d.Reporter.(report.Queuer); ok {
		q = queued.Queue()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.account
	a.Failed = make(map[string]uint64, len(d.account.Failed))
	for kind, n := range d.account.Failed {
		a.Failed[kind] = n
	}
	a.Waiting, a.Unsaved, a.Dropped = q.Waiting, q.Unsaved, q.Dropped
	if late := d.began.Add(d.Deadline + 5*time.Second); !d.began.IsZero() && d.clock.now().After(late) {
		a.State, a.Since, a.Error = node.DeliveryStalled, late, fmt.Sprintf("an attempt has not returned since %s",
			d.began.Format(time.TimeOnly))
	}
	return a
}

// nextPhase returns the next time after now at which the state is delivered again: each
// node and reporter has its own phase, so that a fleet does not report all at once.
func nextPhase(now time.Time, every time.Duration, who string) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(who))
	phase := time.Duration(h.Sum64() % uint64(max(every, 1)))
	next := now.Truncate(every).Add(phase)
	if !next.After(now) {
		next = next.Add(every)
	}
	return next
}
