// Package api is the operators' API over HTTP with JSON: the fleet, incidents,
// maintenance, tokens and the audit log, as on the operators' pages. openapi.yaml
// describes it.
package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/checks"
	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/desk"
	"github.com/nodewatch/nodewatch/internal/status/ratelimit"
	"github.com/nodewatch/nodewatch/internal/status/store"
)

// Base is the path prefix of all routes.
const Base = "/api/v1"

//go:embed openapi.yaml
var document []byte

// A Config contains the parts of the hub that an API uses.
type Config struct {
	Store  *store.Store
	Config func() config.Config // returns the configuration in force
	Checks func() []checks.Latest
	Now    func() time.Time
	Rate   float64     // requests per second of one token
	Failed func(error) // receives the error if the database is not available; must not block
}

// The limits of requests.
const (
	maxBody   = 64 << 10 // bytes
	burst     = 20       // at once
	maxTokens = 1000     // tokens whose rates are limited separately
)

// An API is an http.Handler for all paths below Base.
type API struct {
	Config
	mux    *http.ServeMux
	limits *ratelimit.Limits

	mu    sync.Mutex
	codes map[int]uint64
}

// New returns an API.
func New(c Config) *API {
	a := &API{Config: c, mux: http.NewServeMux(), limits: ratelimit.New(c.Rate, burst, maxTokens), codes: map[int]uint64{}}
	a.mux.HandleFunc("GET "+Base+"/openapi.yaml", a.describe)
	a.mux.HandleFunc("/", a.unknown)
	for _, r := range a.routes() {
		a.mux.HandleFunc(r.method+" "+Base+r.path, func(w http.ResponseWriter, q *http.Request) { a.serve(w, q, r) })
	}
	return a
}

// Count returns the number of answered requests by HTTP status.
func (a *API) Count() map[int]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.codes)
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	a.mux.ServeHTTP(w, q)
}

// describe serves the description of the API, which is not secret.
func (a *API) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	a.write(w, http.StatusOK, document)
}

// A route is an operation of the API, and the role that may use it.
type route struct {
	method, path string
	role         string
	do           func(*call) (answer, error)
}

// changes reports whether the route changes something.
func (r route) changes() bool { return r.method != http.MethodGet }

func (a *API) routes() []route {
	return []route{
		{"GET", "/nodes", store.Viewer, a.nodes},
		{"GET", "/nodes/{key}", store.Viewer, a.node},
		{"GET", "/checks", store.Viewer, a.listChecks},
		{"GET", "/incidents", store.Viewer, a.incidents},
		{"POST", "/incidents", store.OperatorRole, a.openIncident},
		{"GET", "/incidents/{ref}", store.Viewer, a.incident},
		{"PATCH", "/incidents/{ref}", store.OperatorRole, a.editIncident},
		{"DELETE", "/incidents/{ref}", store.OperatorRole, a.deleteIncident},
		{"POST", "/incidents/{ref}/updates", store.OperatorRole, a.updateIncident},
		{"POST", "/incidents/{ref}/publish", store.OperatorRole, a.publishIncident},
		{"POST", "/incidents/{ref}/take-over", store.OperatorRole, a.takeOver},
		{"PUT", "/incidents/{ref}/postmortem", store.OperatorRole, a.writePostmortem},
		{"POST", "/incidents/{ref}/postmortem/draft", store.OperatorRole, a.draftPostmortem},
		{"GET", "/maintenance", store.Viewer, a.maintenances},
		{"POST", "/maintenance", store.OperatorRole, a.scheduleMaintenance},
		{"GET", "/maintenance/{ref}", store.Viewer, a.maintenance},
		{"PATCH", "/maintenance/{ref}", store.OperatorRole, a.editMaintenance},
		{"DELETE", "/maintenance/{ref}", store.OperatorRole, a.deleteMaintenance},
		{"POST", "/maintenance/{ref}/updates", store.OperatorRole, a.updateMaintenance},
		{"POST", "/maintenance/{ref}/publish", store.OperatorRole, a.publishMaintenance},
		{"GET", "/tokens", store.Admin, a.tokens},
		{"POST", "/tokens", store.Admin, a.createToken},
		{"GET", "/tokens/{id}", store.Admin, a.token},
		{"POST", "/tokens/{id}/revoke", store.Admin, a.revokeToken},
		{"GET", "/audit", store.OperatorRole, a.audit},
	}
}

// A call is an admitted request within a transaction.
type call struct {
	desk.Desk
	ctx  context.Context
	q    *http.Request
	tx   *store.Tx
	body []byte
}

// path returns a path parameter.
func (c *call) path(name string) string { return c.q.PathValue(name) }

// An answer is the result of a request.
type answer struct {
	code  int
	doc   any    // nil: the response has no body
	shows string // the path of the resource in doc, below Base
}

func found(doc any, shows string) answer { return answer{http.StatusOK, doc, shows} }
func made(doc any, shows string) answer  { return answer{http.StatusCreated, doc, shows} }

// serve responds to a request for a route.
func (a *API) serve(w http.ResponseWriter, q *http.Request, r route) {
	k, err := a.admitted(q, r.role)
	if err == nil {
		c := &call{Desk: desk.Desk{Config: a.Config.Config(), Who: "api:" + k.Label, Now: a.Now()}, ctx: q.Context(), q: q}
		var out answer
		if out, err = a.run(c, k, r); err == nil {
			a.answer(w, out)
			return
		}
	}
	a.refuse(w, err)
}

