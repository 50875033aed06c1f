// Package intake receives reports of nodes by the protocol of docs/report-protocol.md,
// pushed component states, and alerts. It acknowledges only what is stored.
package intake

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/ratelimit"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

// Config configures how reports are received.
type Config struct {
	Now  func() time.Time // the hub's clock
	Next time.Duration    // the interval at which nodes are to report; 0: as configured on the nodes
	Rate float64          // requests per second of one token or certificate

	Failed func(error) // receives errors of the store
}

// The defaults and limits of the intake.
const (
	DefaultRate = 2
	burst       = 20 // requests at once, as when a node sends its queue
	maxSenders  = 20000
	maxQueue    = 512 // maximum number of reports that wait for the store
)

// An Intake is an http.Handler that receives reports. It needs Run to be running.
type Intake struct {
	config Config
	schema *receiver.Schema
	store  *store.Store
	mux    *http.ServeMux
	limits *ratelimit.Limits
	queue  chan pending
	counts counts
}

// New returns an Intake that stores reports in s.
func New(c Config, s *store.Store) (*Intake, error) {
	schema, err := receiver.NewSchema()
	if err != nil {
		return nil, err
	}
	if c.Rate == 0 {
		c.Rate = DefaultRate
	}
	i := &Intake{config: c, schema: schema, store: s, mux: http.NewServeMux(), limits: ratelimit.New(c.Rate, burst, maxSenders),
		queue: make(chan pending, maxQueue)}
	i.mux.HandleFunc("POST /v1/report", i.report)
	i.mux.HandleFunc("POST /v1/components/{component}", i.push)
	i.mux.HandleFunc("POST /v1/alertmanager", i.alertmanager)
	i.mux.HandleFunc("POST /v1/join", i.join)
	return i, nil
}

// ServeHTTP implements http.Handler.
func (i *Intake) ServeHTTP(w http.ResponseWriter, q *http.Request) { i.mux.ServeHTTP(w, q) }

// report receives one report of a node.
func (i *Intake) report(w http.ResponseWriter, q *http.Request) {
	now := i.config.Now()
	k, node, no := i.authenticate(q, now)
	if no != nil {
		i.refuse(w, *no)
		return
	}
	got, no := i.schema.Read(q, node, native.MaxBody)
	if no != nil {
		i.refuse(w, *no)
		return
	}
	i.counts.unknown.Add(uint64(got.Unknown))
	if got.Body.Test != "" {
		if err := i.noteUse(q.Context(), k, now); err != nil {
			i.failed(err)
			i.unavailable(w)
			return
		}
		i.answer(w, native.Response{Accepted: got.Body.Seq, ServerTime: now.UTC(), Next: i.config.Next.Seconds()})
		return
	}
	out, ok := i.enqueue(q.Context(), k, got.Body, now)
	switch {
	case !ok:
		i.unavailable(w)
	case out.conflict != nil:
		i.refuse(w, receiver.Refused{Code: http.StatusConflict, Refusal: *out.conflict})
	default:
		i.counts.taken.Add(1)
		i.answer(w, out.answer)
	}
}

// authenticate returns the key of the node that sent the request and its token, or why
// the request is refused. The token is zero if a certificate identifies the node.
func (i *Intake) authenticate(q *http.Request, now time.Time) (k store.Token, node string, no *receiver.Refused) {
	who := "certificate"
	if token, is := receiver.Bearer(q); is {
		if k, no = i.token(q.Context(), token, store.NodeToken, now); no != nil {
			return k, "", no
		}
		node, who = k.Subject, "token"
	} else if node, is = receiver.Certified(q); !is {
		return k, "", &receiver.Refused{Code: http.StatusUnauthorized,
			Refusal: native.Refusal{Error: "no token and no client certificate of a node"}}
	}
	if !i.limits.Allow(who+" "+node, now) {
		return k, "", &receiver.Refused{Code: http.StatusTooManyRequests, Refusal: native.Refusal{Error: "too many requests of this node"}}
	}
	return k, node, nil
}

// token returns the valid token of a kind with a secret.
func (i *Intake) token(ctx context.Context, secret, kind string, now time.Time) (k store.Token, no *receiver.Refused) {
	var known bool
	err := i.store.View(ctx, func(tx *store.Tx) (err error) {
		k, known, err = tx.TokenOf(ctx, secret)
		return err
	})
	switch {
	case err != nil:
		i.failed(err)
		return k, &receiver.Refused{Code: http.StatusServiceUnavailable, Refusal: native.Refusal{Error: "the database is not available"}}
	case !known || !k.Valid(now):
		return k, &receiver.Refused{Code: http.StatusUnauthorized,
			Refusal: native.Refusal{Error: "the token is unknown, expired or revoked"}}
	case k.Kind != kind:
		return k, &receiver.Refused{Code: http.StatusForbidden, Refusal: native.Refusal{Error: "the token is of kind " + k.Kind +
			", not " + kind}}
	}
	return k, nil
}

// noteUse records that a token was used, if nothing else is written.
func (i *Intake) noteUse(ctx context.Context, k store.Token, now time.Time) error {
	if k.ID == 0 || k.UseNoted(now) {
		return nil
	}
	return i.store.Update(ctx, func(tx *store.Tx) error { return tx.UseToken(ctx, k, now) })
}

// retryAfter is the Retry-After of temporary refusals.
const retryAfter = 5 * time.Second

func (i *Intake) unavailable(w http.ResponseWriter) {
	i.refuse(w, receiver.Refused{Code: http.StatusServiceUnavailable,
		Refusal: native.Refusal{Error: "the report could not be stored; send it again"}})
}

// refuse responds with a refusal.
func (i *Intake) refuse(w http.ResponseWriter, no receiver.Refused) {
	i.counts.refused(no.Code)
	switch no.Code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(retryAfter.Seconds()))))
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	i.write(w, no.Code, no.Refusal)
}

func (i *Intake) answer(w http.ResponseWriter, a native.Response) { i.write(w, http.StatusOK, a) }

func (i *Intake) write(w http.ResponseWriter, code int, doc any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(doc) // the client may have disconnected
}
