package native

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// Persist implements report.Persister: it adds the report's transitions to the queue
// and, if the queue has changed, writes it to disk. A Reporter without a file only
// adds them.
func (x *Reporter) Persist(r report.Report) error {
	x.mu.Lock()
	x.queue.take(r)
	k, state, disk := x.queue.record(x.seq)
	idle := x.queue.saved == state
	loaded := x.loaded
	x.loaded = nil
	x.mu.Unlock()
	if idle || !x.kept.Persistent() {
		return loaded
	}
	if err := x.kept.Save(k); err != nil {
		return errors.Join(loaded, err)
	}
	x.mu.Lock()
	x.queue.saved, x.queue.disk = state, disk
	x.mu.Unlock()
	return loaded
}

// Queue implements report.Queuer.
func (x *Reporter) Queue() report.Queue {
	x.mu.Lock()
	defer x.mu.Unlock()
	return report.Queue{Waiting: len(x.queue.list), Unsaved: x.queue.unsaved(), Dropped: x.queue.dropped}
}

// Every implements report.Paced.
func (x *Reporter) Every() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.every
}

// Skew returns how far the backend's clock is ahead of the node's, with an error of
// about a second plus the duration of the latest acknowledged delivery. known is
// false before there was one.
func (x *Reporter) Skew() (ahead time.Duration, known bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.skew, x.skewKnown
}

// Test implements report.Reporter: it sends a body marked as a test, which the
// backend does not store. It shows that the address, the secret and the certificate
// are correct and that the backend supports this version.
func (x *Reporter) Test(ctx context.Context, r report.Report) (string, error) {
	token, err := x.config.Token.Read()
	if err != nil {
		return "", &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	r.Findings, r.Transitions, r.Final = nil, nil, ""
	l, err := write(x.config, x.config.Every, &queue{}, r, next(0, r.At), MaxBody)
	if err != nil {
		return "", &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	t := trimmer{}
	l.body.Test = fmt.Sprintf("TEST from nodewatch on %s: please ignore", t.text(r.Node, maxName))
	if l.raw, err = marshal(l.body); err != nil {
		return "", &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	a, err := x.post(ctx, l, token)
	if err != nil {
		return "", refused(a, report.FailureOf(err), token)
	}
	ok, err := acknowledgement(a, l.body.Seq)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("acknowledged; the backend's clock is %s ahead", ok.ServerTime.Sub(r.At).Round(time.Second)), nil
}
