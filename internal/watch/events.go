package watch

import (
	"context"
	"time"
)

// The backoff after a failed attempt to follow events.
const (
	followAgainFirst = time.Second
	followAgainMost  = 30 * time.Second
)

// Events returns a channel that receives whenever follow calls changed; changes are
// merged while one is waiting to be received. If follow fails, it is restarted at
// growing intervals. A missed event is harmless because an event only triggers a full
// reading, and the next one includes the change.
func Events(ctx context.Context, follow func(ctx context.Context, changed func()) error) <-chan struct{} {
	wake := make(chan struct{}, 1)
	changed := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	go func() {
		wait := followAgainFirst
		for ctx.Err() == nil {
			began := time.Now()
			_, _ = withRecover(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, follow(ctx, changed) })
			changed() // events may have been missed while follow was not running
			if time.Since(began) > followAgainMost {
				wait = followAgainFirst
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			wait = min(2*wait, followAgainMost)
		}
	}()
	return wake
}
