package report

import (
	"context"
	"time"
)

// A Reporter delivers the state of the node to one backend. The caller runs it in a
// separate goroutine with a deadline, and never calls it concurrently. It passes each
// Report with new information, and repeats the latest one at intervals.
//
// A Report is a whole state, so a skipped one loses nothing but its transitions, and
// those stay in the ring of the next. The Report is already filtered according to the
// configuration. It must not be changed.
type Reporter interface {
	// Report delivers the state of the node. Its error is a *Failure if the cause is
	// known.
	Report(context.Context, Report) error
	// Test sends a message that is clearly marked as a test. It pages no one and has
	// no side effects if the backend allows that, and returns the response in one
	// line. Its Report has Test set.
	Test(context.Context, Report) (answer string, err error)
}

// A Persister is a Reporter with persistent state: Persist adds the new information in
// r, and writes what has changed to disk. It is called for every Report with new
// information and after every delivery, in a separate goroutine that may be stuck on
// the disk indefinitely. It may run at the same time as Report but never concurrently
// with itself.
type Persister interface{ Persist(Report) error }

// A Queuer is a Reporter that keeps transitions until they are acknowledged.
type Queuer interface{ Queue() Queue }

// A Queue has the numbers of waiting and lost transitions.
type Queue struct {
	Waiting int    // not acknowledged yet
	Unsaved int    // of those, not yet on disk: a kill would lose them
	Dropped uint64 // lost since the start because the queue or the ring was full
}

// A Paced is a Reporter whose backend may request a longer interval.
type Paced interface {
	// Every returns the interval that the backend requests; 0 if it does not.
	Every() time.Duration
}
