package main

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/metrics"
	"github.com/nodewatch/nodewatch/internal/page"
)

// A shown is the last View: what every view renders, and nothing else.
type shown struct {
	node    string
	waiting []string // sources that the first View waits for
	last    atomic.Pointer[judge.View]
}

func (s *shown) show(v judge.View) { s.last.Store(&v) }

// view returns the last View, and whether there is one yet.
func (s *shown) view() (judge.View, bool) {
	if v := s.last.Load(); v != nil {
		return *v, true
	}
	return judge.View{}, false
}

// routes are the addresses under which the views are served.
func routes(s *shown, more ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.New(version, s.view), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	registry.MustRegister(more...)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /api/v1/report", s.report)
	for _, path := range []string{"GET /-/healthy", "GET /healthz"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			write(w, http.StatusOK, "text/plain; charset=utf-8", []byte("healthy\n"))
		})
	}
	for _, path := range []string{"GET /-/ready", "GET /readyz"} {
		mux.HandleFunc(path, s.ready)
	}
	return mux
}

func (s *shown) ready(w http.ResponseWriter, _ *http.Request) {
	if _, ok := s.view(); !ok {
		write(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte("starting: not every source has spoken yet\n"))
		return
	}
	write(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ready\n"))
}

func (s *shown) report(w http.ResponseWriter, _ *http.Request) {
	v, ok := s.view()
	if !ok {
		write(w, http.StatusServiceUnavailable, "application/json", []byte(`{"error":"starting: not every source has spoken yet"}`+"\n"))
		return
	}
	body, err := page.JSON(v.Report)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, http.StatusOK, "application/json", body)
}

// pageEvery is how often a browser is asked to load the page anew, in seconds.
const pageEvery = 10

func (s *shown) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", page.ContentSecurityPolicy())
	refresh := pageEvery
	if r.URL.Query().Get("refresh") == "0" {
		refresh = 0
	}
	code := http.StatusOK
	var body []byte
	var err error
	if v, ok := s.view(); ok {
		body, err = page.HTML(v, refresh)
	} else {
		code = http.StatusServiceUnavailable
		body, err = page.Starting(s.node, version, time.Now(), s.waiting, refresh)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, code, "text/html; charset=utf-8", body)
}

// write answers with a whole body that is not to be kept by caches.
func write(w http.ResponseWriter, code int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}
