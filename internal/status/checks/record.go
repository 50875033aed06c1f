package checks

import (
	"context"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
)

// renewEvery is how often the lease is renewed while no result is recorded.
const renewEvery = 5 * time.Second

// An outcome is the state of a check that is to be recorded.
type outcome struct {
	name  string
	state Result
	since time.Time // of state
	at    time.Time // time of the latest result
	until time.Time // when the state becomes unknown without another result
}

// Record takes or renews the lease and records the results since the previous call.
// It must be called every second or two.
func (r *Runner) Record(ctx context.Context, leaseFor time.Duration) error {
	list, held := r.pending(time.Now())
	if list == nil && held {
		return nil
	}
	var (
		mine     bool
		recorded map[string]uptime.Change
	)
	err := r.store.Update(ctx, func(tx *store.Tx) (err error) {
		if mine, err = tx.Lease(ctx, "checks", r.holder, leaseFor); err != nil || !mine {
			return err
		}
		if recorded, err = tx.States(ctx, store.Checked, ""); err != nil {
			return err
		}
		for _, o := range list {
			if err := record(ctx, tx, o, recorded); err != nil {
				return err
			}
		}
		return nil
	})
	r.recorded(list, recorded, mine, err)
	return err
}

// record writes a state if it differs from the recorded one.
func record(ctx context.Context, tx *store.Tx, o outcome, recorded map[string]uptime.Change) error {
	id, err := tx.Signal(ctx, store.Key{Kind: store.Checked, Name: o.name}, store.Signal{Summary: o.state.Detail, Expires: o.until})
	if err != nil {
		return err
	}
	last, known := recorded[o.name]
	if o.state.State == "" || known && last.State == o.state.State && last.Reason == o.state.Reason {
		return nil
	}
	at := o.since
	if known && !at.After(last.At) {
		at = o.at // the state continued, but another one was recorded in the meantime
	}
	return tx.Rewrite(ctx, id, at, uptime.Timeline{{At: at, State: o.state.State, Reason: o.state.Reason}})
}

// pending returns the outcomes to record. nil and true: there are none, and the lease
// need not be renewed yet.
func (r *Runner) pending(now time.Time) (list []outcome, held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, e := range r.list {
		if e.dirty && r.holds {
			// Like a node's TTL: two runs may be missed.
			list = append(list, outcome{name: name, state: e.streak.now, since: e.streak.since, at: e.at,
				until: e.at.Add(3*e.check.Every + 10*time.Second)})
			e.dirty = false
		}
	}
	return list, r.holds && now.Sub(r.renewed) < renewEvery
}

// recorded applies the result of recording. A hub that gets the lease continues from
// the state that the previous hub recorded.
func (r *Runner) recorded(list []outcome, states map[string]uptime.Change, mine bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		for _, o := range list {
			if e := r.list[o.name]; e != nil {
				e.dirty = true
			}
		}
		return
	}
	if mine && !r.holds {
		for name, e := range r.list {
			was := states[name]
			e.streak = streak{now: Result{State: was.State, Reason: was.Reason}, since: was.At}
		}
	}
	if r.holds = mine; mine {
		r.renewed = time.Now()
	}
}
