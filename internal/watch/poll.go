package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
)

// wakeGap is the least time between two reads that a wake-up asked for.
const wakeGap = time.Second

// A poller polls one source. Everything but the read itself is on its own goroutine.
type poller[T any] struct {
	Polling[T]
	clock   clock
	observe func(node.Observation)
	done    chan node.Reading[T]
	began   time.Time // of the read under way; zero if there is none
	last    time.Time // when the latest read began
	again   bool      // woken while a read was under way or too early
}

func (p *poller[T]) run(ctx context.Context) {
	next := time.NewTimer(0)
	late := time.NewTimer(time.Hour)
	late.Stop()
	defer next.Stop()
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			pause := p.pause()
			p.start(ctx, late)
			next.Reset(pause)
		case <-p.Wake:
			p.again = true
			p.wake(next)
		case r := <-p.done:
			p.began = time.Time{}
			late.Stop()
			p.observe(p.As(r))
			if r.Err == nil && p.More != nil && p.More(r.Value) {
				next.Reset(0)
			} else {
				p.wake(next)
			}
		case <-late.C:
			p.reportStalled()
		}
	}
}

// pause is how long after the read that begins now the next one is due.
func (p *poller[T]) pause() time.Duration {
	if p.again && p.began.IsZero() && p.Settle > 0 {
		return min(p.Settle, p.Every)
	}
	return p.Every
}

// start begins a read, or says that the one under way is late.
func (p *poller[T]) start(ctx context.Context, late *time.Timer) {
	if !p.began.IsZero() {
		if p.clock.now().Sub(p.began) >= p.Deadline {
			p.reportStalled()
		}
		return
	}
	p.began, p.again = p.clock.now(), false
	p.last = p.began
	late.Reset(p.Deadline)
	go func(began time.Time) {
		bounded, cancel := context.WithTimeout(ctx, p.Deadline)
		defer cancel()
		value, err := withRecover(bounded, p.Read)
		p.done <- reading(p.Polling, began, value, err) // never blocks: one read, one place
	}(p.began)
}

// wake brings the next read forward, if one has been asked for and none is under way.
func (p *poller[T]) wake(next *time.Timer) {
	if p.again && p.began.IsZero() {
		next.Reset(max(0, wakeGap-p.clock.now().Sub(p.last)))
	}
}

func (p *poller[T]) reportStalled() {
	text := fmt.Sprintf("a read has not returned since %s", p.began.Format(time.TimeOnly))
	p.observe(p.As(failedReading(p.Polling, node.Stalled, p.began, text)))
}
