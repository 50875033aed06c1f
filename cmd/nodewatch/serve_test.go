package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/page"
)

// patience is how long a test waits for an expected event. It is long because the
// machine may be busy; a passing test does not use it up.
const patience = 5 * time.Minute

// serving starts a server for the handler on loopback, and returns its address.
func serving(t *testing.T, limit *connLimit, secured *webFile, handler http.Handler) (address string, log *lockedBuffer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	log = &lockedBuffer{}
	up := make(chan string, 1)
	s := &server{
		listen: []string{"127.0.0.1:0"}, web: secured, limit: limit, log: slog.New(slog.NewTextHandler(log, nil)),
		up: func(url string) { up <- url }, waiting: func(string) {},
	}
	if err := s.start(ctx, handler); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	_, rest, _ := strings.Cut(<-up, "://")
	return strings.TrimSuffix(rest, "/"), log
}

// dial connects, with a deadline for all further operations.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// once returns a client that opens a connection for each request.
func once() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, plainText, []byte("hello\n")) })

// A request whose body never arrives gets a response at once, and its connection is
// closed: no time limit would ever end it here.
func TestNoRequestBodyIsWaitedFor(t *testing.T) {
	for name, head := range map[string]string{
		"length":     "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n",
		"chunked":    "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		"large":      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
		"asks first": "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
	} {
		srv := newServer(hello, slog.New(slog.DiscardHandler))
		srv.ReadTimeout, srv.ReadHeaderTimeout, srv.WriteTimeout = 0, 0, 0
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { srv.Close() })
		go srv.Serve(l)
		c := dial(t, l.Addr().String())
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(string(got), "hello\n") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// The same applies to a request that exporter-toolkit refuses, for example because of
// a missing password.
func TestNoBodyOfAStrangerIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "web.yml"), passwords)
	secured, err := openWebFile(filepath.Join(dir, "web.yml"))
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(hello, slog.New(slog.DiscardHandler))
	srv.ReadTimeout, srv.ReadHeaderTimeout, srv.WriteTimeout = 0, 0, 0
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	go web.Serve(l, srv, secured.flags(), slog.New(slog.DiscardHandler))
	c := dial(t, l.Addr().String())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 401 Unauthorized\r\n") ||
		!strings.HasSuffix(string(got), "\r\n\r\nUnauthorized\n") {
		t.Errorf("got %q, %v", got, err)
	}
}

// Many connections without a request, or whose body never arrives, are all closed;
// meanwhile other clients get responses.
func TestIdleConnectionsAreShed(t *testing.T) {
	const most, many = 20, 150
	limit := newConnLimit(most)
	address, _ := serving(t, limit, &webFile{}, hello)
	var held []net.Conn
	for i := range many {
		c := dial(t, address)
		text := []string{"", "GET / HTTP/1.1\r\nHost: ", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"}[i%3]
		_, _ = io.WriteString(c, text) // the connection may be closed already
		held = append(held, c)
		limit.mu.Lock()
		open := len(limit.open)
		limit.mu.Unlock()
		if open > most+loopbackConnections {
			t.Fatalf("%d connections are open", open)
		}
		if i%50 != 0 {
			continue
		}
		resp, err := once().Get("http://" + address)
		if err != nil {
			t.Fatalf("beside %d connections: %v", i, err)
		}
		resp.Body.Close()
	}
	// a third was answered: of the others, the remaining ones are among the latest
	for i, c := range held[:many-2*(most+loopbackConnections)] {
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d of %d is still open", i, many)
		}
	}
}

