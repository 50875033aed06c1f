package main

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/nodewatch/nodewatch/internal/buildinfo"
	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/metrics"
	"github.com/nodewatch/nodewatch/internal/page"
)

// A viewHolder contains the last View, from which all documents are rendered.
type viewHolder struct {
	node    string
	waiting []string // sources for which the first View waits
	links   []page.Link
	specs   []page.SourceSpec
	last    atomic.Pointer[judge.View]
}

func (s *viewHolder) show(v judge.View) { s.last.Store(&v) }

// view returns the last View, and whether there is one yet.
func (s *viewHolder) view() (judge.View, bool) {
	if v := s.last.Load(); v != nil {
		return *v, true
	}
	return judge.View{}, false
}

// The content types.
const (
	plainText = "text/plain; charset=utf-8"
	htmlText  = "text/html; charset=utf-8"
	jsonText  = "application/json"
)

// routes returns the handler for all views. Each document is rendered once per View,
// however many clients request it and however slowly they read.
func routes(s *viewHolder, more ...prometheus.Collector) http.Handler {
	build, registry := buildinfo.Read(), prometheus.NewRegistry()
	registry.MustRegister(metrics.New(build, s.view), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector())
	registry.MustRegister(more...)
	exposition := &rendering{render: func(*judge.View) ([]byte, error) { return expose(registry) }}
	rules := &rendering{render: func(v *judge.View) ([]byte, error) { return page.RulesHTML(*v, s.links) }}
	first, history := newPages(page.Main, page.HTML, s.links), newPages(page.HistoryMain, page.HistoryHTML, s.links)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		exposition.serve(w, r, s.last.Load(), string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if v := s.last.Load(); v != nil {
			first.serve(w, r, v)
			return
		}
		w.Header().Set("Content-Security-Policy", page.ContentSecurityPolicy())
		body, err := page.Starting(s.node, build.Version, time.Now(), s.waiting, refreshOf(r), s.links)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		write(w, http.StatusServiceUnavailable, htmlText, body)
	})
	for path, serve := range map[string]func(http.ResponseWriter, *http.Request, *judge.View){
		"GET /history": history.serve,
		"GET /rules": func(w http.ResponseWriter, r *http.Request, v *judge.View) {
			w.Header().Set("Content-Security-Policy", page.ContentSecurityPolicy())
			rules.serve(w, r, v, htmlText)
		},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if v := s.last.Load(); v != nil {
				serve(w, r, v)
				return
			}
			write(w, http.StatusServiceUnavailable, plainText, []byte(notYet+"\n"))
		})
	}
	for path, document := range map[string]func(*judge.View) ([]byte, error){
		"report":   func(v *judge.View) ([]byte, error) { return page.JSON(v.Report) },
		"sources":  func(v *judge.View) ([]byte, error) { return page.Sources(*v, s.specs, false).JSON() },
		"rules":    func(v *judge.View) ([]byte, error) { return rulesOf(*v).JSON() },
		"silences": func(v *judge.View) ([]byte, error) { return silencesOf(*v).JSON() },
	} {
		rendered := &rendering{render: document}
		mux.HandleFunc("GET /api/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			if v := s.last.Load(); v != nil {
				rendered.serve(w, r, v, jsonText)
				return
			}
			write(w, http.StatusServiceUnavailable, jsonText, []byte(`{"error":"`+notYet+`"}`+"\n"))
		})
	}
	for _, path := range []string{"GET /-/healthy", "GET /healthz"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			write(w, http.StatusOK, plainText, []byte("healthy\n"))
		})
	}
	for _, path := range []string{"GET /-/ready", "GET /readyz"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			if s.last.Load() == nil {
				write(w, http.StatusServiceUnavailable, plainText, []byte(notYet+"\n"))
				return
			}
			write(w, http.StatusOK, plainText, []byte("ready\n"))
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			write(w, http.StatusMethodNotAllowed, plainText, []byte("only GET and HEAD are allowed\n"))
			return
		}
		write(w, http.StatusNotFound, plainText, []byte("page not found; the page of this node is at /\n"))
	})
	return mux
}

// notYet is the text while there is no View.
const notYet = "starting: waiting for the first reading of each source"

// pageEvery is the refresh interval of a page, in seconds.
const pageEvery = 10

// linksOf returns the links that are set in the configuration.
func linksOf(c config.Links) []page.Link {
	return slices.DeleteFunc([]page.Link{{Name: "Grafana", URL: c.Grafana}, {Name: "All nodes", URL: c.Fleet},
		{Name: "Status page", URL: c.Status}},
		func(l page.Link) bool { return l.URL == "" })
}

// refreshOf returns the refresh interval of the requested page, in seconds.
func refreshOf(r *http.Request) int {
	if r.URL.Query().Get("refresh") == "0" {
		return 0
	}
	return pageEvery
}

// pages are a page that refreshes itself and the same page without refresh. Their
// main part is rendered once per View for both.
type pages struct{ refreshing, still *rendering }

func newPages(main func(judge.View) ([]byte, error), frame func(v judge.View, main []byte, refresh int, links []page.Link) ([]byte, error),
	links []page.Link) pages {
	once := &rendering{render: func(v *judge.View) ([]byte, error) { return main(*v) }}
	framed := func(refresh int) *rendering {
		return &rendering{render: func(v *judge.View) ([]byte, error) {
			body, err := once.bytes(v, false)
			if err != nil {
				return nil, err
			}
			return frame(*v, body, refresh, links)
		}}
	}
	return pages{framed(pageEvery), framed(0)}
}

func (p pages) serve(w http.ResponseWriter, r *http.Request, v *judge.View) {
	w.Header().Set("Content-Security-Policy", page.ContentSecurityPolicy())
	if refreshOf(r) == 0 {
		p.still.serve(w, r, v, htmlText)
		return
	}
	p.refreshing.serve(w, r, v, htmlText)
}

// expose returns all metrics of the registry, in Prometheus' text format.
func expose(registry *prometheus.Registry) ([]byte, error) {
	families, err := registry.Gather()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// A rendering is one document, rendered at most once per View. It is safe for
// concurrent use.
type rendering struct {
	render func(*judge.View) ([]byte, error) // renders a View that is not nil

	mu     sync.Mutex
	of     *judge.View // the View that body shows; nil: none
	body   []byte
	zipped []byte // compressed at the first request
}

// bytes returns the document of the View, which may be nil if there is none yet.
func (d *rendering) bytes(v *judge.View, zip bool) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v == nil || v != d.of {
		d.of, d.body, d.zipped = nil, nil, nil
		seen := v
		if seen == nil {
			seen = &judge.View{}
		}
		body, err := d.render(seen)
		if err != nil {
			return nil, err
		}
		d.of, d.body = v, body
	}
	if !zip {
		return d.body, nil
	}
	if d.zipped == nil {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(d.body) // writing to a buffer cannot fail
		_ = w.Close()
		d.zipped = b.Bytes()
	}
	return d.zipped, nil
}

// serve responds with the document of the View.
func (d *rendering) serve(w http.ResponseWriter, r *http.Request, v *judge.View, kind string) {
	zip := takesGzip(r.Header)
	body, err := d.bytes(v, zip)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Vary", "Accept-Encoding")
	if zip {
		w.Header().Set("Content-Encoding", "gzip")
	}
	write(w, http.StatusOK, kind, body)
}

// takesGzip reports whether the client accepts gzip.
func takesGzip(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q, weighed := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			share, err := strconv.ParseFloat(q, 64)
			return !weighed || err != nil || share > 0
		}
	}
	return false
}

// write responds with a complete body that caches must not keep.
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
