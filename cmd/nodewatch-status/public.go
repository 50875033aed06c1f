package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/feed"
	"github.com/nodewatch/nodewatch/internal/status/page"
	"github.com/nodewatch/nodewatch/internal/status/record"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// A site contains the public pages at one time. A page is rendered at its first
// request.
type site struct {
	snapshot page.Snapshot
	page     *page.Renderer
	at       time.Time // when it was built
	drafts   int       // incidents that are not included, as they are not published

	mu   sync.Mutex
	made map[string]document // at most one per path
}

// A document is ready to be sent.
type document struct {
	kind string // its media type; empty: there is no such document
	body []byte
	etag string
}

// document returns the document of a path.
func (s *site) document(path string) (document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, is := s.made[path]; is {
		return d, nil
	}
	kind, body, err := s.page.Document(s.snapshot, path)
	if err == nil && kind == "" {
		kind, body, err = feed.Document(s.page, s.snapshot, path)
	}
	if err != nil || kind == "" {
		return document{}, err
	}
	sum := sha256.Sum256(body)
	d := document{kind: kind, body: body, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	s.made[path] = d
	return d, nil
}

// paths returns the paths of all documents.
func (s *site) paths() []string { return append(s.snapshot.Paths(), feed.Paths(s.snapshot)...) }

// refresh rebuilds the public page. If that fails, the previous one is served.
func (h *hub) refresh(ctx context.Context) error {
	s, err := h.site(ctx, time.Now())
	if err != nil {
		return err
	}
	if _, err := s.document(""); err != nil {
		return err
	}
	h.shown.Store(s)
	return nil
}

// site reads the data of the public pages.
func (h *hub) site(ctx context.Context, now time.Time) (*site, error) {
	in := page.Input{Config: *h.config.Load(), Now: now}
	err := h.store.View(ctx, func(tx *store.Tx) error {
		r, err := record.Read(ctx, tx, in.Config, now.Add(-keep))
		if err != nil {
			return err
		}
		in.Lines = r.Lines
		if in.Maintenances, err = tx.Maintenances(ctx, now.Add(-keepFor)); err != nil {
			return err
		}
		in.Incidents, err = tx.Incidents(ctx, now.Add(-keepFor))
		return err
	})
	if err != nil {
		return nil, err
	}
	s := &site{snapshot: page.Build(in), page: h.page, at: now, made: map[string]document{}}
	for _, i := range in.Incidents {
		if !i.Public() {
			s.drafts++
		}
	}
	return s, nil
}

// public serves the pages for customers.
func (h *hub) public() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, q *http.Request) {
		s := h.shown.Load()
		path := strings.TrimPrefix(q.URL.Path, "/")
		d, err := s.document(path)
		if err != nil {
			h.log.Error("A public page cannot be rendered", "path", path, "err", err)
			plain(w, http.StatusInternalServerError, "the page cannot be rendered")
			return
		}
		secure(w, h.page.Policy(path))
		if s.snapshot.NoIndex {
			w.Header().Set("X-Robots-Tag", "noindex")
		}
		if d.kind == "" {
			if d, err := s.document(path + "/"); err == nil && d.kind != "" && path != "" {
				http.Redirect(w, q, "/"+path+"/", http.StatusMovedPermanently)
				return
			}
			plain(w, http.StatusNotFound, "page not found")
			return
		}
		w.Header().Set("Content-Type", d.kind)
		w.Header().Set("Cache-Control", "public, max-age=10, stale-while-revalidate=30")
		w.Header().Set("ETag", d.etag)
		if !strings.HasPrefix(d.kind, "text/html") {
			w.Header().Set("Access-Control-Allow-Origin", "*")
		}
		if q.Header.Get("If-None-Match") == d.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(d.body) // the client may have disconnected
	})
	return mux
}
