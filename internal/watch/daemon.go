package watch

import (
	"context"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/rule/all"
)

// tick is the interval at which the Judge evaluates the rules.
const tick = time.Second

// A Daemon is the main loop: it receives the observations of the sources, evaluates
// once a second, and passes each View on. None of its functions may block.
type Daemon struct {
	Node     string
	Version  string
	Site     string            // the node's location; may be empty
	Labels   map[string]string // additional labels of the node
	Sources  []Source
	Settings node.Settings        // the initial rule settings
	Changed  <-chan node.Settings // new settings after a reload; may be nil
	Record   func(node.Entry)     // writes to the tape; may be nil
	OnView   []func(judge.View)   // called with each View, in this order
	OnTick   func()               // called on each tick, also before the first View; may be nil
}

// Run runs until ctx ends. It does not wait for sources with a read in progress.
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

// started returns the first entry, which describes the node and its sources.
func (d Daemon) started() node.Started {
	o := node.Started{Node: d.Node, Version: d.Version, Site: d.Site, Labels: d.Labels}
	for _, s := range d.Sources {
		o.Sources = append(o.Sources, node.Source{Name: s.Name, Every: s.Every})
	}
	return o
}
