package native

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

const (
	mostBodies  = 16        // maximum number of bodies in one call, to empty the queue
	leastBody   = 4 << 10   // the lowest limit of a backend that is obeyed, in bytes
	shrunkFor   = time.Hour // time until a full body is tried again
	mostSeq     = 1 << 53   // the largest integer that JSON numbers represent exactly
	mostSeqJump = 1 << 39   // the largest step of the seq that a backend can cause, about 17 years
)

// A Reporter delivers to one backend. It implements report.Reporter, report.Persister,
// report.Queuer and report.Paced.
type Reporter struct {
	config Config
	client *httpclient.Client
	kept   statefile.File
	loaded error // error of reading the stored state

	mu        sync.Mutex // never held during I/O
	queue     queue
	seq       uint64
	budget    int // limit of a body, in bytes
	shrunk    time.Time
	every     time.Duration // as the backend requests; 0: it does not
	skew      time.Duration
	skewKnown bool // skew is known
}

// New returns a Reporter that continues with the state stored by an earlier run. If
// that cannot be read, it reports nevertheless, and the first Persist returns the
// error.
func New(c Config, client *httpclient.Client, kept statefile.File) (*Reporter, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	x := &Reporter{config: c, client: client, kept: kept, budget: MaxBody}
	var k record
	if x.loaded = kept.Load(&k); x.loaded == nil {
		x.queue.restore(k)
		if k.Seq < mostSeq {
			x.seq = k.Seq
		}
	}
	return x, nil
}

// Report sends the state, and more bodies until no transition is queued.
func (x *Reporter) Report(ctx context.Context, r report.Report) error {
	token, err := x.config.Token.Read()
	if err != nil {
		return &report.Failure{Kind: report.Misconfigured, Err: err}
	}
	x.mu.Lock()
	x.queue.take(r)
	x.mu.Unlock()
	for range mostBodies {
		if err := x.deliver(ctx, r, token); err != nil {
			return err
		}
		if x.Queue().Waiting == 0 || ctx.Err() != nil {
			return nil //nolint:nilerr // the rest is left for the next delivery
		}
	}
	return nil
}

// deliver sends one body, and again with a higher seq or a smaller body if the
// backend requests that and it can succeed.
func (x *Reporter) deliver(ctx context.Context, r report.Report, token string) error {
	for range len(plans) + 1 {
		l, err := x.write(r)
		if err != nil {
			return &report.Failure{Kind: report.Misconfigured, Err: err}
		}
		a, err := x.post(ctx, l, token)
		if err == nil {
			return x.accepted(l, a, r)
		}
		f := report.FailureOf(err)
		if !x.again(a, l, r) {
			return refused(a, f, token)
		}
	}
	return &report.Failure{Kind: report.Transient, Err: errors.New("the backend refuses every body for a different reason")}
}

// write builds the next body.
func (x *Reporter) write(r report.Report) (letter, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.budget < MaxBody && (r.At.Sub(x.shrunk) >= shrunkFor || r.At.Before(x.shrunk)) {
		x.budget = MaxBody
	}
	x.seq = next(x.seq, r.At)
	return write(x.config, max(x.config.Every, x.every), &x.queue, r, x.seq, x.budget)
}

// next returns the seq after the given one: the time in ms, so that it also grows
// after a restart without stored state, or one more if the clock has not advanced.
func next(seq uint64, at time.Time) uint64 {
	return max(seq+1, uint64(min(max(at.UnixMilli(), 0), mostSeq/2)))
}

// post sends a body.
func (x *Reporter) post(ctx context.Context, l letter, token string) (httpclient.Response, error) {
	boot := l.body.Agent.Boot
	if boot == "" {
		boot = "unknown"
	}
	h := http.Header{
		"Content-Type":    {"application/json"},
		"Accept":          {"application/json"},
		"Idempotency-Key": {fmt.Sprintf("%s/%s/%d", l.body.Node.ID, url.PathEscape(boot), l.body.Seq)},
	}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	raw := l.raw
	if len(raw) >= zipFrom {
		var err error
		if raw, err = zipped(raw); err != nil {
			return httpclient.Response{}, err
		}
		h.Set("Content-Encoding", "gzip")
	}
	return x.client.Do(ctx, httpclient.Request{Method: http.MethodPost, URL: x.config.address(), Header: h, Body: raw,
		Secrets: []string{token}})
}

// accepted processes an acknowledgement.
func (x *Reporter) accepted(l letter, a httpclient.Response, r report.Report) error {
	ok, err := acknowledgement(a, l.body.Seq)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue.acknowledge(len(l.body.Transitions), l.last)
	x.every = time.Duration(ok.Next * float64(time.Second))
	x.skew, x.skewKnown = ok.ServerTime.Sub(r.At), true
	return nil
}

// again reports whether a rejected body is worth another try at once, and prepares
// it.
func (x *Reporter) again(a httpclient.Response, l letter, r report.Report) bool {
	no := parseRefusal(a.Body)
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case a.Code == http.StatusRequestEntityTooLarge && !l.least && len(l.raw) > leastBody:
		x.budget, x.shrunk = max(len(l.raw)/2, leastBody), r.At
		if no.MaxBody > 0 && no.MaxBody < len(l.raw) {
			x.budget = max(no.MaxBody, leastBody)
		}
		return true
	case a.Code == http.StatusConflict && no.Reason == OldSeq && no.Accepted >= l.body.Seq && no.Accepted-l.body.Seq < mostSeqJump:
		x.seq = no.Accepted // the node's clock was set back across a restart
		return true
	}
	return false
}
