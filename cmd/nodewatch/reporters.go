package main

import (
	"fmt"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/alertmanager"
	"github.com/nodewatch/nodewatch/pkg/report/cachet"
	"github.com/nodewatch/nodewatch/pkg/report/exec"
	"github.com/nodewatch/nodewatch/pkg/report/heartbeat"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
	"github.com/nodewatch/nodewatch/pkg/report/icinga"
	"github.com/nodewatch/nodewatch/pkg/report/instatus"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/pagerduty"
	"github.com/nodewatch/nodewatch/pkg/report/statuspage"
	"github.com/nodewatch/nodewatch/pkg/report/webhook"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// deliveries returns all configured reporters with their settings. Their persistent
// state is kept in dir; empty: it is not kept. l starts their programs.
func deliveries(c config.Config, dir string, l *launcher.Client) ([]watch.Delivery, error) {
	var list []watch.Delivery
	for _, r := range c.Reporters {
		made, err := reporter(r, c.Digest, dir, l)
		if err != nil {
			return nil, fmt.Errorf("reporter %s: %w", r.Name, err)
		}
		list = append(list, watch.Delivery{Name: r.Name, Backend: r.Backend, Reporter: made, Every: r.Every, Deadline: r.Deadline,
			Filter: r.Filter()})
	}
	return list, nil
}

// reporter creates one reporter. This list connects the backends.
func reporter(r config.Reporter, digest, dir string, l *launcher.Client) (report.Reporter, error) {
	r.TLS.Agent = "nodewatch/" + buildinfo.Read().Version
	client, err := httpclient.New(r.TLS)
	if err != nil {
		return nil, err
	}
	kept, err := statefile.In(dir, r.Name)
	if err != nil {
		return nil, err
	}
	switch s := r.Settings.(type) {
	case *native.Config:
		s.Every, s.Digest = r.Every, digest
		return native.New(*s, client, kept)
	case *alertmanager.Config:
		s.Every, s.Deadline = r.Every, r.Deadline
		return alertmanager.New(*s, client)
	case *webhook.Config:
		return webhook.New(*s, client, kept)
	case *exec.Config:
		return exec.New(*s, kept, launcher.Program{Client: l, Kind: launcher.Exec, Name: "program of reporter " + r.Name,
			Output: exec.MaxOutput})
	case *heartbeat.Config:
		return heartbeat.New(*s, client)
	case *icinga.Config:
		s.TTL = max(s.TTL, 3*r.Every)
		return icinga.New(*s, client)
	case *pagerduty.Config:
		return pagerduty.New(*s, client, kept)
	case *statuspage.Config:
		return statuspage.New(*s, client)
	case *cachet.Config:
		return cachet.New(*s, client)
	case *instatus.Config:
		return instatus.New(*s, client)
	}
	return nil, fmt.Errorf("no reporter is made for %T", r.Settings)
}
