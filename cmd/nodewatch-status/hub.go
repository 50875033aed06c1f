package main

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/admin"
	"github.com/nodewatch/nodewatch/internal/status/api"
	"github.com/nodewatch/nodewatch/internal/status/checks"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/intake"
	"github.com/nodewatch/nodewatch/internal/status/page"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// refreshEvery is how often the public page is rebuilt.
const refreshEvery = 2 * time.Second

// A hub connects the parts: it builds the pages from the store.
type hub struct {
	config atomic.Pointer[config.Config] // replaced by a reload
	store  *store.Store
	log    *slog.Logger
	page   *page.Renderer
	admin  *admin.Admin
	api    *api.API
	id     string // id of this run, used as the holder of leases
	checks *checks.Runner

	shown    atomic.Pointer[site]   // the public pages; never nil once the hub serves
	phases   atomic.Pointer[phases] // number of nodes by phase; nil until they are counted
	beaten   atomic.Int64           // when this hub last wrote that it is running, in milliseconds since 1970
	failures atomic.Uint64          // failed runs of periodic work
	heldBack atomic.Uint64          // checkpoints that could not move everything
	broken   atomic.Bool            // the configuration file has mistakes
}

func newHub(c config.Config, s *store.Store, log *slog.Logger) (*hub, error) {
	p, err := page.NewRenderer()
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	h := &hub{store: s, log: log, page: p, id: id, checks: checks.New(s, id)}
	h.config.Store(&c)
	h.checks.Set(c)
	h.admin, err = admin.New(admin.Config{
		Store: s, Config: func() config.Config { return *h.config.Load() }, Checks: h.checks.Latest, Now: time.Now,
		Failed: func(err error) { log.Error("An operators' page cannot be shown", "err", err) },
	})
	h.api = api.New(api.Config{
		Store: s, Config: func() config.Config { return *h.config.Load() }, Checks: h.checks.Latest, Now: time.Now, Rate: c.Intake.Rate,
		Failed: func(err error) {
			log.Error("A request to the API was refused, as the database is not available", "err", err)
		},
	})
	return h, err
}

// keep is the age of the oldest record that a page can show.
const keep = 92 * 24 * time.Hour

func secure(w http.ResponseWriter, policy string) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// operators serves the pages for operators only.
func (h *hub) operators(in *intake.Intake) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h.admin)
	mux.Handle("/api/", h.api)
	mux.Handle("GET /metrics", metrics(h, in))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "healthy") })
	mux.HandleFunc("GET /-/ready", h.ready)
	return mux
}

// staleAfter is how long the hub stays ready when it cannot read or write its
// database.
const staleAfter = 30 * time.Second

// ready reports whether the hub works: it rebuilds the public page from the database every
// two seconds, and writes that it is running every 5 s.
func (h *hub) ready(w http.ResponseWriter, _ *http.Request) {
	read, written := time.Since(h.shown.Load().at), time.Since(time.UnixMilli(h.beaten.Load()))
	switch {
	case read > staleAfter:
		plain(w, http.StatusServiceUnavailable, "the database has not been available for "+read.Round(time.Second).String())
	case written > staleAfter:
		plain(w, http.StatusServiceUnavailable, "nothing could be written to the database for "+written.Round(time.Second).String())
	default:
		plain(w, http.StatusOK, "ready")
	}
}
