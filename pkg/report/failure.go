package report

import (
	"errors"
	"time"
)

// A FailureKind is the kind of a failed delivery, which determines the reaction.
type FailureKind string

// The kinds of failure.
const (
	Transient     FailureKind = "transient"     // network, TLS, timeout, 5xx: try again soon
	Throttled     FailureKind = "throttled"     // rate limit: wait as long as the backend requests
	Misconfigured FailureKind = "misconfigured" // wrong secret, address or field: requires a fix; retried at a reduced rate
	Partial       FailureKind = "partial"       // a part was permanently rejected: the rest was accepted, do not resend it
	Stale         FailureKind = "stale"         // the backend has newer data: drop it
)

// A Failure is the reason of a failed delivery, with the required reaction.
type Failure struct {
	Kind  FailureKind
	After time.Duration // the wait that the backend requests; 0: none
	Err   error         // contains no secret
}

// Error implements error.
func (f *Failure) Error() string { return string(f.Kind) + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// FailureOf returns the Failure in err. It returns a transient Failure for an error
// without one, and nil for nil.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Kind: Transient, Err: err}
}