// Clients that do not read their responses do not block others.
func TestSlowReadersHoldNobodyUp(t *testing.T) {
	large := make([]byte, 64<<20) // larger than the kernel's buffer of a connection
	address, _ := serving(t, newConnLimit(10), &webFile{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			write(w, http.StatusOK, plainText, large)
			return
		}
		hello(w, r)
	}))
	for range 3 * (10 + loopbackConnections) {
		if _, err := io.WriteString(dial(t, address), "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := once().Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// A document is rendered once per View, plain and compressed, however many clients
// request it.
func TestOneRenderingAView(t *testing.T) {
	var rendered atomic.Int32
	d := &rendering{render: func(v *judge.View) ([]byte, error) {
		rendered.Add(1)
		return []byte("report of " + v.Report.Node), nil
	}}
	ask := func(v *judge.View, encoding string) string {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", encoding)
		d.serve(w, r, v, plainText)
		var body io.Reader = w.Body
		if w.Header().Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(w.Body); err != nil {
				t.Error(err)
				return ""
			}
		} else if strings.HasPrefix(encoding, "gzip") {
			t.Errorf("%s: not zipped", encoding)
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		return string(raw)
	}
	views := []*judge.View{viewNamed("node1"), viewNamed("node2")}
	for i, v := range views {
		var all sync.WaitGroup
		for j := range 50 {
			all.Go(func() {
				if got, want := ask(v, []string{"", "gzip", "gzip;q=0.5, br", "br"}[j%4]), "report of "+v.Report.Node; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
		all.Wait()
		if n := int(rendered.Load()); n != i+1 {
			t.Errorf("rendered %d times for %d views", n, i+1)
		}
	}
}

func viewNamed(name string) *judge.View {
	v := viewOf()
	v.Report.Node = name
	return &v
}

func TestWhoTakesGzip(t *testing.T) {
	for text, want := range map[string]bool{"": false, "gzip": true, "deflate, GZIP;q=0.1": true, "gzip;q=0": false, "gzip; q=0.000": false,
		"identity": false, "gzip;q=x": true} {
		if got := takesGzip(http.Header{"Accept-Encoding": {text}}); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// Every response forbids caching and guessing of its content type.
func TestHeaders(t *testing.T) {
	s := &viewHolder{}
	s.show(*viewNamed("node2"))
	handler := routes(s)
	for path, kind := range map[string]string{"/metrics": "text/plain; version=0.0.4", "/": "text/html", "/history": "text/html",
		"/rules": "text/html", "/api/v1/report": "application/json", "/-/healthy": "text/plain", "/-/ready": "text/plain"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(h.Get("Content-Type"), kind) {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
	}
}

// Each page is sent with its policy, allows only reads, and is available before the
// first View, if only to report this.
func TestPagesHavePolicies(t *testing.T) {
	s := &viewHolder{}
	handler := routes(s)
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	for _, path := range []string{"/", "/?refresh=0", "/history", "/rules"} {
		if w := ask(http.MethodGet, path); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s before the first View: %d", path, w.Code)
		}
	}
	s.show(*viewNamed("node2"))
	for _, path := range []string{"/", "/?refresh=0", "/history", "/history?refresh=0", "/rules"} {
		if w := ask(http.MethodGet, path); w.Code != http.StatusOK ||
			w.Header().Get("Content-Security-Policy") != page.ContentSecurityPolicy() {
			t.Errorf("%s: %d, %v", path, w.Code, w.Header())
		}
		if w := ask(http.MethodPost, path); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
}

// Both forms of a page share one main part, rendered once per View.
func TestOneMainPartForBothForms(t *testing.T) {
	rendered := 0
	p := newPages(func(v judge.View) ([]byte, error) { rendered++; return []byte(v.Report.Node), nil },
		func(_ judge.View, main []byte, refresh int, links []page.Link) ([]byte, error) {
			return fmt.Appendf(nil, "%s every %d, %s", main, refresh, links[0].Name), nil
		}, []page.Link{{Name: "Grafana"}})
	for i, v := range []*judge.View{viewNamed("node1"), viewNamed("node2")} {
		for path, want := range map[string]string{"/": fmt.Sprintf("node%d every 10, Grafana", i+1),
			"/?refresh=0": fmt.Sprintf("node%d every 0, Grafana", i+1)} {
			w := httptest.NewRecorder()
			p.serve(w, httptest.NewRequest(http.MethodGet, path, nil), v)
			if w.Body.String() != want {
				t.Errorf("%s: got %q, want %q", path, w.Body, want)
			}
		}
		if rendered != i+1 {
			t.Errorf("rendered %d times for %d views", rendered, i+1)
		}
	}
}

// Anything that run refuses ends the start with one line and exit code 1.
func TestWhatCannotBeServedEndsTheStart(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	pipe := func(name string) string {
		name = filepath.Join(dir, name)
		if err := syscall.Mkfifo(name, 0o600); err != nil { // opening it blocks
			t.Fatal(err)
		}
		return name
	}
	certificate(t, dir)
	address := func(a string) []string { return []string{"--web.listen-address", a} }
	secured := func(name string) []string {
		return []string{"--web.listen-address", "127.0.0.1:0", "--web.config.file", name}
	}
	spare, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := spare.Addr().String()
	if err := spare.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no port":        {address("127.0.0.1"), `--web.listen-address: "127.0.0.1" is not allowed: the port is missing`},
		"port too large": {address("127.0.0.1:65536"), "a number from 0 to 65535"},
		"a word as port": {address("127.0.0.1:page"), "a number from 0 to 65535"},
		"not ours":       {address("192.0.2.1:10090"), "cannot assign requested address"},
		"one of two":     {append(address("127.0.0.1:0"), address("192.0.2.1:10090")...), "cannot serve on 192.0.2.1:10090"},
		"too few": {append(address("127.0.0.1:0"), "--web.max-connections", "1"),
			"--web.max-connections: 1 is not allowed: must be a whole number from 10 to 10000"},
		"in the file":   {[]string{"--config.file", file("n.yml", "web: {listen: [\"127.0.0.1:x\"]}")}, "n.yml:1: web.listen[0]"},
		"no web file":   {secured(filepath.Join(dir, "none.yml")), "none.yml: no such file or directory"},
		"a directory":   {secured(dir), "is not a regular file"},
		"not YAML":      {secured(file("a.yml", "a: [")), "web configuration " + filepath.Join(dir, "a.yml")},
		"unknown field": {secured(file("b.yml", "users: {}\nmore: 1\n")), "field users not found"},
		"no hash":       {secured(file("c.yml", "basic_auth_users: {oncall: storm}\n")), "hash"},
		"no certificate": {secured(file("d.yml", "tls_server_config: {cert_file: x.pem, key_file: x.key}\n")),
			filepath.Join(dir, "x.pem")},
		"a pipe as certificate": {secured(file("e.yml", "tls_server_config: {cert_file: "+pipe("e.pem")+", key_file: node.key}\n")),
			"cert_file: " + filepath.Join(dir, "e.pem") + " is not a regular file"},
		"a pipe as key": {secured(file("f.yml", "tls_server_config: {cert_file: node.pem, key_file: "+pipe("f.key")+"}\n")),
			"f.key is not a regular file"},
		"a device as client CA": {secured(file("g.yml", withTLS+"  client_ca_file: /dev/zero\n  client_auth_type: RequestClientCert\n")),
			"client_ca_file: /dev/zero is not a regular file"},
		"merged certificate": {secured(file("h.yml", "tls_server_config: {<<: {cert_file: node.pem}, key_file: node.key}\n")),
			"must not come from a merge key"},
		"no connections": {append(address("127.0.0.1:0"), "--web.max-connections", "0"),
			"--web.max-connections: 0 is not allowed: must be a whole number from 10 to 10000"},
		"overlapping": {append(address("127.0.0.1:65001"), address(":65001")...),
			"--web.listen-address: :65001 overlaps with 127.0.0.1:65001"},
		"a name for the same address": {append(address(free), address("localhost"+strings.TrimPrefix(free, "127.0.0.1"))...),
			"it is the same address as another one"},
		"a pipe as tape": {[]string{"--config.file", file("t.yml", "{tape: {file: "+pipe("tape")+"}, web: {listen: ['127.0.0.1:0']}}")},
			"tape is not a regular file"},
		"a directory as tape": {[]string{"--config.file", file("u.yml", "{tape: {file: "+dir+"}, web: {listen: ['127.0.0.1:0']}}")},
			"is not a regular file"},
		"a pipe of a reporter": {[]string{"--config.file", file("s.yml",
			"reporters: [{name: a, webhook: {preset: json, url: \"http://192.0.2.1\"}, tls: {ca_file: "+pipe("ca.pem")+"}}]")},
			"reporter a: ca_file: " + filepath.Join(dir, "ca.pem") + " is not a regular file"},
		"no socket": {[]string{"--web.systemd-socket"}, "systemd passed no socket"},
		"no tape":   {append(address("127.0.0.1:0"), "--tape", filepath.Join(dir, "none", "tape")), "no such file or directory"},
		"reporter's file": {[]string{"--config.file",
			file("r.yml", "reporters: [{name: a, webhook: {preset: json, url: \"http://192.0.2.1\"}, tls: {ca_file: /none.pem}}]")},
			"reporter a: ca_file: open /none.pem"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var out, errs lockedBuffer
		code := Main(ctx, append([]string{"run"}, c.args...), nil, &out, &errs)
		cancel()
		if text := errs.String(); code != exitFailure || out.String() != "" || strings.Count(text, "\n") != 1 ||
			!strings.Contains(text, c.want) {
			t.Errorf("%s: exit %d, %q, %q; want one line with %q", name, code, out.String(), text, c.want)
		}
		if c.args[0] == "--config.file" {
			if code, _, text := called(t, "check-config", c.args[1]); code != exitCritical || !strings.Contains(text, c.want) {
				t.Errorf("%s: check-config exits with %d, %q; want %q", name, code, text, c.want)
			}
		}
	}
}

// An address that was busy and then fails for another reason is reported with that reason,
// once.
func TestABusyAddressThatIsGoneIsReported(t *testing.T) {
	const gone = "192.0.2.1:10090" // no address of this machine
	var logged lockedBuffer
	reported := make(chan string, 10)
	b := busyAddress{gone, inUse}
	s := &server{log: slog.New(slog.NewTextHandler(&logged, nil)), waiting: func(trouble string) { reported <- trouble }, busy: []busyAddress{b}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.retry(ctx, b, nil) }()
	select {
	case trouble := <-reported:
		if !strings.Contains(trouble, gone) || !strings.Contains(trouble, "cannot assign requested address") {
			t.Errorf("got %q", trouble)
		}
	case <-time.After(patience):
		t.Error("the new reason is not reported")
	}
	cancel()
	<-ended
	if n := strings.Count(logged.String(), "Cannot listen yet"); n != 1 || len(reported) > 0 {
		t.Errorf("%d lines: %s", n, logged.String())
	}
}

// A busy port is retried: meanwhile the loop runs and STATUS reports the problem;
// once the port is free the page is served and its address printed.
func TestABusyPortIsWaitedFor(t *testing.T) {
	holder, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { holder.Close() })
	said := notified(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"run", "--web.listen-address", holder.Addr().String()}, nil, &out, &errs)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	seen := said("operational", "unknown", "WARNING", "OK", "CRITICAL", "UNKNOWN") // the first View
	if !strings.Contains(seen, "STATUS=cannot listen on "+holder.Addr().String()) || out.String() != "" {
		t.Errorf("systemd is told %q, stdout is %q", seen, out.String())
	}
	holder.Close()
	said("READY=1")
	resp, err := once().Get("http://" + holder.Addr().String() + "/-/healthy")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	const busy = "Cannot listen yet"
	for late := time.After(patience); !strings.Contains(out.String(), "http://"+holder.Addr().String()+"/\n") ||
		!strings.Contains(errs.String(), busy); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			t.Fatalf("stdout is %q, the log %q", out.String(), errs.String())
		}
	}
	if n := strings.Count(errs.String(), busy); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, errs.String())
	}
}

// notified acts as systemd. The returned function waits for one of the words, and
// returns all messages so far.
func notified(t *testing.T) func(words ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	heard := ""
	return func(words ...string) string {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for {
			for _, w := range words {
				if strings.Contains(heard, w) {
					return heard
				}
			}
			b := make([]byte, 4096)
			n, err := c.Read(b)
			if err != nil {
				t.Fatalf("waiting for %q: %v; heard %q", words, err, heard)
			}
			heard += string(b[:n]) + "\n"
		}
	}
}

// The printed address is the real one of the page.
func TestTheRealAddressIsPrinted(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(empty, []byte("# nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"run", "--web.listen-address", "127.0.0.1:0", "--web.config.file", empty}, nil, w, io.Discard)
	}()
	t.Cleanup(func() { r.Close(); cancel(); <-ended })
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`https?://\S+`).FindString(line)
	resp, err := once().Get(url + "-/healthy")
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	resp.Body.Close()
}

// Invalid requests of a client are logged, but at a limited rate.
func TestClientsCannotFillTheLog(t *testing.T) {
	var b lockedBuffer
	log := limitedLog(slog.New(slog.NewTextHandler(&b, nil)))
	for i := range 1000 {
		log.With("i", i).Warn("nonsense")
	}
	if n := strings.Count(b.String(), "nonsense"); n != clientLines {
		t.Errorf("%d lines, want %d", n, clientLines)
	}
	h := log.Handler().(*limitedHandler)
	r := slog.NewRecord(time.Now().Add(clientLineEvery+time.Second), slog.LevelWarn, "more nonsense", 0)
	if err := h.Handle(t.Context(), r); err != nil || !strings.Contains(b.String(), fmt.Sprintf("suppressed=%d", 1000-clientLines)) {
		t.Errorf("%v: %s", err, b.String())
	}
}
