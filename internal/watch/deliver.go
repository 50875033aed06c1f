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

// How often a delivery that failed is tried again: the wait is drawn by chance
// up to a bound that doubles from the first to the most. After breakAfter failures
// without a success the circuit is open: one attempt each againMost or a little
// more, whatever changes. One that somebody must mend opens it at once, for mendFor.
const (
	againFirst      = time.Second
	againMost       = time.Minute
	breakAfter      = 8
	mendFor         = 5 * time.Minute
	staleAfter      = 3               // in a row: somebody else speaks for this node
	shutdownTimeout = 2 * time.Second // that a reporter has for its last Report
)

// A Delivery is one reporter, and how it is used.
type Delivery struct {
	Name     string // as configured
	Backend  string
	Reporter report.Reporter
	Every    time.Duration // the state is told again this often
	Deadline time.Duration // for one attempt
	Filter   report.Filter
}

// A deliverer hands Reports to one reporter. Everything but the mailbox and the
// account is its goroutine's own.
type deliverer struct {
	Delivery
	clock   clock
	mail    atomic.Pointer[report.Report] // the newest Report
	handled atomic.Pointer[report.Report] // the latest that the backend knows, or has failed to take
	wake    chan struct{}                 // one place: there is mail
	keep    chan struct{}                 // one place: something may have to be kept
	done    chan struct{}                 // closed once the last delivery is over
	kept    chan struct{}                 // closed once the last is kept
	next    time.Time                     // when the state is told again though nothing has changed
	holdOff time.Time                     // no attempt before
	told    string                        // what of the Report the backend knows
	seen    string                        // what of the latest Report it should know
	row     int                           // failures without a success
	stale   int                           // deliveries in a row that the backend knew better than

	mu      sync.Mutex
	account node.Delivery
	began   time.Time // of the attempt under way; zero if there is none
}

func newDeliverer(d Delivery, c clock) *deliverer {
	x := &deliverer{Delivery: d, clock: c, wake: make(chan struct{}, 1), keep: make(chan struct{}, 1), done: make(chan struct{}), kept: make(chan struct{})}
	x.account = node.Delivery{Name: d.Name, Backend: d.Backend, State: node.DeliveryStarting, Since: c.now(), Failed: map[string]uint64{}, Deadline: d.Deadline}
	return x
}

// take puts a Report into the mailbox. It never blocks; a Report that is still
// there is replaced.
func (d *deliverer) take(r *report.Report) {
	d.mail.Store(r)
	poke(d.wake)
	poke(d.keep) // also while a delivery is under way
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run delivers until ctx ends, and then reports that nodewatch stops.
func (d *deliverer) run(ctx context.Context, node string) {
	defer close(d.done)
	for {
		select {
		case <-ctx.Done():
			d.last(context.WithoutCancel(ctx))
			return
		case <-d.wake:
		}
		mail := d.mail.Load()
		r := d.Filter.Apply(*mail)
		now := d.clock.now()
		if d.seen = gist(r); d.seen == d.told && now.Before(d.next) {
			d.handled.Store(mail)
			continue
		}
		if now.Before(d.holdOff) {
			continue
		}
		d.attempt(ctx, r)
		d.handled.Store(mail)
		d.next = following(now, d.every(), node+"/"+d.Name)
		poke(d.keep)
	}
}

// settled reports whether there is nothing new to tell.
func (d *deliverer) settled() bool {
	mail := d.mail.Load()
	return mail == nil || d.handled.Load() == mail
}

// every is how often the state is told again: as configured, or slower if the
// backend has asked for that.
func (d *deliverer) every() time.Duration {
	if p, ok := d.Reporter.(report.Paced); ok {
		return max(d.Every, p.Every())
	}
	return d.Every
}

// attempt makes one delivery.
func (d *deliverer) attempt(ctx context.Context, r report.Report) {
	d.mu.Lock()
	d.began = d.clock.now()
	d.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, d.Deadline)
	defer cancel()
	_, err := guarded(bounded, func(ctx context.Context) (struct{}, error) { return struct{}{}, d.Reporter.Report(ctx, r) })
	if ctx.Err() != nil && err != nil {
		d.mu.Lock()
		d.began = time.Time{}
		d.mu.Unlock()
		return // interrupted by the end, not failed
	}
	now := d.clock.now()
	f := report.FailureOf(err)
	d.stale++
	if f == nil || f.Kind != report.Stale {
		d.stale = 0
	}
	wait := d.after(f)
	d.holdOff = now.Add(wait)
	if f == nil || f.Kind == report.Partial || f.Kind == report.Stale {
		d.told = d.seen
	}
	d.note(f, now)
}

