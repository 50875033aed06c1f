package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// maxInterval is the longest interval that a backend may request.
const maxInterval = time.Hour

// A Response is the backend's response to an accepted body.
type Response struct {
	Accepted   uint64    `json:"accepted_seq"` // the seq of that body
	ServerTime time.Time `json:"server_time"`
	Next       float64   `json:"next_interval_s,omitempty"` // the requested interval, s; 0: as configured
}

// A Refusal is the backend's response to a rejected body.
type Refusal struct {
	Error    string  `json:"error"`
	Reason   string  `json:"reason,omitempty"`       // with 409: OldSeq or OtherInstance
	Accepted uint64  `json:"accepted_seq,omitempty"` // with OldSeq: the latest seq
	MaxBody  int     `json:"max_bytes,omitempty"`    // with 413: the largest accepted body, before compression
	Fields   []Field `json:"fields,omitempty"`       // with 422
}

// The reasons of a conflict.
const (
	OldSeq        = "old_seq"        // a body with a higher seq has been accepted
	OtherInstance = "other_instance" // another agent reports this node
)

// A Field is one error in a body.
type Field struct {
	Field string `json:"field"` // where: components[0].status
	Text  string `json:"text"`
}

// ParseResponse parses the response to the body with the given seq. Only one JSON
// object with that seq and the backend's time is an acknowledgement; it may contain
// unknown fields.
func ParseResponse(raw []byte, seq uint64) (Response, error) {
	var a struct {
		Accepted   *uint64    `json:"accepted_seq"`
		ServerTime *time.Time `json:"server_time"`
		Next       *float64   `json:"next_interval_s"`
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&a); err != nil {
		return Response{}, errors.New("not a JSON object with accepted_seq and server_time")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Response{}, errors.New("more than one JSON object")
	}
	switch {
	case a.Accepted == nil || a.ServerTime == nil:
		return Response{}, errors.New("accepted_seq or server_time is missing")
	case *a.Accepted != seq:
		return Response{}, fmt.Errorf("accepted_seq is %d, but %d was sent", *a.Accepted, seq)
	case a.Next != nil && *a.Next < 0:
		return Response{}, errors.New("next_interval_s is negative")
	}
	out := Response{Accepted: seq, ServerTime: *a.ServerTime}
	if a.Next != nil {
		out.Next = min(*a.Next, maxInterval.Seconds())
	}
	return out, nil
}

// acknowledgement parses a 2xx response. One that acknowledges nothing, such as that
// of a proxy or a login form, is a transient failure.
func acknowledgement(a httpclient.Response, seq uint64) (Response, error) {
	err := errors.New("the code is not 200")
	if a.Code == http.StatusOK {
		var ok Response
		if ok, err = ParseResponse(a.Body, seq); err == nil {
			return ok, nil
		}
	}
	return Response{}, &report.Failure{Kind: report.Transient, Err: fmt.Errorf("not an acknowledgement, %w: %s", err, a.Line())}
}

// parseRefusal parses a refusal as far as possible.
func parseRefusal(raw []byte) Refusal {
	var f Refusal
	if json.Unmarshal(raw, &f) != nil {
		return Refusal{}
	}
	return f
}

// shownFields is the maximum number of errors shown for a 422.
const shownFields = 5

// refused returns the failure with the errors that the backend lists, if any.
func refused(a httpclient.Response, f *report.Failure, token string) *report.Failure {
	list := parseRefusal(a.Body).Fields
	if a.Code != http.StatusUnprocessableEntity || len(list) == 0 {
		return f
	}
	t, words := trimmer{}, []string{}
	for _, x := range list[:min(len(list), shownFields)] {
		words = append(words, t.text(mask(x.Field, token), maxName)+": "+t.text(mask(x.Text, token), maxLine))
	}
	if more := len(list) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return &report.Failure{Kind: f.Kind, Err: fmt.Errorf("422, the backend rejects the report as invalid: %s", strings.Join(words, "; "))}
}

func mask(s, token string) string {
	if token == "" {
		return s
	}
	return strings.ReplaceAll(s, token, "(hidden)")
}
