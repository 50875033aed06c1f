package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/status/intake"
)

// A collector collects the metrics of a hub.
type collector struct {
	hub    *hub
	intake *intake.Intake
}

// metrics serves the metrics of a hub.
func metrics(h *hub, in *intake.Intake) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{h, in}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Describe implements prometheus.Collector: it describes the metrics that Collect
// returns.
func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	send := func(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
		var names, values []string
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("nodewatch_status_"+name, help, names, nil), kind, value, values...)
	}
	counter := func(name, help string, n uint64) { send(prometheus.CounterValue, name, help, float64(n)) }
	gauge := func(name, help string, x float64) { send(prometheus.GaugeValue, name, help, x) }

	send(prometheus.GaugeValue, "build_info", "Always 1, with the version of nodewatch-status.", 1, "version", buildinfo.Read().Version)
	n := c.intake.Count()
	counter("reports_total", "Number of reports of nodes that were acknowledged.", n.Taken)
	counter("pushes_total", "Number of states of components that were pushed.", n.Pushed)
	counter("alerts_total", "Number of alerts accepted from Alertmanager.", n.Alerts)
	counter("alerts_ignored_total", "Number of alerts from Alertmanager that were ignored because they have no label component.", n.Ignored)
	counter("unknown_fields_total", "Number of unknown fields in reports; this version ignores them.", n.Unknown)
	for code, count := range n.Refused {
		send(prometheus.CounterValue, "refused_requests_total", "Number of requests to the intake that were refused, by HTTP status.",
			float64(count), "code", strconv.Itoa(code))
	}
	for code, count := range c.hub.api.Count() {
		send(prometheus.CounterValue, "api_requests_total", "Number of requests to the API that were answered, by HTTP status.",
			float64(count), "code", strconv.Itoa(code))
	}
	signIns := c.hub.admin.SignIns()
	for result, count := range map[string]uint64{"succeeded": signIns.Succeeded, "failed": signIns.Failed,
		"rate_limited": signIns.Limited} {
		send(prometheus.CounterValue, "sign_ins_total",
			"Number of attempts to sign in to the operators' pages, by result; failed: wrong name or password, or a name from the trusted proxy that no operator has.", float64(count), "result", result)
	}
	if nodes := c.hub.phases.Load(); nodes != nil {
		for phase, count := range *nodes {
			send(prometheus.GaugeValue, "nodes",
				"Number of nodes by presence: reporting, late, no_report, waiting (no hub was running), stopped.", float64(count),
				"presence", strings.ReplaceAll(string(phase), " ", "_"))
		}
	}
	gauge("waiting_reports", "Number of reports that are waiting for the database.", float64(n.Waiting))
	counter("database_failures_total", "Number of requests and periodic jobs that failed because the database was unavailable.",
		n.Failures+c.hub.failures.Load())
	gauge("database_written_timestamp_seconds", "Time at which this hub last wrote to the database; it does so every 5 s.",
		float64(c.hub.beaten.Load())/1000)
	if size := c.hub.store.Size(); size.File > 0 {
		gauge("database_bytes", "Size of SQLite's file.", float64(size.File))
		gauge("database_wal_bytes", "Size of SQLite's write-ahead log.", float64(size.WAL))
		counter("checkpoints_held_back_total",
			"Number of times that a reading transaction prevented shortening the write-ahead log, which is tried every 5 s. The hub's own transactions last at most 30 s.", c.hub.heldBack.Load())
	}
	ran := c.hub.checks.Count(time.Now())
	for result, count := range map[string]uint64{"good": ran.Good, "bad": ran.Bad, "unknown": ran.Blind} {
		send(prometheus.CounterValue, "check_runs_total",
			"Number of checks that this hub has run, by result; unknown: the check could not run.", float64(count), "result", result)
	}
	active := 0.0
	if ran.Active {
		active = 1
	}
	gauge("checks_active", "1 if this hub runs the checks, otherwise 0; of several hubs only one runs them.", active)
	gauge("check_overdue_seconds", "Longest time that a due check has waited to be run.", ran.Overdue.Seconds())
	for _, k := range c.hub.checks.Latest() {
		if !k.At.IsZero() {
			send(prometheus.GaugeValue, "check_state",
				"State of each check: 0 operational to 5 major outage, as in the report protocol; 2 is unknown.",
				float64(k.State.State.Rank()), "component", k.Component)
			send(prometheus.GaugeValue, "check_duration_seconds", "Duration of the latest run of each check.", k.Took.Seconds(),
				"component", k.Component)
		}
		if !k.Expires.IsZero() {
			send(prometheus.GaugeValue, "check_certificate_expiry_timestamp_seconds",
				"Time of the earliest expiry of the certificates that the check received.", float64(k.Expires.Unix()), "component",
				k.Component)
		}
	}
	shown := c.hub.shown.Load()
	for state, count := range map[string]int{"open": len(shown.snapshot.Open()), "draft": shown.drafts} {
		send(prometheus.GaugeValue, "incidents", "Number of incidents by state: open, and drafts that wait for an operator.",
			float64(count), "state", state)
	}
	gauge("maintenances", "Number of maintenances that are published and not over.", float64(len(shown.snapshot.Upcoming())))
	gauge("page_timestamp_seconds", "Time at which the public page was last made.", float64(shown.at.Unix()))
	ok := 1.0
	if c.hub.broken.Load() {
		ok = 0
	}
	gauge("config_last_reload_successful", "1 if the active configuration is that of the file, 0 after a failed reload.", ok)
}
