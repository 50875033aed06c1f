// Package watch contains all goroutines of the daemon and its only clock: sources
// that may block indefinitely, the main loop that nothing may block, and reporters.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
)

// A Source sends observations until ctx ends. It may block indefinitely: nothing waits
// for it.
type Source struct {
	Name  string
	Every time.Duration // the interval at which it normally reports
	About string        // what it reads, for `nodewatch sources`
	run   func(ctx context.Context, c clock, observe func(node.Observation))
}

// A Polling describes how one source is polled.
type Polling[T any] struct {
	Name     string
	About    string
	Every    time.Duration
	Deadline time.Duration   // a read that takes longer is late: the source is stalled until it returns
	Wake     <-chan struct{} // triggers a read when it receives, at most once a second; may be nil
	Settle   time.Duration   // delay of a second read after one that Wake triggered, as some changes send no event; 0 means Every
	Read     func(context.Context) (T, error)
	More     func(T) bool // whether to read again at once after this value, because more data is available; may be nil
	As       func(node.Reading[T]) node.Observation
	Remedy   func(node.ErrorKind) string // how to enable the source; may be nil
}

// Poll returns the Source that polls as p describes. At most one read is in progress
// at any time: Poll waits for a late one without starting another, and uses its
// value, when it arrives, with the time at which the read began. A read that panics
// is an error.
func Poll[T any](p Polling[T]) Source {
	return Source{Name: p.Name, Every: p.Every, About: p.About, run: func(ctx context.Context, c clock, observe func(node.Observation)) {
		(&poller[T]{Polling: p, clock: c, observe: observe, done: make(chan node.Reading[T], 1)}).run(ctx)
	}}
}

// ErrHeld is returned by a read that was skipped on purpose.
var ErrHeld = errors.New("held back")

// errPanic marks a read that panicked.
var errPanic = errors.New("the read panicked")

// reading makes a Reading from the results of a read.
func reading[T any](p Polling[T], at time.Time, value T, err error) node.Reading[T] {
	if err == nil {
		return node.Reading[T]{Value: value, At: at, Every: p.Every}
	}
	kind := node.Failed
	switch {
	case errors.Is(err, ErrHeld):
		kind = node.Held
	case errors.Is(err, context.DeadlineExceeded):
		kind = node.Stalled
	case errors.Is(err, fs.ErrPermission):
		kind = node.Denied
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errors.ErrUnsupported):
		kind = node.Absent
	}
	return failedReading[T](p, kind, at, err.Error())
}

// failedReading makes a Reading without a value.
func failedReading[T any](p Polling[T], kind node.ErrorKind, since time.Time, text string) node.Reading[T] {
	e := &node.Error{Kind: kind, Text: text, Since: since}
	if p.Remedy != nil {
		e.Remedy = p.Remedy(kind)
	}
	return node.Reading[T]{Every: p.Every, Err: e}
}

// withRecover calls read and turns a panic into an error.
func withRecover[T any](ctx context.Context, read func(context.Context) (T, error)) (value T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return read(ctx)
}
