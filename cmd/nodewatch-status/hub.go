package main

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/admin"
	"github.com/nodewatch/nodewatch/internal/status/checks"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/fleet"
	"github.com/nodewatch/nodewatch/internal/status/intake"
	"github.com/nodewatch/nodewatch/internal/status/page"
	"github.com/nodewatch/nodewatch/internal/status/presence"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// refreshEvery is how often the public page is made.
const refreshEvery = 2 * time.Second

// A hub is where the parts meet: it makes the pages from the store.
type hub struct {
	config atomic.Pointer[config.Config] // replaced by a reload
	store  *store.Store
	log    *slog.Logger
	page   *page.Renderer
	admin  *admin.Renderer
	id     string // of this run, as the holder of leases
	checks *checks.Runner

	shown    atomic.Pointer[site]   // the public pages; never nil once the hub serves
	phases   atomic.Pointer[phases] // how many nodes are in each; nil until they are counted
	failures atomic.Uint64          // of periodic work
	broken   atomic.Bool            // the configuration file has mistakes
}

func newHub(c config.Config, s *store.Store, log *slog.Logger) (*hub, error) {
	p, err := page.NewRenderer()
	if err != nil {
		return nil, err
	}
	a, err := admin.NewRenderer()
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	h := &hub{store: s, log: log, page: p, admin: a, id: id, checks: checks.New(s, id)}
	h.config.Store(&c)
	h.checks.Set(c)
	return h, nil
}

// keep is how much of the record a page can show.
const keep = 92 * 24 * time.Hour

// policy is what operators' pages may do in a browser: nothing from elsewhere, no scripts.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func secure(w http.ResponseWriter, policy string) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

func (h *hub) style(w http.ResponseWriter, _ *http.Request) {
	secure(w, policy)
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(h.page.Style()) // nobody may be listening
}

// operators serves what only operators see.
func (h *hub) operators(in *intake.Intake) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.fleet)
	mux.HandleFunc("GET /style.css", h.style)
	mux.Handle("GET /metrics", metrics(h, in))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "healthy") })
	mux.HandleFunc("GET /-/ready", h.ready)
	return mux
}

// staleAfter is the age of the public page at which the hub is not ready.
const staleAfter = 30 * time.Second

// ready says whether the hub can do its work: the public page is made from the
// database every other second.
func (h *hub) ready(w http.ResponseWriter, _ *http.Request) {
	if age := time.Since(h.shown.Load().at); age > staleAfter {
		plain(w, http.StatusServiceUnavailable, "the database has not been available for "+age.Round(time.Second).String())
		return
	}
	plain(w, http.StatusOK, "ready")
}

// fleet serves the table of all nodes.
func (h *hub) fleet(w http.ResponseWriter, q *http.Request) {
	secure(w, policy)
	now := time.Now()
	var (
		nodes []fleet.Node
		gaps  []presence.Gap
	)
	err := h.store.View(q.Context(), func(tx *store.Tx) error {
		list, err := tx.Nodes(q.Context())
		if err != nil {
			return err
		}
		gaps, err = gapsSince(q.Context(), tx, now.Add(-keep))
		for _, n := range list {
			nodes = append(nodes, fleet.Node{Body: n.Body, Arrived: n.Arrived, Interval: n.Interval, TTL: n.TTL, Final: n.Final})
		}
		return err
	})
	if err != nil {
		h.log.Error("The fleet cannot be shown", "err", err)
		plain(w, http.StatusServiceUnavailable, "the database is not available")
		return
	}
	body, err := h.admin.Fleet(fleet.Table(nodes, listening(gaps), now), now)
	if err != nil {
		h.log.Error("The fleet cannot be shown", "err", err)
		plain(w, http.StatusInternalServerError, "the page cannot be made")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // nobody may be listening
}
