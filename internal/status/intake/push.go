package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/internal/status/uptime"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
)

// maxPush is the maximum size of a push, in bytes.
const maxPush = 8 << 10

// maxTTL is the maximum time for which a push is valid.
const maxTTL = 31 * 24 * time.Hour

// A Push is the state of a component.
type Push struct {
	Status  report.Impact `json:"status"`
	Summary string        `json:"summary"` // one line, for operators
	TTL     int           `json:"ttl_s"`   // so long it counts, s; 0: until the next push
}

// push receives the state of a component: POST /v1/components/ID, as a form or as
// JSON.
func (i *Intake) push(w http.ResponseWriter, q *http.Request) {
	now := i.config.Now()
	component := q.PathValue("component")
	k, no := i.admitted(q, store.PushToken, now)
	if no == nil && k.Subject != component {
		no = &receiver.Refused{Code: http.StatusForbidden, Refusal: native.Refusal{Error: "the token is not for this component"}}
	}
	if no != nil {
		i.refuse(w, *no)
		return
	}
	p, no := readPush(q)
	if no != nil {
		i.refuse(w, *no)
		return
	}
	s := store.Signal{Summary: p.Summary}
	if p.TTL > 0 {
		s.Expires = now.Add(time.Duration(p.TTL) * time.Second)
	}
	err := i.store.Update(q.Context(), func(tx *store.Tx) error {
		if err := tx.UseToken(q.Context(), k, now); err != nil {
			return err
		}
		return set(q.Context(), tx, store.Key{Kind: store.Pushed, Name: component}, s, uptime.Change{At: now, State: p.Status})
	})
	if err != nil {
		i.failed(err)
		i.unavailable(w)
		return
	}
	i.counts.pushed.Add(1)
	i.write(w, http.StatusOK, struct {
		Time time.Time `json:"server_time"`
	}{now.UTC()})
}

// set stores the state of a signal from a time on, if it differs from the state
// before.
func set(ctx context.Context, tx *store.Tx, k store.Key, s store.Signal, c uptime.Change) error {
	id, err := tx.Signal(ctx, k, s)
	if err != nil {
		return err
	}
	states, err := tx.States(ctx, k.Kind, k.Owner)
	if err != nil {
		return err
	}
	if was, known := states[k.Name]; known && was.State == c.State && was.Reason == c.Reason {
		return nil
	}
	return tx.Rewrite(ctx, id, c.At, uptime.Timeline{c})
}

// admitted returns the token of a kind from a request, unless its rate is exceeded.
func (i *Intake) admitted(q *http.Request, kind string, now time.Time) (store.Token, *receiver.Refused) {
	secret, is := receiver.Bearer(q)
	if !is {
		return store.Token{}, &receiver.Refused{Code: http.StatusUnauthorized,
			Refusal: native.Refusal{Error: "no token: Authorization: Bearer nws_..."}}
	}
	k, no := i.token(q.Context(), secret, kind, now)
	if no != nil {
		return k, no
	}
	if !i.limits.Allow("token "+strconv.FormatInt(k.ID, 10), now) {
		return k, &receiver.Refused{Code: http.StatusTooManyRequests, Refusal: native.Refusal{Error: "too many requests with this token"}}
	}
	return k, nil
}

// limited reads a body of at most n bytes.
func limited(q *http.Request, n int) ([]byte, *receiver.Refused) {
	raw, err := io.ReadAll(io.LimitReader(q.Body, int64(n)+1))
	switch {
	case err != nil:
		return nil, &receiver.Refused{Code: http.StatusBadRequest, Refusal: native.Refusal{Error: err.Error()}}
	case len(raw) > n:
		return nil, &receiver.Refused{Code: http.StatusRequestEntityTooLarge,
			Refusal: native.Refusal{Error: "the body is too large", MaxBody: n}}
	}
	return raw, nil
}

// readPush parses a push.
func readPush(q *http.Request) (p Push, no *receiver.Refused) {
	raw, no := limited(q, maxPush)
	if no != nil {
		return p, no
	}
	kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type")) // an invalid media type is none of these
	var err error
	switch kind {
	case "application/json":
		err = json.Unmarshal(raw, &p)
	case "application/x-www-form-urlencoded":
		p, err = parseForm(raw)
	default:
		return p, &receiver.Refused{Code: http.StatusUnsupportedMediaType,
			Refusal: native.Refusal{Error: "the body is neither application/json nor a form"}}
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return p, &receiver.Refused{Code: http.StatusUnprocessableEntity, Refusal: native.Refusal{Error: err.Error()}}
	}
	return p, nil
}

func (p *Push) check() error {
	p.Summary = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, p.Summary)
	switch {
	case !slices.Contains(report.Impacts(), p.Status):
		return fmt.Errorf("status: %q must be one of %s", p.Status, impacts())
	case len(p.Summary) > 300:
		return errors.New("summary: must be at most 300 bytes long")
	case p.TTL < 0 || time.Duration(p.TTL)*time.Second > maxTTL:
		return fmt.Errorf("ttl_s: must be from 0 to %d", int(maxTTL.Seconds()))
	}
	return nil
}

func impacts() string {
	var words []string
	for _, i := range report.Impacts() {
		words = append(words, string(i))
	}
	return strings.Join(words, ", ")
}
