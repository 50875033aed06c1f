package reporttest

import (
	"context"
	"encoding/pem"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A Trial is a reporter to be tested against hostile servers.
type Trial struct {
	// Secrets are the texts that no error may contain.
	Secrets []string
	// Believes reports that the backend's responses have no meaningful body, so that
	// a 200 with invalid content counts as a success.
	Believes bool
	// Send makes one delivery to the backend at the base URL, with a new reporter.
	Send func(ctx context.Context, url string, client *httpclient.Client) error
}

// A server is one that a reporter must survive.
type server struct {
	name    string
	lies    bool // its code is 200
	kind    report.FailureKind
	answer  func(giveUp func()) http.HandlerFunc
	options func(t *testing.T, s *httptest.Server) httpclient.Options // certificate of a TLS server; nil: no TLS
	scheme  string                                                    // empty: that of the server
}

// Run tests the reporter against servers that hang, reset, send garbage, respond
// without end, send 10 MB, redirect to another host, have another name, or reject.
// Each delivery must return a *report.Failure that contains no secret, of the kind
// transient if there was no complete response; the other host must get no request.
// Deadlines pass as soon as the server hangs, so no time is spent waiting.
func Run(t *testing.T, x Trial) {
	t.Helper()
	other := NewRecorder(nil)
	for _, s := range servers(Serve(t, other.ServeHTTP)) {
		t.Run(s.name, func(t *testing.T) { s.try(t, x) })
	}
	if n := len(other.Requests()); n > 0 {
		t.Errorf("the host that a redirect leads to was asked %d times", n)
	}
}

func (s server) try(t *testing.T, x Trial) {
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	h := &http.Server{Handler: s.answer(giveUp)}
	srv := &httptest.Server{Listener: httptest.NewUnstartedServer(nil).Listener, Config: h}
	o := httpclient.Options{}
	if s.options == nil {
		srv.Start()
	} else {
		srv.StartTLS()
		o = s.options(t, srv)
	}
	defer srv.Close()
	defer srv.CloseClientConnections()
	client, err := httpclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	url := srv.URL
	if s.scheme != "" {
		url = s.scheme + url[strings.Index(url, ":"):]
	}
	s.judge(t, x, x.Send(ctx, url, client))
}

// judge checks the result of a delivery.
func (s server) judge(t *testing.T, x Trial, err error) {
	t.Helper()
	if err == nil {
		if !s.lies || !x.Believes {
			t.Error("the delivery passes for a success")
		}
		return
	}
	f := report.FailureOf(err)
	if s.kind != "" && f.Kind != s.kind {
		t.Errorf("the failure is %s, want %s: %v", f.Kind, s.kind, err)
	}
	i := slices.IndexFunc(x.Secrets, func(word string) bool { return word != "" && strings.Contains(err.Error(), word) })
	if i >= 0 {
		t.Errorf("the error shows secret number %d", i)
	}
	if len(err.Error()) > 4<<10 {
		t.Errorf("the error is %d bytes long", len(err.Error()))
	}
}

// servers returns all hostile servers; other is the host to which redirects lead.
func servers(other string) []server {
	list := []server{
		{name: "hangs", kind: report.Transient, answer: hang("")},
		{name: "hangs in the answer", kind: report.Transient, answer: hang("{")},
		{name: "resets", kind: report.Transient, answer: plain(raw("", true))},
		{name: "resets in the answer", kind: report.Transient,
			answer: plain(raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", true))},
		{name: "ends in the answer", kind: report.Transient, answer: plain(raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", false))},
		{name: "speaks no HTTP", kind: report.Transient, answer: plain(raw("220 mail ready\r\n", false))},
		{name: "long header", kind: report.Transient, answer: plain(longHeader)},
		{name: "answers nothing", lies: true, answer: plain(Reply(200, ""))},
		{name: "answers garbage", lies: true, answer: plain(Reply(200, "\x00\xff{]<html>"))},
		{name: "answers a login page", lies: true, answer: plain(Reply(200, "<!DOCTYPE html><title>Log in</title>"))},
		{name: "answers another JSON", lies: true, answer: plain(Reply(200, `[{"ok":null}]`))},
		{name: "answers 10 MB", lies: true, answer: plain(long(10 << 20))},
		{name: "answers indefinitely", lies: true, answer: plain(long(math.MaxInt))},
		{name: "leads to another host", kind: report.Misconfigured, answer: plain(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other+r.URL.Path, http.StatusTemporaryRedirect)
		})},
		{name: "bears another name", kind: report.Transient, answer: plain(Reply(200, "{}")),
			options: func(t *testing.T, s *httptest.Server) httpclient.Options {
				return httpclient.Options{CA: authority(t, s), Name: "hub.example.org"}
			}},
		{name: "is not trusted", kind: report.Transient, answer: plain(Reply(200, "{}")),
			options: func(*testing.T, *httptest.Server) httpclient.Options {
				return httpclient.Options{}
			}},
		{name: "speaks no TLS", kind: report.Transient, answer: plain(Reply(200, "{}")), scheme: "https"},
	}
	for _, code := range []int{301, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503} {
		list = append(list, server{name: fmt.Sprintf("refuses with %d", code), answer: plain(refuse(code))})
	}
	return list
}

// authority writes a TLS server's certificate to a file.
func authority(t *testing.T, s *httptest.Server) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