// after is how long to leave the backend alone after a delivery that failed with f.
func (d *deliverer) after(f *report.Failure) time.Duration {
	if f == nil || f.Kind == report.Partial || f.Kind == report.Stale {
		d.row = 0
		return 0
	}
	d.row++
	switch {
	case f.Kind == report.Misconfigured:
		return mendFor + rand.N(mendFor/2)
	case f.Kind == report.Throttled && f.After > 0:
		return f.After + rand.N(max(f.After/4, time.Second))
	case f.Kind == report.Throttled:
		return againMost/2 + rand.N(againMost/2)
	}
	if d.row >= breakAfter {
		return againMost + rand.N(againMost/2)
	}
	return againFirst/2 + rand.N(min(againFirst<<(d.row-1), againMost))
}

// note accounts for one attempt.
func (d *deliverer) note(f *report.Failure, now time.Time) {
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
	case f.Kind == report.Misconfigured, d.row >= breakAfter:
		state = node.DeliveryOpen
	default:
		state = node.DeliveryRetrying
	}
	if a.State != state {
		a.State, a.Since = state, now
	}
}

// last reports that nodewatch stops, if the backend has ever been reached.
func (d *deliverer) last(ctx context.Context) {
	mail := d.mail.Load()
	if mail == nil || d.account.Last.IsZero() {
		return
	}
	r := d.Filter.Apply(*mail)
	r.Final = "nodewatch stops"
	bounded, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	_, err := guarded(bounded, func(ctx context.Context) (struct{}, error) { return struct{}{}, d.Reporter.Report(ctx, r) })
	d.note(report.FailureOf(err), d.clock.now())
}

// keeps keeps what must not be lost, whenever there may be something new, and
// after the last delivery; a write that hangs holds up only what it would have kept.
func (d *deliverer) keeps(ctx context.Context, k report.Keeper) {
	defer close(d.kept)
	for {
		select {
		case <-d.done:
			d.save(ctx, k)
			return
		case <-d.keep:
			d.save(ctx, k)
		}
	}
}

func (d *deliverer) save(ctx context.Context, k report.Keeper) {
	mail := d.mail.Load()
	if mail == nil {
		return
	}
	r := d.Filter.Apply(*mail)
	_, err := guarded(ctx, func(context.Context) (struct{}, error) { return struct{}{}, k.Keep(r) })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.account.KeepErr = ""
	if err != nil {
		d.account.KeepErr = err.Error()
	}
}

// state is the account as it stands.
func (d *deliverer) state() node.Delivery {
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
		a.State, a.Since, a.Error = node.DeliveryStalled, late, fmt.Sprintf("an attempt has not come back since %s", d.began.Format(time.TimeOnly))
	}
	return a
}

// following is the next time after now at which the state is told again: each
// node and reporter has a phase of its own, so that a fleet does not speak at once.
func following(now time.Time, every time.Duration, who string) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(who))
	phase := time.Duration(h.Sum64() % uint64(max(every, 1)))
	next := now.Truncate(every).Add(phase)
	if !next.After(now) {
		next = next.Add(every)
	}
	return next
}
