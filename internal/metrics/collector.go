// Package metrics knows how a View looks to Prometheus. It measures nothing:
// every sample is a part of the View that is handed to it.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/judge"
)

// A Collector shows the last View as metrics. It keeps nothing between two
// collections and may be used by several goroutines at once.
type Collector struct {
	last     func() (judge.View, bool)
	families []family
}

// New returns a Collector of the View that last returns. Until last returns
// true, all there is to see is nodewatch_build_info, which describes build.
func New(build buildinfo.Info, last func() (judge.View, bool)) *Collector {
	return &Collector{last: last, families: families(build)}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.families {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector. It does no I/O: what takes time is in
// the View already.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	v, known := c.last()
	p := survey(v)
	for _, f := range c.families {
		if known || f.always {
			f.collect(p, out)
		}
	}
}

// families are all metrics of nodewatch that come from a View, in the order of
// the documentation.
func families(build buildinfo.Info) []family {
	var all []family
	for _, group := range [][]family{
		verdictFamilies(build), overrideFamilies(), sourceFamilies(), launcherFamilies(), reporterFamilies(), kernelFamilies(), bondFamilies(), nicFamilies(), trafficFamilies(),
		krbdFamilies(), osdcFamilies(), guestFamilies(), clusterFamilies(), hostFamilies(), historyFamilies(),
	} {
		all = append(all, group...)
	}
	for i, f := range all {
		all[i].desc = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	return all
}
