package main

import (
	"github.com/prometheus/client_golang/prometheus"
)

// The metrics of configuration reloads.
const (
	metricReloadOK   = "nodewatch_config_last_reload_successful"
	metricReloadTime = "nodewatch_config_last_reload_success_timestamp_seconds"
)

// reloads contains the metrics of configuration reloads.
type reloads struct{ ok, at prometheus.Gauge }

func newReloads() *reloads {
	r := &reloads{
		ok: prometheus.NewGauge(prometheus.GaugeOpts{Name: metricReloadOK,
			Help: "1 if the last configuration reload was successful, else 0."}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{Name: metricReloadTime, Help: "Time of the last successful configuration reload."}),
	}
	r.note(nil)
	return r
}

// note records that the file was read, with or without a mistake.
func (r *reloads) note(err error) {
	if err != nil {
		r.ok.Set(0)
		return
	}
	r.ok.Set(1)
	r.at.SetToCurrentTime()
}

func (r *reloads) collectors() []prometheus.Collector { return []prometheus.Collector{r.ok, r.at} }
