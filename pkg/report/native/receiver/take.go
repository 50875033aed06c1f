package receiver

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/report/native"
)

// A Report is a report that conforms to the schema.
type Report struct {
	Body    native.Body
	Unknown int // number of ignored fields that this version of the protocol does not list
}

// A Refused is the code and the content of a refusal.
type Refused struct {
	Code int
	native.Refusal
}

// maxFields is the maximum number of listed errors of one body.
const maxFields = 20

// errTooLarge reports that a body exceeds the limit.
var errTooLarge = errors.New("the body is too large")

// Read returns the report in a request whose sender is authenticated as node, or a
// refusal. most is the maximum size of the body, in bytes, before compression.
func (s *Schema) Read(q *http.Request, node string, most int) (Report, *Refused) {
	refused := func(code int, no native.Refusal) (Report, *Refused) { return Report{}, &Refused{code, no} }
	if q.Header.Get("Content-Type") != "application/json" {
		return refused(http.StatusUnsupportedMediaType, native.Refusal{Error: "the body is not application/json"})
	}
	raw, err := read(q, most)
	switch {
	case errors.Is(err, errTooLarge):
		return refused(http.StatusRequestEntityTooLarge, native.Refusal{Error: err.Error(), MaxBody: most})
	case err != nil:
		return refused(http.StatusBadRequest, native.Refusal{Error: err.Error()})
	}
	r, wrong := s.parse(raw, q.Header.Get("Idempotency-Key"))
	switch {
	case len(wrong) > 0:
		return refused(http.StatusUnprocessableEntity, native.Refusal{Error: "the body is not a report",
			Fields: wrong[:min(len(wrong), maxFields)]})
	case r.Body.Node.ID != node:
		return refused(http.StatusForbidden, native.Refusal{Error: "the secret does not belong to " + r.Body.Node.ID})
	}
	return r, nil
}

// parse checks and decodes a report that arrived with the given key, and counts its
// unknown fields.
func (s *Schema) parse(raw []byte, key string) (r Report, wrong []native.Field) {
	doc, wrong := check(s.report, raw)
	if len(wrong) > 0 {
		return r, wrong
	}
	if err := json.Unmarshal(raw, &r.Body); err != nil {
		return r, []native.Field{{Text: err.Error()}}
	}
	r.Unknown = s.body.unknown(doc)
	if want := Key(r.Body); key != want {
		wrong = append(wrong, native.Field{Field: "Idempotency-Key", Text: fmt.Sprintf("is %q, not %q", key, want)})
	}
	return r, wrong
}

// Key returns the Idempotency-Key of a body.
func Key(b native.Body) string {
	boot := b.Agent.Boot
	if boot == "" {
		boot = "unknown"
	}
	return fmt.Sprintf("%s/%s/%d", b.Node.ID, url.PathEscape(boot), b.Seq)
}

// Bearer returns the bearer token of a request; false if it has none.
func Bearer(q *http.Request) (token string, ok bool) {
	token, ok = strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	return token, ok && token != ""
}

// Certified returns the node id in the client's verified certificate; false if there
// is no such certificate.
func Certified(q *http.Request) (node string, ok bool) {
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

// read returns the decompressed body.
func read(q *http.Request, most int) ([]byte, error) {
	var in io.Reader = io.LimitReader(q.Body, int64(most)+1)
	switch e := q.Header.Get("Content-Encoding"); e {
	case "":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("not gzip: %w", err)
		}
		in = io.LimitReader(z, int64(most)+1)
	default:
		return nil, fmt.Errorf("the encoding %q is not supported", e)
	}
	raw, err := io.ReadAll(in)
	if err == nil && len(raw) > most {
		err = errTooLarge
	}
	return raw, err
}
