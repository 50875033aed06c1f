// Package metrics exports a View as Prometheus metrics. It measures nothing: every
// sample comes from the View.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/judge"
)

// A Collector exports the last View as metrics. It keeps no state between collections
// and is safe for concurrent use.
type Collector struct {
	last     func() (judge.View, bool)
	families []family
}

// New returns a Collector of the View that last returns. Until last returns true, the
// only metric is nodewatch_build_info, which describes build.
func New(build buildinfo.Info, last func() (judge.View, bool)) *Collector {
	return &Collector{last: last, families: families(build)}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.families {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector. It does no I/O: all values come from the
// View.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	v, known := c.last()
	p := survey(v)
	for _, f := range c.families {
		if known || f.always {
			f.collect(p, out)
		}
	}
}

// families returns all metrics of nodewatch that come from a View, in the order of
// the documentation.
func families(build buildinfo.Info) []family {
	var all []family
	for _, group := range [][]family{
		verdictFamilies(build), overrideFamilies(), sourceFamilies(), launcherFamilies(), reporterFamilies(), kernelFamilies(),
		bondFamilies(), nicFamilies(), trafficFamilies(),
		krbdFamilies(), osdcFamilies(), guestFamilies(), clusterFamilies(), hostFamilies(), historyFamilies(),
	} {
		all = append(all, group...)
	}
	for i, f := range all {
		all[i].desc = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	return all
}
