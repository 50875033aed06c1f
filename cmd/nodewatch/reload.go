package main

import (
	"github.com/prometheus/client_golang/prometheus"
)

// The metrics of the configuration's reload.
const (
	metricReloadOK   = "nodewatch_config_last_reload_successful"
	metricReloadTime = "nodewatch_config_last_reload_success_timestamp_seconds"
)

// reloads counts how the configuration was read.
type reloads struct{ ok, at prometheus.Gauge }

func newReloads() *reloads {
	r := &reloads{
		ok: prometheus.NewGauge(prometheus.GaugeOpts{Name: metricReloadOK, Help: "1 if the last configuration reload was successful, else 0."}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{Name: metricReloadTime, Help: "Time of the last successful configuration reload."}),
	}
	r.note(nil)
	return r
}

// note notes that the file was read, with or without a mistake.
func (r *reloads) note(err error) {
	if err != nil {
		r.ok.Set(0)
		return
	}
	r.ok.Set(1)
	r.at.SetToCurrentTime()
}

func (r *reloads) collectors() []prometheus.Collector { return []prometheus.Collector{r.ok, r.at} }
