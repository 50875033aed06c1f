package watch

import (
	"io"
	"sync/atomic"
	"time"
)

// A Log is a writer that never blocks: lines wait in a bounded queue for a goroutine
// that writes them, and are dropped and counted if it is full. A stuck journal must
// not stop the daemon.
type Log struct {
	queue   chan []byte
	closed  chan struct{}
	ended   chan struct{}
	dropped atomic.Uint64 // dropped lines since the last written one
	lost    atomic.Uint64 // dropped lines since the start
}

// logLines is the length of the queue in lines.
const logLines = 512

// NewLog returns a Log that writes to w until it is closed. note returns the line
// that reports n dropped lines; nil: drops are not reported.
func NewLog(w io.Writer, note func(n uint64) []byte) *Log {
	l := &Log{queue: make(chan []byte, logLines), closed: make(chan struct{}), ended: make(chan struct{})}
	put := func(line []byte) {
		if n := l.dropped.Swap(0); n > 0 && note != nil {
			_, _ = w.Write(note(n))
		}
		_, _ = w.Write(line)
	}
	go func() {
		defer close(l.ended)
		for {
			select {
			case line := <-l.queue:
				put(line)
				continue
			case <-l.closed:
			}
			select { // the rest of the queue is still written
			case line := <-l.queue:
				put(line)
			default:
				return
			}
		}
	}()
	return l
}

// Write implements io.Writer. It never blocks and never fails.
func (l *Log) Write(line []byte) (int, error) {
	select {
	case l.queue <- append([]byte(nil), line...):
	default:
		l.dropped.Add(1)
		l.lost.Add(1)
	}
	return len(line), nil
}

// Dropped returns the number of lines dropped since the start.
func (l *Log) Dropped() uint64 { return l.lost.Load() }

// Close waits until the queued lines are written, but at most for d. It must be
// called only once.
func (l *Log) Close(d time.Duration) {
	close(l.closed)
	select {
	case <-l.ended:
	case <-time.After(d):
	}
}
