package httpclient_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

const secret = "s3cr3t-word"

// ask makes a request to a server with the given handler, with the secret in the URL,
// a header and the body.
func ask(ctx context.Context, t *testing.T, o httpclient.Options, h http.HandlerFunc) (httpclient.Response, error) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return askAt(ctx, t, o, s.URL+"/hook/"+secret)
}

func askAt(ctx context.Context, t *testing.T, o httpclient.Options, url string) (httpclient.Response, error) {
	t.Helper()
	c, err := httpclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(ctx, httpclient.Request{
		Method: http.MethodPost, URL: url, Body: []byte(secret), Secrets: []string{secret},
		Header: http.Header{"Authorization": {"Bearer " + secret}},
	})
}

func TestEachAnswerCallsForItsKind(t *testing.T) {
	for _, c := range []struct {
		code  int
		after string
		kind  report.FailureKind
		wait  time.Duration
	}{
		{200, "", "", 0}, {202, "", "", 0},
		{301, "", report.Misconfigured, 0},
		{400, "", report.Misconfigured, 0}, {401, "", report.Misconfigured, 0}, {404, "", report.Misconfigured, 0},
		{422, "", report.Misconfigured, 0},
		{409, "", report.Stale, 0},
		{420, "3", report.Throttled, 3 * time.Second}, {429, "1.5", report.Throttled, 1500 * time.Millisecond},
		{429, "Sun, 22 Nov 2026 10:00:30 GMT", report.Throttled, 30 * time.Second},
		{429, "-5", report.Throttled, 0}, {429, "soon", report.Throttled, 0}, {429, "1e300", report.Throttled, time.Hour},
		{429, "NaN", report.Throttled, 0},
		{500, "", report.Transient, 0}, {503, "", report.Transient, 0}, {503, "7", report.Throttled, 7 * time.Second},
		{408, "", report.Transient, 0},
	} {
		_, err := ask(t.Context(), t, httpclient.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "Sun, 22 Nov 2026 10:00:00 GMT")
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.WriteHeader(c.code)
		})
		got := report.FailureOf(err)
		switch {
		case c.kind == "" && err != nil:
			t.Errorf("%d: %v", c.code, err)
		case c.kind != "" && (got == nil || got.Kind != c.kind || got.After != c.wait):
			t.Errorf("%d with Retry-After %q: %+v, want %s after %s", c.code, c.after, got, c.kind, c.wait)
		}
	}
}

// Whatever goes wrong, no output contains the secret.
func TestNoErrorShowsASecret(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	hostile := map[string]func() (httpclient.Response, error){
		"refused": func() (httpclient.Response, error) {
			return askAt(t.Context(), t, httpclient.Options{}, closed.URL+"/"+secret)
		},
		"not TLS": func() (httpclient.Response, error) {
			return askAt(t.Context(), t, httpclient.Options{}, strings.Replace(closed.URL, "http:", "https:", 1)+"/?t="+secret)
		},
		"no URL": func() (httpclient.Response, error) {
			return askAt(t.Context(), t, httpclient.Options{}, "http://"+secret+" /")
		},
		"user": func() (httpclient.Response, error) {
			return askAt(t.Context(), t, httpclient.Options{}, strings.Replace(closed.URL, "http://", "http://"+secret+"@", 1))
		},
		"echo": func() (httpclient.Response, error) { return ask(t.Context(), t, httpclient.Options{}, echo(400)) },
		"redirect": func() (httpclient.Response, error) {
			return ask(t.Context(), t, httpclient.Options{}, redirect("http://192.0.2.1/"+secret))
		},
		"garbage": func() (httpclient.Response, error) {
			return ask(t.Context(), t, httpclient.Options{}, raw("HTTP/9 what "+secret+"\r\n\r\n"))
		},
	}
	for name, do := range hostile {
		a, err := do()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(err.Error()+a.Line(), secret) {
			t.Errorf("%s shows the secret: %v; %s", name, err, a.Line())
		}
	}
}

func echo(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		_, _ = io.Copy(w, r.Body)
		_, _ = io.WriteString(w, r.URL.Path+r.Header.Get("Authorization")+"\x1b[31m\nnext")
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}

// raw responds with bytes that need not be HTTP.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(other.Close)
	_, err := ask(t.Context(), t, httpclient.Options{}, redirect(other.URL))
	if asked || report.FailureOf(err) == nil {
		t.Errorf("the other host was asked: %v, error: %v", asked, err)
	}
}

func TestAnEndlessAnswerIsReadNoFurther(t *testing.T) {
	a, err := ask(t.Context(), t, httpclient.Options{}, func(w http.ResponseWriter, r *http.Request) {
		chunk := bytes.Repeat([]byte("x"), 32<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if err != nil || len(a.Body) != 64<<10 {
		t.Errorf("%d bytes, %v", len(a.Body), err)
	}
	if n := len([]rune(a.Line())); n > 220 {
		t.Errorf("the line is %d characters long", n)
	}
}

func TestAServerThatHangsCostsTheDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := ask(ctx, t, httpclient.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
		cancel()
		<-r.Context().Done()
	})
	if f := report.FailureOf(err); f == nil || f.Kind != report.Transient || !strings.Contains(f.Error(), "deadline") {
		t.Errorf("%v", err)
	}
}

func TestALineHasNoControlCharacters(t *testing.T) {
	a, _ := ask(t.Context(), t, httpclient.Options{}, echo(200))
	if got := a.Line(); strings.ContainsAny(got, "\x1b\n") || !strings.HasSuffix(got, "[31m next") {
		t.Errorf("%q", got)
	}
}

func TestTheServersNameIsChecked(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, pemOf(s.Certificate().Raw))
	if _, err := askAt(t.Context(), t, httpclient.Options{CA: ca}, s.URL); err != nil {
		t.Errorf("its own authority: %v", err)
	}
	for name, o := range map[string]httpclient.Options{"the system's authorities": {}, "another name": {CA: ca, Name: "hub.example.org"}} {
		if _, err := askAt(t.Context(), t, o, s.URL); err == nil {
			t.Errorf("%s: trusted", name)
		}
	}
}

func TestTheSourceAddressIsUsed(t *testing.T) {
	var from string
	_, err := ask(t.Context(), t, httpclient.Options{Source: "127.0.0.3"},
		func(_ http.ResponseWriter, r *http.Request) { from = r.RemoteAddr })
	if err != nil || !strings.HasPrefix(from, "127.0.0.3:") {
		t.Errorf("from %s, %v", from, err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []httpclient.Options{{Source: "eth0"}, {Proxy: "squid"}, {CA: "none.pem"}, {Cert: "none.pem"}} {
		if _, err := httpclient.New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	write(t, filepath.Join(dir, "token"), " "+secret+"\n")
	write(t, filepath.Join(dir, "two"), secret+"\nmore")
	write(t, filepath.Join(dir, "empty"), "\n")
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", 20<<10))
	for name, want := range map[string]string{"token": secret, filepath.Join(dir, "token"): secret, "": ""} {
		if got, err := httpclient.SecretFile(name).Read(); got != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"two", "empty", "large", "none"} {
		if _, err := httpclient.SecretFile(name).Read(); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := httpclient.SecretFile("token").Read(); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("without credentials: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
