package watch

import (
	"context"
	"sync/atomic"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/tape"
)

// A Recorder writes entries to a tape without ever blocking the loop: entries wait in
// a bounded queue, and those that find it full are dropped and counted on the tape.
type Recorder struct {
	queue chan node.Entry
	lost  atomic.Uint64
	over  atomic.Bool // writing has ended: further entries are dropped
	done  chan struct{}
	err   error // reason why writing ended; read after done
}

// NewRecorder returns a Recorder that writes to w until ctx ends or w fails, and then
// calls finish.
func NewRecorder(ctx context.Context, w *tape.Writer, finish func() error) *Recorder {
	r := &Recorder{queue: make(chan node.Entry, 1024), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = r.write(ctx, w)
		r.over.Store(true)
		if err := finish(); r.err == nil {
			r.err = err
		}
	}()
	return r
}

// write writes entries until ctx ends and the queue is empty, or w fails.
func (r *Recorder) write(ctx context.Context, w *tape.Writer) error {
	for {
		select {
		case e := <-r.queue:
			w.Skip(r.lost.Swap(0))
			if err := w.Write(e); err != nil {
				return err
			}
			continue
		default:
		}
		select {
		case e := <-r.queue:
			if err := w.Write(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// Record queues the entry. It never blocks.
func (r *Recorder) Record(e node.Entry) {
	if r.over.Load() {
		return
	}
	select {
	case r.queue <- e:
	default:
		r.lost.Add(1)
	}
}

// Wait waits until writing has ended, and returns the error if it ended early.
func (r *Recorder) Wait() error {
	<-r.done
	return r.err
}
