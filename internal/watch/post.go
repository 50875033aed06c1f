package watch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Post hands Reports to reporters. Each has its own goroutines, mailbox of one,
// deadline and circuit breaker: one that hangs delays nobody.
type Post struct {
	list []*deliverer
	stop context.CancelFunc
}

// NewPost starts the deliveries; Close ends them. The node's name gives each its
// place in the interval.
func NewPost(name string, list []Delivery) *Post {
	ctx, stop := context.WithCancel(context.Background())
	p := &Post{stop: stop}
	c := newClock()
	for _, d := range list {
		x := newDeliverer(d, c)
		p.list = append(p.list, x)
		go x.run(ctx, name)
		if k, ok := d.Reporter.(report.Keeper); ok {
			go x.keeps(ctx, k)
		} else {
			close(x.kept)
		}
	}
	return p
}

// Take hands over a Report. It never blocks.
func (p *Post) Take(r report.Report) {
	for _, d := range p.list {
		d.take(&r)
	}
}

// State is how the reporters fare, in the order they were given. It never waits
// for a delivery.
func (p *Post) State() []node.Delivery {
	list := make([]node.Delivery, 0, len(p.list))
	for _, d := range p.list {
		list = append(list, d.state())
	}
	return list
}

// Settle waits until every reporter has been told the latest state, or has failed
// to take it, but no longer than given.
func (p *Post) Settle(wait time.Duration) {
	over := time.After(wait)
	looks := time.NewTicker(100 * time.Millisecond)
	defer looks.Stop()
	for _, d := range p.list {
		for !d.settled() {
			poke(d.wake) // a failure may have been waited out
			select {
			case <-looks.C:
			case <-over:
				return
			}
		}
	}
}

// Close lets every reporter that works say that nodewatch stops, and waits for
// that no longer than given.
func (p *Post) Close(wait time.Duration) {
	p.stop()
	over := time.After(wait)
	for _, d := range p.list {
		for _, end := range []<-chan struct{}{d.done, d.kept} {
			select {
			case <-end:
			case <-over:
				return
			}
		}
	}
}

// gist is what of a Report a backend must hear of at once: two Reports with the
// same gist differ in times and texts only.
func gist(r report.Report) string {
	var b strings.Builder
	for _, c := range r.Components {
		fmt.Fprintf(&b, "%s=%s ", c.Name, c.Status)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %q %s %s %s %t %t %t;", f.Rule, f.Subject, f.Severity, f.Impact, f.State, f.Flapping, f.Accepted != nil, len(f.ExplainedBy) > 0)
	}
	if n := len(r.Transitions); n > 0 {
		fmt.Fprintf(&b, "#%d", r.Transitions[n-1].N)
	}
	fmt.Fprintf(&b, "@%d %t", r.Started.UnixNano(), r.Maintenance != nil)
	return b.String()
}
