package watch

import (
	"context"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule/all"
)

// tick is how often the Judge judges.
const tick = time.Second

// A Daemon is the one loop: it takes in what sources see, judges once a second,
// and hands each View on. None of its functions may block.
type Daemon struct {
	Node     string
	Version  string
	Site     string            // where the node is; may be empty
	Labels   map[string]string // what else it belongs to
	Sources  []Source
	Settings node.Settings        // the rules to start with
	Changed  <-chan node.Settings // new settings, after a reload; may be nil
	Record   func(node.Entry)     // the tape; may be nil
	OnView   []func(judge.View)   // called with each View, in this order
	OnTick   func()               // called on each tick, also before the first View; may be nil
}

// Run runs until ctx ends. It does not wait for sources that are in a read.
func (d Daemon) Run(ctx context.Context) {
	c := newClock()
	j := judge.New(all.Default())
	seen := make(chan node.Observation, 256)
	take := func(obs node.Observation) (judge.View, bool) {
		e := node.Entry{At: c.now(), Obs: obs}
		if obs != nil {
			e.Saw = node.Name(obs)
		}
		if d.Record != nil {
			d.Record(e)
		}
		return j.Take(e)
	}
	take(d.started())
	take(d.Settings)
	for _, s := range d.Sources {
		go s.run(ctx, c, func(o node.Observation) {
			select {
			case seen <- o:
			case <-ctx.Done():
			}
		})
	}
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-seen:
			take(o)
		case s := <-d.Changed:
			take(s)
		case <-ticks.C:
			v, judged := take(nil)
			if judged {
				for _, f := range d.OnView {
					f(v)
				}
			}
			if d.OnTick != nil {
				d.OnTick()
			}
		}
	}
}

// started says who watches, and by which sources.
func (d Daemon) started() node.Started {
	o := node.Started{Node: d.Node, Version: d.Version, Site: d.Site, Labels: d.Labels}
	for _, s := range d.Sources {
		o.Sources = append(o.Sources, node.Source{Name: s.Name, Every: s.Every})
	}
	return o
}
