package componentsync

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// window is the period over which requests are counted.
const window = time.Minute

// mostRest is longer than any wait that a backend may request.
const mostRest = 2 * time.Hour

// A RateLimiter limits the number of requests in any minute, by the clock of the
// reports. It is not safe for concurrent use.
type RateLimiter struct {
	most  int
	sent  []time.Time // times in the latest window, oldest first
	until time.Time   // no request before this time, as the backend requested; zero: no limit
}

// NewRateLimiter returns a RateLimiter of that many requests a minute.
func NewRateLimiter(most int) *RateLimiter { return &RateLimiter{most: most} }

// Do makes one request at the time of the report, or returns when it may be made. If
// a backend throttles without a Retry-After, each node waits for a different time. A
// clock that was set back costs at most a minute.
func (p *RateLimiter) Do(r report.Report, request func() error) error {
	at := r.At
	if wait := p.wait(at); wait > 0 {
		return &report.Failure{Kind: report.Throttled, After: wait, Err: fmt.Errorf("limited to %d requests per minute; the next in %s",
			p.most, wait.Round(time.Second))}
	}
	p.sent = append(p.sent, at)
	err := request()
	if f := report.FailureOf(err); f != nil && f.Kind == report.Throttled {
		after := f.After
		if after <= 0 {
			after = window + spread(r.Node)
		}
		p.until = at.Add(after)
		return &report.Failure{Kind: report.Throttled, After: after, Err: f.Err}
	}
	return err
}

// wait returns how long after at the next request may be made; 0: now.
func (p *RateLimiter) wait(at time.Time) time.Duration {
	kept := p.sent[:0]
	for _, t := range p.sent {
		if t.After(at) {
			t = at
		}
		if at.Sub(t) < window {
			kept = append(kept, t)
		}
	}
	p.sent = kept
	if p.until.Sub(at) > mostRest {
		p.until = time.Time{} // the clock was set back
	}
	wait := max(0, p.until.Sub(at))
	if len(kept) >= p.most {
		wait = max(wait, kept[len(kept)-p.most].Add(window).Sub(at))
	}
	return wait
}

// spread returns a duration between zero and a minute that is always the same for the
// same node.
func spread(node string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(node))
	return time.Duration(h.Sum32()%60) * time.Second
}
