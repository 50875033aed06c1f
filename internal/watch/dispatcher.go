package watch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Dispatcher passes Reports to reporters. Each reporter has its own goroutines,
// mailbox of one, deadline and circuit breaker, so that one that hangs does not delay
// the others.
type Dispatcher struct {
	list []*worker
	stop context.CancelFunc
}

// NewDispatcher starts the deliveries; Close ends them. The node's name determines
// each reporter's phase in the interval.
func NewDispatcher(name string, list []Delivery) *Dispatcher {
	ctx, stop := context.WithCancel(context.Background())
	p := &Dispatcher{stop: stop}
	c := newClock()
	for _, d := range list {
		x := newWorker(d, c)
		p.list = append(p.list, x)
		go x.run(ctx, name)
		if k, ok := d.Reporter.(report.Persister); ok {
			go x.persistLoop(ctx, k)
		} else {
			close(x.persisted)
		}
	}
	return p
}

// Enqueue queues a Report for all reporters. It never blocks.
func (p *Dispatcher) Enqueue(r report.Report) {
	for _, d := range p.list {
		d.enqueue(&r)
	}
}

// State returns the delivery status of each reporter, in the order of their
// configuration. It never waits for a delivery.
func (p *Dispatcher) State() []node.Delivery {
	list := make([]node.Delivery, 0, len(p.list))
	for _, d := range p.list {
		list = append(list, d.state())
	}
	return list
}

// Settle waits, for at most wait, until every reporter has delivered the latest state
// or failed to.
func (p *Dispatcher) Settle(wait time.Duration) {
	over := time.After(wait)
	looks := time.NewTicker(100 * time.Millisecond)
	defer looks.Stop()
	for _, d := range p.list {
		for !d.settled() {
			signal(d.wake) // the backoff of a failure may have ended
			select {
			case <-looks.C:
			case <-over:
				return
			}
		}
	}
}

// Close makes every working reporter report the shutdown, and waits for these reports
// for at most wait.
func (p *Dispatcher) Close(wait time.Duration) {
	p.stop()
	over := time.After(wait)
	for _, d := range p.list {
		for _, end := range []<-chan struct{}{d.done, d.persisted} {
			select {
			case <-end:
			case <-over:
				return
			}
		}
	}
}

// fingerprint contains those parts of a Report whose changes are delivered at once:
// two Reports with the same fingerprint differ only in times and texts.
func fingerprint(r report.Report) string {
	var b strings.Builder
	for _, c := range r.Components {
		fmt.Fprintf(&b, "%s=%s ", c.Name, c.Status)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %q %s %s %s %t %t %t;", f.Rule, f.Subject, f.Severity, f.Impact, f.State, f.Flapping, f.Accepted != nil,
			len(f.ExplainedBy) > 0)
	}
	if n := len(r.Transitions); n > 0 {
		fmt.Fprintf(&b, "#%d", r.Transitions[n-1].N)
	}
	fmt.Fprintf(&b, "@%d %t", r.Started.UnixNano(), r.Maintenance != nil)
	return b.String()
}
