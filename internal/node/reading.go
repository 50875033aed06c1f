package node

import "time"

// A Reading is the last thing a source said.
type Reading[T any] struct {
	Value T             `json:"value"`
	At    time.Time     `json:"at"`              // when the read of Value began; zero if there was none
	Every time.Duration `json:"every,omitempty"` // how often the source means to speak; 0: no promise
	Err   *Error        `json:"err,omitempty"`   // why the latest read gave no value; nil if it gave one
}

// An ErrorKind says in which way a source is blind.
type ErrorKind string

// The ways to be blind.
const (
	Stalled ErrorKind = "stalled" // a read has not returned by its deadline
	Failed  ErrorKind = "failed"  // a read came back with an error
	Denied  ErrorKind = "denied"  // no permission
	Absent  ErrorKind = "absent"  // the thing to read is not on this machine
	Held    ErrorKind = "held"    // not read on purpose
)

// An Error says why a reading has no value. It is plain data, so that a tape can hold it.
type Error struct {
	Kind   ErrorKind `json:"kind"`
	Text   string    `json:"text"`
	Remedy string    `json:"remedy,omitempty"` // how to enable the source
	Since  time.Time `json:"since"`            // since when it is blind in this way
}

// after returns what is known once r has followed old: an error keeps the value
// and its time, and the time since when it has been so.
func (r Reading[T]) after(old Reading[T]) Reading[T] {
	if r.Err == nil {
		return r
	}
	e := *r.Err
	if old.Err != nil && old.Err.Kind == e.Kind {
		e.Since = old.Err.Since
	}
	return Reading[T]{Value: old.Value, At: old.At, Every: r.Every, Err: &e}
}
