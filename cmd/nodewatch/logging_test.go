package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
)

// Neither a closed nor a full output stops the page or the loop.
func TestOutputsThatAreClosedOrFull(t *testing.T) {
	for name, output := range map[string]func(*testing.T) *os.File{"closed": brokenPipe, "full": fullPipe, "no space": noSpace} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the test mostly waits
			runsWith(t, output)
		})
	}
}

// runsWith checks that the daemon judges, applies its configuration and ends on
// request with these outputs.
func runsWith(t *testing.T, output func(*testing.T) *os.File) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nodewatch.yml")
	put(t, file, "node: node7\n")
	address := free(t)
	cmd := exec.Command(os.Args[0], "run", "--config.file", file, "--web.listen-address", address, "--log.level", "debug")
	cmd.Env = append(os.Environ(), asDaemon+"=1")
	cmd.Stdout, cmd.Stderr = output(t), output(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	metrics := func(want string) {
		t.Helper()
		seen := ""
		for late := time.After(patience); ; {
			if resp, err := once().Get("http://" + address + "/metrics"); err == nil {
				raw, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if seen = string(raw); resp.StatusCode == http.StatusOK && strings.Contains(seen, want) {
					return
				}
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case err := <-ended:
				ended <- err
				t.Fatalf("the daemon has ended: %v", err)
			case <-late:
				t.Fatalf("never %q in\n%s", want, seen)
			}
		}
	}
	metrics(metricReloadOK + " 1")
	for i := range 3 { // each reload causes a line in the log
		put(t, file, fmt.Sprintf("node%d: a\n", i))
		_ = cmd.Process.Signal(syscall.SIGHUP)
		metrics(metricReloadOK + " 0")
		put(t, file, "node: node7\n")
		_ = cmd.Process.Signal(syscall.SIGHUP)
		metrics(metricReloadOK + " 1")
	}
	metrics("\nnodewatch_component_state{") // the loop has judged
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		ended <- err
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the daemon does not end")
	}
}

// brokenPipe returns a pipe without a reader.
func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}

// fullPipe returns a full pipe that is not read.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "writer")
	t.Cleanup(func() { r.Close(); w.Close() })
	if err := syscall.SetNonblock(fds[1], true); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := syscall.Write(fds[1], make([]byte, 4096)); err != nil {
			break
		}
	}
	if err := syscall.SetNonblock(fds[1], false); err != nil {
		t.Fatal(err)
	}
	return w
}

// noSpace returns a device that is full.
func noSpace(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Lines have a time, except in the journal, which adds its own.
func TestLogLines(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	at := info.Sys().(*syscall.Stat_t)
	for name, c := range map[string]struct {
		stream, format, level string
		want                  []string
		not                   []string
	}{
		"terminal":       {"", "logfmt", "info", []string{"time=", "level=INFO", "msg=hello", "level=WARN"}, []string{"level=DEBUG"}},
		"journal":        {fmt.Sprintf("%d:%d", at.Dev, at.Ino), "logfmt", "info", []string{"level=INFO", "msg=hello"}, []string{"time="}},
		"another stream": {"1:2", "logfmt", "info", []string{"time=", "msg=hello"}, nil},
		"debug":          {"", "logfmt", "debug", []string{"level=DEBUG"}, nil},
		"warn":           {"", "logfmt", "warn", []string{"level=WARN"}, []string{"level=INFO"}},
	} {
		t.Setenv("JOURNAL_STREAM", c.stream)
		text := logged(t, f, c.format, c.level)
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", name, w, text)
			}
		}
		for _, w := range c.not {
			if strings.Contains(text, w) {
				t.Errorf("%s: %q in\n%s", name, w, text)
			}
		}
	}
	t.Setenv("JOURNAL_STREAM", "")
	for line := range strings.Lines(logged(t, f, "json", "debug")) {
		var x struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &x); err != nil || x.Time == "" || x.Msg != "hello" {
			t.Errorf("%v: %s", err, line)
		}
	}
}

// logged writes a line at each of three levels to f, and returns its content.
func logged(t *testing.T, f *os.File, format, level string) string {
	t.Helper()
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	c := &promslog.Config{Level: promslog.NewLevel(), Format: promslog.NewFormat()}
	if err := c.Level.Set(level); err != nil {
		t.Fatal(err)
	}
	if err := c.Format.Set(format); err != nil {
		t.Fatal(err)
	}
	log, queue := newLog(c, f)
	log.Debug("hello")
	log.Info("hello")
	log.With("a", 1).WithGroup("g").Warn("hello", "b", 2)
	queue.Close(patience)
	raw, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestLogFlagsAreThoseOfExporters(t *testing.T) {
	code, out, _ := called(t, "run", "--help")
	if code != exitOK || !strings.Contains(out, "--log.level=info") || !strings.Contains(out, "--log.format=logfmt") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, _, errs := called(t, "run", "--log.level", "loud"); code != exitCritical || !strings.Contains(errs, "loud") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
