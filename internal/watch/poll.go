package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
)

// wakeGap is the minimum time between two reads triggered by wake-ups.
const wakeGap = time.Second

// A poller polls one source. All its fields are accessed by its own goroutine; only
// the read runs on another one.
type poller[T any] struct {
	Polling[T]
	clock   clock
	observe func(node.Observation)
	done    chan node.Reading[T]
	began   time.Time // start of the read in progress; zero if there is none
	last    time.Time // when the latest read began
	again   bool      // woken during a read or too early
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

// pause returns the time from the start of the current read to the next one.
func (p *poller[T]) pause() time.Duration {
	if p.again && p.began.IsZero() && p.Settle > 0 {
		return min(p.Settle, p.Every)
	}
	return p.Every
}

// start begins a read, or reports that the one in progress is late.
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
		p.done <- reading(p.Polling, began, value, err) // never blocks: at most one read, and the channel holds one value
	}(p.began)
}

// wake starts the next read early, if one has been requested and none is in progress.
func (p *poller[T]) wake(next *time.Timer) {
	if p.again && p.began.IsZero() {
		next.Reset(max(0, wakeGap-p.clock.now().Sub(p.last)))
	}
}

func (p *poller[T]) reportStalled() {
	text := fmt.Sprintf("a read has not returned since %s", p.began.Format(time.TimeOnly))
	p.observe(p.As(failedReading(p.Polling, node.Stalled, p.began, text)))
}
