package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"slices"
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
	"github.com/nodewatch/nodewatch/internal/status/uptime"
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

	shown    atomic.Pointer[document] // the public page; never nil once the hub serves
	phases   atomic.Pointer[phases]   // how many nodes are in each; nil until they are counted
	failures atomic.Uint64            // of periodic work
	broken   atomic.Bool              // the configuration file has mistakes
}

// A document is ready to be sent.
type document struct {
	body []byte
	etag string
	at   time.Time // when it was made
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

// refresh makes the public page. Where that fails, the last one is served.
func (h *hub) refresh(ctx context.Context) error {
	now := time.Now()
	lines, err := h.lines(ctx, now)
	if err != nil {
		return err
	}
	body, err := h.page.Page(page.Build(*h.config.Load(), lines, now))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	h.shown.Store(&document{body: body, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, at: now})
	return nil
}

// keep is how much of the record a page can show.
const keep = 92 * 24 * time.Hour

// lines are the records of the public components, by id.
func (h *hub) lines(ctx context.Context, now time.Time) (map[string]uptime.Timeline, error) {
	lines := map[string]uptime.Timeline{}
	err := h.store.View(ctx, func(tx *store.Tx) error {
		for _, g := range h.config.Load().Groups {
			for _, c := range g.Components {
				keys, err := h.signals(ctx, tx, c)
				if err != nil {
					return err
				}
				records, err := tx.Timelines(ctx, keys, now.Add(-keep))
				if err != nil {
					return err
				}
				var all []uptime.Timeline
				for _, k := range keys { // in one order, so that the same record makes the same page
					if line, is := records[k]; is {
						all = append(all, line)
					}
				}
				lines[c.ID] = uptime.Rollup(uptime.Policy{}, all...)
				if c.Node != "" && c.Check != nil {
					k := store.Key{Kind: store.Checked, Name: c.ID}
					seen, err := tx.Timelines(ctx, []store.Key{k}, now.Add(-keep))
					if err != nil {
						return err
					}
					lines[c.ID] = presence.Witness(lines[c.ID], seen[k])
				}
			}
		}
		return nil
	})
	return lines, err
}

// signals are what a public component follows.
func (h *hub) signals(ctx context.Context, tx *store.Tx, c config.Component) (keys []store.Key, err error) {
	if c.Node == "" {
		keys := []store.Key{{Kind: store.Pushed, Name: c.ID}, {Kind: store.Alerted, Name: c.ID}}
		if c.Check != nil {
			keys = append(keys, store.Key{Kind: store.Checked, Name: c.ID})
		}
		return keys, nil
	}
	parts := c.Parts
	if len(parts) == 0 {
		states, err := tx.States(ctx, store.OfNode, c.Node)
		if err != nil {
			return nil, err
		}
		for part := range states {
			if part != "nodewatch" && part != "cluster" { // the agent itself, and what all nodes share
				parts = append(parts, part)
			}
		}
		slices.Sort(parts)
	}
	for _, part := range parts {
		keys = append(keys, store.Key{Kind: store.OfNode, Owner: c.Node, Name: part})
	}
	return keys, nil
}

// policy is what pages may do in a browser: nothing from elsewhere, no scripts.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func secure(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// public serves what customers see.
func (h *hub) public() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, q *http.Request) {
		d := h.shown.Load()
		secure(w)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=10, stale-while-revalidate=30")
		w.Header().Set("ETag", d.etag)
		if q.Header.Get("If-None-Match") == d.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(d.body) // nobody may be listening
	})
	mux.HandleFunc("GET /style.css", h.style)
	return mux
}

func (h *hub) style(w http.ResponseWriter, _ *http.Request) {
	secure(w)
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
	secure(w)
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
