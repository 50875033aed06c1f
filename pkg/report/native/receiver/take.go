package receiver

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// errTooLarge says that a body is larger than is taken.
var errTooLarge = errors.New("the body is too large")

// take takes one report.
func (r *Receiver) take(w http.ResponseWriter, q *http.Request) {
	b, unknown, code, no := r.body(q)
	if code != 0 {
		r.refuse(w, code, no)
		return
	}
	answer, conflict := r.keep(b, unknown, q.Header.Get("Idempotency-Key"))
	if conflict != nil {
		r.refuse(w, http.StatusConflict, *conflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// body returns the report in a request and how many unknown fields it has, or with
// which code to refuse it.
func (r *Receiver) body(q *http.Request) (b native.Body, unknown, code int, no native.Refusal) {
	who, ok := r.speaker(q)
	if !ok {
		return b, 0, http.StatusUnauthorized, native.Refusal{Error: "the secret is not known"}
	}
	if q.Header.Get("Content-Type") != "application/json" {
		return b, 0, http.StatusUnsupportedMediaType, native.Refusal{Error: "the body is not application/json"}
	}
	raw, err := r.read(q)
	switch {
	case errors.Is(err, errTooLarge):
		return b, 0, http.StatusRequestEntityTooLarge, native.Refusal{Error: err.Error(), Most: r.config.Most}
	case err != nil:
		return b, 0, http.StatusBadRequest, native.Refusal{Error: err.Error()}
	}
	b, unknown, wrong := r.understand(raw, q.Header.Get("Idempotency-Key"))
	switch {
	case len(wrong) > 0:
		return b, 0, http.StatusUnprocessableEntity, native.Refusal{Error: "the body is not a report", Fields: wrong}
	case b.Node.ID != who:
		return b, 0, http.StatusForbidden, native.Refusal{Error: "the secret is not that of " + b.Node.ID}
	}
	return b, unknown, 0, native.Refusal{}
}

// understand checks and decodes a report that came with the given key, and counts
// its unknown fields.
func (r *Receiver) understand(raw []byte, key string) (b native.Body, unknown int, wrong []native.Field) {
	if wrong = r.schema.Report(raw); len(wrong) > 0 {
		return b, 0, wrong
	}
	var plain any
	if err := errors.Join(json.Unmarshal(raw, &b), json.Unmarshal(raw, &plain)); err != nil {
		return b, 0, []native.Field{{Text: err.Error()}}
	}
	unknown = unknownFields(plain, reflect.TypeOf(b))
	if want := Key(b); key != want {
		wrong = append(wrong, native.Field{Field: "Idempotency-Key", Text: fmt.Sprintf("is %q, not %q", key, want)})
	}
	return b, unknown, wrong
}

// unknownFields counts the fields of a JSON value that a Go type does not have.
func unknownFields(v any, t reflect.Type) (n int) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n += unknownFields(item, t.Elem())
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return 0
		}
		known := map[string]reflect.Type{}
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			known[name] = f.Type
		}
		for name, below := range v {
			if of, is := known[name]; is {
				n += unknownFields(below, of)
			} else {
				n++
			}
		}
	}
	return n
}

// Key is the Idempotency-Key of a body.
func Key(b native.Body) string {
	boot := b.Agent.Boot
	if boot == "" {
		boot = "unknown"
	}
	return fmt.Sprintf("%s/%s/%d", b.Node.ID, url.PathEscape(boot), b.Seq)
}

// speaker is the id of the node that the secret or the certificate belongs to.
func (r *Receiver) speaker(q *http.Request) (id string, ok bool) {
	if len(r.config.Tokens) > 0 {
		token, bearer := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
		id, ok = r.config.Tokens[token]
		return id, bearer && ok
	}
	if q.TLS == nil || len(q.TLS.VerifiedChains) == 0 {
		return "", false
	}
	for _, u := range q.TLS.PeerCertificates[0].URIs {
		if u.Scheme == "nodewatch" {
			return u.Opaque, u.Opaque != ""
		}
	}
	return "", false
}

// read returns the body, decompressed.
func (r *Receiver) read(q *http.Request) ([]byte, error) {
	most := int64(r.config.Most)
	var in io.Reader = io.LimitReader(q.Body, most+1)
	switch e := q.Header.Get("Content-Encoding"); e {
	case "":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("not gzip: %w", err)
		}
		in = io.LimitReader(z, most+1)
	default:
		return nil, fmt.Errorf("the encoding %q is not known", e)
	}
	raw, err := io.ReadAll(in)
	if err == nil && int64(len(raw)) > most {
		err = errTooLarge
	}
	return raw, err
}

// keep keeps a body, and answers; or says which conflict there is.
func (r *Receiver) keep(b native.Body, unknown int, key string) (answer []byte, no *native.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.config.Now()
	k := r.nodes[b.Node.ID]
	if k == nil {
		k = &known{ids: map[string]bool{}, answers: map[string][]byte{}}
		r.nodes[b.Node.ID] = k
	}
	answer, err := json.Marshal(native.Answer{Accepted: b.Seq, ServerTime: now.UTC(), Next: r.config.Next.Seconds()})
	if err != nil {
		return nil, &native.Refusal{Error: err.Error()}
	}
	if b.Test != "" {
		k.Tests++
		return answer, nil
	}
	if earlier, ok := k.answers[key]; ok {
		return earlier, nil
	}
	if no := k.conflict(b, now); no != nil {
		return nil, no
	}
	k.arrived, k.answers[key] = now, answer
	k.Unknown += unknown
	k.Bodies = append(k.Bodies, b)
	for _, t := range b.Transitions {
		if k.ids[t.ID] {
			k.Repeated++
			continue
		}
		k.ids[t.ID] = true
		k.Transitions = append(k.Transitions, t)
	}
	return answer, nil
}

// conflict says why a body does not follow the latest one; nil: it does.
func (k *known) conflict(b native.Body, now time.Time) *native.Refusal {
	if len(k.Bodies) == 0 {
		return nil
	}
	last := k.Latest()
	sameRun := b.Agent.Started.Equal(last.Agent.Started)
	sameBoot := b.Agent.Boot != "" && b.Agent.Boot == last.Agent.Boot
	if sameRun || sameBoot {
		if b.Seq > last.Seq {
			return nil
		}
		return &native.Refusal{Error: "a newer report was taken", Reason: native.OldSeq, Accepted: last.Seq}
	}
	dead := last.Final != nil || now.Sub(k.arrived) > time.Duration(last.TTL)*time.Second
	if dead || b.Agent.Started.After(last.Agent.Started) {
		return nil
	}
	return &native.Refusal{Error: "another agent, which started later, speaks for this node", Reason: native.OtherInstance}
}
