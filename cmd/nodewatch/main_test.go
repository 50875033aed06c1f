package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/report"
)

// called runs nodewatch.
func called(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string // expected in the output or the error
	}{
		{[]string{"--help"}, 0, "layer2 bond + krbd"},
		{[]string{"version"}, 0, "nodewatch, version "},
		{[]string{"--version"}, 0, "  platform:         linux/"},
		{[]string{"dance"}, 2, "try nodewatch --help"},
		{[]string{"check", "--output", "xml"}, 2, "must be one of text,json,nagios"},
		{[]string{"check-config", "no such file"}, 2, "no such file"},
		{[]string{"rules"}, 0, "layer2-bond-krbd"},
		{[]string{"rules", "kmsg-lost"}, 0, "window"},
		{[]string{"rules", "no-rule"}, 2, "no-rule"},
		{[]string{"sources", "no-source"}, 2, "no source \"no-source\""},
		{[]string{"completion", "bash"}, 0, "complete"},
		{[]string{"replay", "no such file"}, 2, "no such file"},
	} {
		code, out, errs := called(t, tt.args...)
		if code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%v: got exit %d, want %d with %q\n%s%s", tt.args, code, tt.code, tt.want, out, errs)
		}
	}
}

func TestBadConfigurationStartsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nodewatch.yml")
	if err := os.WriteFile(file, []byte("rules:\n  kmsg-lost:\n    window: soon\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[int][]string{exitFailure: {"run", "--config.file", file}, exitCritical: {"check-config", file}} {
		code, out, errs := called(t, args...)
		if code != want || out != "" || strings.Count(errs, "\n") != 1 ||
			!strings.Contains(errs, "nodewatch.yml:3: rules.kmsg-lost.window: \"soon\" is not allowed: must be a duration from 10s to 10m") {
			t.Errorf("%v: got exit %d, %q, %q", args, code, out, errs)
		}
	}
}

// free returns a free address on loopback.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// running starts the daemon on this machine's kernel, waits for its first verdict,
// and returns its URL.
func running(t *testing.T, args ...string) string {
	t.Helper()
	url := listening(t, args...)
	for {
		resp, err := http.Get(url + "/-/ready")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return url
		}
		time.Sleep(50 * time.Millisecond) // until it is ready, or the test times out
	}
}

// listening starts the daemon on this machine's kernel and returns its URL once it
// responds. The daemon is stopped at the end of the test.
func listening(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	address := free(t)
	var out, errs lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, append([]string{"run", "--web.listen-address", address}, args...), nil, &out, &errs)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("the daemon ended with %d: %s", code, errs.String())
		}
	})
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address
		}
		select {
		case code := <-ended:
			ended <- code
			t.Fatalf("the daemon ended with %d: %s", code, errs.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func body(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", url, resp.Status, b.String())
	}
	return b.String()
}

// seeing waits until the named sources are available, and returns that report. A
// kernel lock that another test holds may stall one of them for a while.
func seeing(t *testing.T, url string, names ...string) report.Report {
	t.Helper()
	for {
		var r report.Report
		if err := json.Unmarshal([]byte(body(t, url+"/api/v1/report")), &r); err != nil {
			t.Fatal(err)
		}
		blind := slices.DeleteFunc(slices.Clone(r.Sources), func(s report.SourceState) bool {
			return s.State == "ok" || !slices.Contains(names, s.Name)
		})
		if len(blind) == 0 {
			return r
		}
		t.Logf("still blind: %+v", blind)
		time.Sleep(time.Second) // until they are available, or the test times out
	}
}

func TestTheDaemonOnThisKernel(t *testing.T) {
	url := running(t, "--tape", filepath.Join(t.TempDir(), "tape.jsonl.zst"))
	r := seeing(t, url, "bond", "nic", "host", "krbd", "krbd-io", "qemu")
	if page := body(t, url+"/"); !strings.Contains(page, "<html") || !strings.Contains(page, `id="components"`) {
		t.Errorf("got no page, or an empty one:\n%.300s", page)
	}
	if metrics := body(t, url+"/metrics"); !regexp.MustCompile(`(?m)^nodewatch_component_state\{`).MatchString(metrics) ||
		!strings.Contains(metrics, metricReloadOK+" 1") {
		t.Errorf("metrics are missing:\n%.500s", metrics)
	}
	if got := body(t, url+"/-/healthy"); got != "healthy\n" {
		t.Errorf("got %q", got)
	}
	// The state may change from one call to the next: each output must be consistent
	// in itself.
	if code, out, errs := called(t, "check", "--url", url); code < 0 || code > 3 || !strings.Contains(out, r.Node) {
		t.Errorf("check: exit %d, %s%s", code, out, errs)
	}
	words := []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}
	if code, out, _ := called(t, "check", "--url", url, "-o", "nagios"); !strings.HasPrefix(out, "NODEWATCH "+words[code]+" ") {
		t.Errorf("check nagios: exit %d, %s", code, out)
	}
	if code, out, _ := called(t, "check", "--url", url, "-o", "json"); json.Unmarshal([]byte(out), &r) != nil || code != exitCodeOf(r) {
		t.Errorf("check json: exit %d, %s", code, out)
	}
}

func TestCheckWithoutADaemonTakesSamplesItself(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", t.TempDir())
	file := filepath.Join(t.TempDir(), "nodewatch.yml")
	put(t, file, "web: {listen: [\""+free(t)+"\"]}\n")
	code, out, errs := called(t, "check", "--config.file", file, "-t", "300", "-o", "json")
	var r report.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Node == "" || code != exitCodeOf(r) {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
}

func TestCheckOfABadDaemonIsUnknown(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"not a report": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"hello":1}`)) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		},
		"password": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"starting": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		srv := httptest.NewServer(handler)
		code, out, _ := called(t, "check", "--url", srv.URL, "-o", "nagios", "--timeout", "700ms")
		if code != exitUnknown || !strings.HasPrefix(out, "NODEWATCH UNKNOWN - ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", name, code, out)
		}
		srv.Close()
	}
}