// admitted returns the token of a request that is allowed.
func (a *API) admitted(q *http.Request, role string) (k store.Token, err error) {
	secret, is := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	if !is || secret == "" {
		return k, refusal{http.StatusUnauthorized, "The request has no bearer token."}
	}
	known := false
	if err := a.Store.View(q.Context(), func(tx *store.Tx) (err error) {
		k, known, err = tx.TokenOf(q.Context(), secret)
		return err
	}); err != nil {
		return k, err
	}
	now := a.Now()
	switch {
	case !known || !k.Valid(now):
		return k, refusal{http.StatusUnauthorized, "The token is not known, has expired or was revoked."}
	case k.Kind != store.APIToken:
		return k, refusal{http.StatusForbidden, fmt.Sprintf("The token is of kind %s; this needs one of kind %s.", k.Kind, store.APIToken)}
	case !a.limits.Allow(strconv.FormatInt(k.ID, 10), now):
		return k, refusal{http.StatusTooManyRequests, "Too many requests with this token."}
	case !store.May(k.Subject, role):
		return k, refusal{http.StatusForbidden, fmt.Sprintf("This needs the role %s; that of the token is %s.", role, k.Subject)}
	}
	return k, nil
}

// run executes a route. A change that is repeated with the same Idempotency-Key is
// made once; the repetition is answered with the current state.
func (a *API) run(c *call, k store.Token, r route) (out answer, err error) {
	if !r.changes() {
		if err := a.Store.View(c.ctx, func(tx *store.Tx) (err error) {
			c.tx = tx
			out, err = r.do(c)
			return err
		}); err != nil {
			return out, err
		}
		a.noteUse(c, k)
		return out, nil
	}
	if c.body, err = read(c.q); err != nil {
		return out, err
	}
	request := store.Request{Token: k.ID, Key: c.q.Header.Get("Idempotency-Key"), Digest: digest(c.q, c.body), At: c.Now}
	if request.Key != "" && !keyFormat.MatchString(request.Key) {
		return out, refusal{http.StatusBadRequest, "The Idempotency-Key must have 1 to 64 letters, digits and . _ : -"}
	}
	return out, a.Store.Update(c.ctx, func(tx *store.Tx) error {
		c.tx = tx
		if err := tx.UseToken(c.ctx, k, c.Now); err != nil {
			return err
		}
		if request.Key != "" {
			earlier, claimed, err := tx.ClaimRequest(c.ctx, request)
			switch {
			case err != nil:
				return err
			case !claimed && !bytes.Equal(earlier.Digest, request.Digest):
				return refusal{http.StatusUnprocessableEntity, "Another request had this Idempotency-Key."}
			case !claimed:
				out, err = a.again(c, r, earlier.Shows)
				return err
			}
		}
		if out, err = r.do(c); err != nil || request.Key == "" {
			return err
		}
		return tx.RequestShows(c.ctx, k.ID, request.Key, out.shows)
	})
}

// noteUse records that a token was used to read. The response is sent even if the
// database cannot be written.
func (a *API) noteUse(c *call, k store.Token) {
	if k.UseNoted(c.Now) {
		return
	}
	if err := a.Store.Update(c.ctx, func(tx *store.Tx) error { return tx.UseToken(c.ctx, k, c.Now) }); err != nil {
		a.Failed(err)
	}
}

// keyFormat is the format of an Idempotency-Key.
var keyFormat = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// digest returns a hash that identifies the content of a request.
func digest(q *http.Request, body []byte) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s", q.Method, q.URL.RequestURI(), body))
	return sum[:]
}

// again responds to a repeated request.
func (a *API) again(c *call, r route, shows string) (out answer, err error) {
	section, name, _ := strings.Cut(strings.TrimPrefix(shows, "/"), "/")
	switch section {
	case "incidents":
		out, err = showIncident(c, name)
	case "maintenance":
		out, err = showMaintenance(c, name)
	case "tokens":
		out, err = showToken(c, name)
	default: // the request deleted something
		return answer{code: http.StatusNoContent}, nil
	}
	if err == nil && r.creates() {
		out.code = http.StatusCreated
	}
	return out, err
}

// creates reports whether the route creates something with its own address.
func (r route) creates() bool { return r.method == http.MethodPost && strings.Count(r.path, "/") == 1 }

// read returns the body of a request.
func read(q *http.Request) ([]byte, error) {
	if q.Header.Get("Content-Encoding") != "" {
		return nil, refusal{http.StatusUnsupportedMediaType, "The body must not be compressed."}
	}
	raw, err := io.ReadAll(io.LimitReader(q.Body, maxBody+1))
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "The body cannot be read to its end."}
	}
	if len(raw) > maxBody {
		return nil, refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("The body has more than %d bytes.", maxBody)}
	}
	if kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); len(raw) > 0 && (err != nil || kind != "application/json") {
		return nil, refusal{http.StatusUnsupportedMediaType, "The Content-Type must be application/json."}
	}
	return raw, nil
}

// decode decodes the body into a value. Without a body the value stays unchanged.
func (c *call) decode(to any) error {
	if len(c.body) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something after the object")
		}
	}
	if err != nil {
		return refusal{http.StatusBadRequest, "The body is not what is expected: " + strings.TrimPrefix(err.Error(), "json: ") + "."}
	}
	return nil
}

// write writes a response and counts it.
func (a *API) write(w http.ResponseWriter, code int, body []byte) {
	a.mu.Lock()
	a.codes[code]++
	a.mu.Unlock()
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client may have disconnected
}

func (a *API) answer(w http.ResponseWriter, out answer) {
	if out.doc == nil {
		a.write(w, out.code, nil)
		return
	}
	raw, err := json.Marshal(out.doc)
	if err != nil {
		a.refuse(w, fmt.Errorf("api: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if out.code == http.StatusCreated {
		w.Header().Set("Location", Base+out.shows)
	}
	a.write(w, out.code, append(raw, '\n'))
}
