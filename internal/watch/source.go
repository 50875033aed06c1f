// Package watch has every goroutine of the daemon and its only clock: sources
// that may block indefinitely, the one loop that nothing may block, and reporters.
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
	Every time.Duration // how often it means to speak
	About string        // what it reads, for `nodewatch sources`
	run   func(ctx context.Context, c clock, observe func(node.Observation))
}

// A Polling is how one source is polled.
type Polling[T any] struct {
	Name     string
	About    string
	Every    time.Duration
	Deadline time.Duration   // a read that takes longer is late: the source is stalled until it is back
	Wake     <-chan struct{} // read at once when it receives, but at most once a second; may be nil
	Settle   time.Duration   // after a read that Wake asked for, read again so soon: not all that a change sets off says so; 0 is Every
	Read     func(context.Context) (T, error)
	More     func(T) bool // whether to read again at once after this value, as there is more; may be nil
	As       func(node.Reading[T]) node.Observation
	Remedy   func(node.ErrorKind) string // how to enable the source; may be nil
}

// Poll returns the Source that reads as p says. At most one read is under way at
// any time: a late one is left alone and waited for, and its value, when it
// comes, is used with the time it began. A read that panics is an error.
func Poll[T any](p Polling[T]) Source {
	return Source{Name: p.Name, Every: p.Every, About: p.About, run: func(ctx context.Context, c clock, observe func(node.Observation)) {
		(&poller[T]{Polling: p, clock: c, observe: observe, done: make(chan node.Reading[T], 1)}).run(ctx)
	}}
}

// ErrHeld is what a read returns that was left undone on purpose.
var ErrHeld = errors.New("held back")

// errPanic marks a read that panicked.
var errPanic = errors.New("the read panicked")

// reading makes a Reading of what a read returned.
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

// failedReading makes a Reading that has no value.
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
