package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/watch"
)

// oneShot runs the daemon's loop until every source has been read and the NICs have
// been read twice, and returns the View. Rules do not hold findings back, because
// there is no time to observe them for longer.
func oneShot(ctx context.Context, c config.Config) (judge.View, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := &viewHolder{}
	l, err := launcher.Local()
	if err != nil {
		return judge.View{}, err
	}
	defer l.Close()
	list, err := sources(ctx, c, localPaths(), l, s.view)
	if err != nil {
		return judge.View{}, err
	}
	settings, err := c.Rules.Settings()
	if err != nil {
		return judge.View{}, err
	}
	settings.SkipHold = true
	views := make(chan judge.View, 1)
	go watch.Daemon{
		Node: hostName(c), Version: buildinfo.Read().Version, Sources: list, Settings: settings,
		OnView: []func(judge.View){s.show, func(v judge.View) {
			select {
			case views <- v:
			default:
			}
		}},
	}.Run(ctx)
	var last judge.View
	for {
		select {
		case last = <-views:
			if enough(last) {
				return last, nil
			}
		case <-ctx.Done():
			if last.Report.Node != "" {
				return last, nil
			}
			return judge.View{}, fmt.Errorf("no verdict within the time given: %s", strings.TrimSpace(ctx.Err().Error()))
		}
	}
}

// enough reports whether the NICs have been read twice, or should have been by now.
func enough(v judge.View) bool {
	if len(v.NICs) == 0 {
		return v.Now.Sub(v.Started) > 3*time.Second || v.Blind(node.SourceNIC) != nil
	}
	for _, n := range v.NICs {
		if n.Known {
			return true
		}
	}
	return v.Now.Sub(v.Started) > 5*time.Second
}
