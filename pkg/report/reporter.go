package report

import (
	"context"
	"time"
)

// A Reporter delivers the state of the node to one backend. The caller gives it its own
// goroutine and a deadline, and never calls it twice at a time; it hands over
// each Report that brings something new, and the same again at intervals.
//
// A Report is a whole state, so that one that was skipped costs nothing but its
// transitions, and those stay in the ring of the next. The Report it is given is
// already filtered as the configuration says. It shall not be changed.
type Reporter interface {
	// Report delivers the state of the node. Its error is a *Failure wherever more is
	// known than that it failed.
	Report(context.Context, Report) error
	// Test sends something that is clearly marked as a test, pages and harms
	// nobody where the backend allows that, and returns in one line what came
	// back. Its Report has Test set.
	Test(context.Context, Report) (answer string, err error)
}

// A Persister is a Reporter that must not forget: Persist takes up what r brings, and
// writes what has changed to disk. It is called for every Report that brings
// something new and after every delivery, in a goroutine of its own that may be
// stuck on the disk indefinitely, at the same time as Report but never twice at a time.
type Persister interface{ Persist(Report) error }

// A Queuer is a Reporter that keeps transitions until they are acknowledged.
type Queuer interface{ Queue() Queue }

// A Queue is how many transitions wait, and how many were lost.
type Queue struct {
	Waiting int    // not acknowledged yet
	Unsaved int    // of those, not on disk yet: a kill would lose them
	Dropped uint64 // lost, since the start, as the queue or the ring was full
}

// A Paced is a Reporter whose backend may ask for a longer interval.
type Paced interface {
	// Every is the interval that the backend asks for; 0 if it does not.
	Every() time.Duration
}
