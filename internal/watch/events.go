package watch

import (
	"context"
	"time"
)

// The waits between two attempts to follow events that have failed.
const (
	followAgainFirst = time.Second
	followAgainMost  = 30 * time.Second
)

// Events returns a channel that receives whenever follow calls changed; a change
// that finds another one waiting is folded into it. follow is started again, at
// growing intervals, when it fails: events only say "look again", so that one
// that was missed is made good by the next full reading.
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
			changed() // what happened while nobody followed is not known
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
