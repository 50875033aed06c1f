package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually waits until the response contains the wanted text; only the test's own
// timeout limits it.
func eventually(t *testing.T, url, want string) {
	t.Helper()
	for {
		if strings.Contains(body(t, url), want) {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("%s never said %q", url, want)
		}
	}
}

// At SIGHUP a bad file keeps the old configuration and is reported; a good one takes
// effect.
func TestReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nodewatch.yml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte("node: node7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := running(t, "--config.file", file)
	eventually(t, url+"/api/v1/report", `"node7"`)
	put("nodes: node8\n")
	eventually(t, url+"/metrics", metricReloadOK+" 0")
	eventually(t, url+"/api/v1/report", `"node7"`)
	put("node: node7\nrules:\n  kmsg-lost:\n    off: true\n")
	eventually(t, url+"/metrics", metricReloadOK+" 1")
}

// The page can require a password, in the way of all Prometheus exporters.
func TestPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yml")
	// The hash of the password "storm".
	hash := "$2a$04$Nq6yT1mJ2gD5oXy2b6f0/.Oe2zQ8n6cVZ9lYy0m2m9z8iZC6bq9pS"
	if err := os.WriteFile(file, []byte("basic_auth_users:\n  oncall: "+hash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := listening(t, "--web.config.file", file)
	resp, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s without a password", resp.Status)
	}
}

// A recording of this node can be replayed.
func TestTapeOfThisMachinePlays(t *testing.T) {
	for _, name := range []string{"tape.jsonl", "tape.jsonl.zst"} {
		tape := filepath.Join(t.TempDir(), name)
		t.Run(name, func(t *testing.T) { running(t, "--tape", tape) })
		code, _, errs := called(t, "replay", tape)
		if code != exitOK || errs != "" {
			t.Errorf("%s: exit %d, %s", name, code, errs)
		}
		in, err := play(tape)
		if err != nil {
			t.Fatal(err)
		}
		e, err := in.next()
		if err != nil || e.Saw != "start" {
			t.Errorf("%s begins with %+v, %v", name, e, err)
		}
		in.close()
	}
}

func TestTapeStopsAtItsSize(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "tape"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := &limitedFile{f: f, left: 10}
	if _, err := l.Write([]byte("12345678")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write([]byte("123")); err == nil {
		t.Error("more was written than is allowed")
	}
}

// The probe reports that it runs, and answers every line with a line, whatever the
// question.
func TestProbeAnswersWhateverItIsAsked(t *testing.T) {
	var out, errs bytes.Buffer
	asked := "{\"do\":\"osdc\"}\nrubbish\n{\"do\":\"dance\"}\n{\"do\":\"qemu\",\"arg\":7}\n{\"do\":\"qemu\",\"arg\":{\"PID\":-1}}\n"
	if code := Main(t.Context(), []string{"probe"}, strings.NewReader(asked), &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 6 || lines[0] != "{}" {
		t.Fatalf("got %d lines for the start and 5 questions: %q", len(lines), lines)
	}
	for _, line := range lines[2:] {
		if !strings.Contains(line, `"error"`) {
			t.Errorf("got %s, want an error", line)
		}
	}
}
