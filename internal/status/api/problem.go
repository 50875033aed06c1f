package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// A refusal is the reason why a request is not executed.
type refusal struct {
	code   int
	detail string // a sentence
}

// Error implements error.
func (r refusal) Error() string { return r.detail }

// A problem is an error in the format of RFC 9457.
type problem struct {
	Type   string `json:"type"` // about:blank: Status says it all
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// retryAfter is the Retry-After of temporary refusals, in seconds.
const retryAfter = "5"

// refuse responds with a problem.
func (a *API) refuse(w http.ResponseWriter, err error) {
	r := a.refusal(err)
	switch r.code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	raw, _ := json.Marshal(problem{"about:blank", http.StatusText(r.code), r.code, r.detail}) // never fails
	a.write(w, r.code, append(raw, '\n'))
}

// refusal returns the refusal that an error results in.
func (a *API) refusal(err error) refusal {
	var (
		r refusal
		m desk.Mistake
		c desk.Conflict
	)
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &m):
		return refusal{http.StatusUnprocessableEntity, m.Error()}
	case errors.As(err, &c):
		return refusal{http.StatusConflict, c.Error()}
	case errors.Is(err, store.ErrChanged):
		return refusal{http.StatusConflict, "It has been changed in the meantime: read it again."}
	case errors.Is(err, store.ErrNotFound):
		return refusal{http.StatusNotFound, "There is none of this name."}
	}
	a.Failed(err)
	return refusal{http.StatusServiceUnavailable, "The database is not available; the hub's log says why."}
}

// unknown responds to a request without a route: an unknown path, or a wrong method.
func (a *API) unknown(w http.ResponseWriter, q *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := q.Clone(q.Context())
		other.Method = method
		if _, pattern := a.mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.refuse(w, refusal{http.StatusMethodNotAllowed, "Allowed are " + strings.Join(allowed, ", ") + "."})
		return
	}
	a.refuse(w, refusal{http.StatusNotFound, "There is no such path; " + Base + "/openapi.yaml has all of them."})
}
