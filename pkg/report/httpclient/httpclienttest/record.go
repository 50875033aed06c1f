// Package httpclienttest is for the tests of reporters: a recorder of what they ask, and
// the servers that they must survive.
package httpclienttest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// A Request is one request as it arrived.
type Request struct {
	Method string
	Host   string // the Host header
	URL    string // path and query
	Header http.Header
	Body   []byte
}

// A Recorder keeps what it is asked, and lets another handler answer.
type Recorder struct {
	answer http.Handler

	mu   sync.Mutex
	list []Request
}

// Record starts a server that answers with h, or 200 and nothing if h is nil. The
// test's end stops it.
func Record(t *testing.T, h http.HandlerFunc) (url string, r *Recorder) {
	t.Helper()
	r = NewRecorder(h)
	return serve(t, r), r
}

// NewRecorder returns a Recorder that serves nowhere yet; h as for Record.
func NewRecorder(h http.HandlerFunc) *Recorder {
	if h == nil {
		h = func(http.ResponseWriter, *http.Request) {}
	}
	return &Recorder{answer: h}
}

// ServeHTTP implements http.Handler. The answering handler can read the body, too.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // the client has gone
	}
	r.mu.Lock()
	r.list = append(r.list, Request{Method: q.Method, Host: q.Host, URL: q.URL.RequestURI(), Header: q.Header.Clone(), Body: body})
	r.mu.Unlock()
	q.Body = io.NopCloser(bytes.NewReader(body))
	r.answer.ServeHTTP(w, q)
}

// Requests are the requests so far, in the order of their arrival.
func (r *Recorder) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// Drain returns the requests so far and forgets them.
func (r *Recorder) Drain() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

func serve(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}
