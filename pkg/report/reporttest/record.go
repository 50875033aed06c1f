// Package reporttest is for the tests of reporters: a recorder of their requests, the
// hostile servers that they must survive, and the reports, files and checks that the tests
// of several reporters share. What one service accepts is defined in the tests of its reporter.
package reporttest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// A Request is one request as it arrived.
type Request struct {
	Method string
	Host   string // the Host header
	URL    string // path and query
	Header http.Header
	Body   []byte
	Code   int // code of the response; 0 if the handler has not written one
}

// A Recorder records the requests that it receives; another handler responds to them.
type Recorder struct {
	answer http.Handler

	mu   sync.Mutex
	list []*Request
}

// Record starts a server that responds with h, or with 200 and an empty body if h is
// nil. The server stops at the end of the test.
func Record(t testing.TB, h http.HandlerFunc) (url string, r *Recorder) {
	t.Helper()
	r = NewRecorder(h)
	return Serve(t, r.ServeHTTP), r
}

// NewRecorder returns a Recorder without a server; h as for Record.
func NewRecorder(h http.HandlerFunc) *Recorder {
	if h == nil {
		h = func(http.ResponseWriter, *http.Request) {}
	}
	return &Recorder{answer: h}
}

// ServeHTTP implements http.Handler. The handler that responds can read the body too.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // the client has gone
	}
	x := &Request{Method: q.Method, Host: q.Host, URL: q.URL.RequestURI(), Header: q.Header.Clone(), Body: body}
	r.mu.Lock()
	r.list = append(r.list, x)
	r.mu.Unlock()
	q.Body = io.NopCloser(bytes.NewReader(body))
	r.answer.ServeHTTP(&codeWriter{ResponseWriter: w, record: func(code int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		x.Code = code
	}}, q)
}

// A codeWriter records the code of a response before it is sent.
type codeWriter struct {
	http.ResponseWriter
	record func(code int)
	wrote  bool
}

// WriteHeader implements http.ResponseWriter.
func (w *codeWriter) WriteHeader(code int) {
	if !w.wrote {
		w.wrote = true
		w.record(code)
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (w *codeWriter) Write(b []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *codeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Requests returns the requests so far, in order of arrival.
func (r *Recorder) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Request, len(r.list))
	for i, x := range r.list {
		list[i] = *x
	}
	return list
}

// Drain returns the requests so far and removes them.
func (r *Recorder) Drain() []Request {
	list := r.Requests()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = r.list[len(list):]
	return list
}

// Lines drains the requests and returns one line for each: method, path with query, body.
func (r *Recorder) Lines() string {
	var lines []string
	for _, q := range r.Drain() {
		lines = append(lines, strings.TrimSpace(q.Method+" "+q.URL+" "+string(q.Body)))
	}
	return strings.Join(lines, "\n")
}

// Accepted drains the requests and returns the bodies of those with a successful
// response, one per line.
func (r *Recorder) Accepted() string {
	var lines []string
	for _, q := range r.Drain() {
		if q.Code/100 == 2 {
			lines = append(lines, string(q.Body))
		}
	}
	return strings.Join(lines, "\n")
}

// Transcript delivers the report of each step, which At creates from the step's words,
// one minute apart, and returns each step with the Lines of its requests.
func (r *Recorder) Transcript(t testing.TB, deliver func(report.Report) error, steps ...string) string {
	t.Helper()
	var text strings.Builder
	for n, words := range steps {
		if err := deliver(At(minutes(n), words)); err != nil {
			t.Errorf("minute %d: %s: %v", n, words, err)
		}
		text.WriteString(strings.TrimSpace("# "+words+"\n"+r.Lines()) + "\n")
	}
	return text.String()
}

// Serve starts a server for h, which stops at the end of the test.
func Serve(t testing.TB, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}
