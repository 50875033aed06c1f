package watch

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
)

// A Log is a writer that never blocks: lines wait in a bounded queue for a
// goroutine that writes them, and are dropped and counted when it is full. A
// stuck journal must not stop the daemon.
type Log struct {
	queue   chan []byte
	dropped atomic.Uint64
}

// NewLog returns a Log that writes to w until ctx ends.
func NewLog(ctx context.Context, w io.Writer) *Log {
	l := &Log{queue: make(chan []byte, 512)}
	go func() {
		for {
			select {
			case line := <-l.queue:
				if n := l.dropped.Swap(0); n > 0 {
					fmt.Fprintf(w, "level=WARN msg=\"log lines dropped, as writing them was stuck\" lines=%d\n", n)
				}
				_, _ = w.Write(line)
			case <-ctx.Done():
				l.drain(w)
				return
			}
		}
	}()
	return l
}

// drain writes what waits.
func (l *Log) drain(w io.Writer) {
	for {
		select {
		case line := <-l.queue:
			_, _ = w.Write(line)
		default:
			return
		}
	}
}

// Write implements io.Writer. It never blocks and never fails.
func (l *Log) Write(line []byte) (int, error) {
	select {
	case l.queue <- append([]byte(nil), line...):
	default:
		l.dropped.Add(1)
	}
	return len(line), nil
}
