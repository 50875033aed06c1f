package report

import (
	"errors"
	"time"
)

// A FailureKind says what a failed delivery calls for.
type FailureKind string

// The kinds of failure.
const (
	Transient     FailureKind = "transient"     // network, TLS, timeout, 5xx: try again soon
	Throttled     FailureKind = "throttled"     // too much: wait as long as the backend asks for
	Misconfigured FailureKind = "misconfigured" // wrong secret, address or field: a person must fix it; retried at a reduced rate
	Partial       FailureKind = "partial"       // some of it was refused for good: the rest was taken, do not send it again
	Stale         FailureKind = "stale"         // the backend knows something newer: drop it
)

// A Failure is why a delivery failed, and what to do.
type Failure struct {
	Kind  FailureKind
	After time.Duration // the wait that the backend asks for; 0: it does not say
	Err   error         // shows no secret
}

// Error implements error.
func (f *Failure) Error() string { return string(f.Kind) + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// FailureOf returns the Failure in err. Of an error that has none it makes a
// transient one; of nil, nil.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Kind: Transient, Err: err}
}
