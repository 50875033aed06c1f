package node

import "time"

// A Reading is the latest result of a source.
type Reading[T any] struct {
	Value T             `json:"value"`
	At    time.Time     `json:"at"`              // when the read of Value began; zero: never read
	Every time.Duration `json:"every,omitempty"` // interval at which the source normally reports; 0: none
	Err   *Error        `json:"err,omitempty"`   // why the latest read failed; nil: it succeeded
}

// An ErrorKind is the reason why a source is blind.
type ErrorKind string

// The reasons why a source is blind.
const (
	Stalled ErrorKind = "stalled" // a read has not returned by its deadline
	Failed  ErrorKind = "failed"  // a read returned an error
	Denied  ErrorKind = "denied"  // no permission
	Absent  ErrorKind = "absent"  // the thing to read is not on this machine
	Held    ErrorKind = "held"    // not read on purpose
)

// An Error describes why a reading has no value. It is plain data, so that a tape can
// contain it.
type Error struct {
	Kind   ErrorKind `json:"kind"`
	Text   string    `json:"text"`
	Remedy string    `json:"remedy,omitempty"` // how to enable the source
	Since  time.Time `json:"since"`            // start of this kind of error
}

// after returns r as the successor of old: an error keeps the previous value and its
// time, and the start of the error.
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
