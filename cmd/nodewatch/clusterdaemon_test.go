package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/test/cephlab"
)

// buildCephChild starts building nodewatch-ceph. The returned function waits for it, and
// returns its path.
func buildCephChild(t *testing.T) (built func() (path string)) {
	t.Helper()
	if _, err := os.Stat("/usr/include/rbd/librbd.h"); err != nil {
		t.Skipf("nodewatch-ceph cannot be built: apt-get install gcc libc6-dev librados-dev librbd-dev (%v)", err)
	}
	path := filepath.Join(t.TempDir(), "nodewatch-ceph")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-tags", "ceph,pacific", "-o", path, "../nodewatch-ceph")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	var out []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = build.CombinedOutput()
	}()
	t.Cleanup(func() { <-done })
	return func() string {
		t.Helper()
		if <-done; err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return path
	}
}

// A watching is a daemon that queries the cluster, as a child of the test.
type watching struct {
	t        *testing.T
	pid      int
	url      string
	children *childCount
}

// startWatching starts a daemon that runs ask, a nodewatch-ceph, at an interval in
// seconds.
func startWatching(t *testing.T, c *cephlab.Cluster, ask, keyring string, every int) *watching {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nodewatch.yml")
	text := fmt.Sprintf("ceph:\n  child: %s\n  conf: %s\n  keyring: %s\n  every: %ds\n", ask, c.Conf, keyring, every)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said lockedBuffer
	cmd := exec.Command("/proc/self/exe", "run", "--config.file", file, "--web.listen-address", "127.0.0.1:0")
	cmd.Env, cmd.Stderr = append(os.Environ(), asDaemon+"=1"), &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(cmd); err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, pid: cmd.Process.Pid, children: countChildren(t, cmd.Process.Pid)}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the daemon ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", said.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	w.url = pageURL.FindString(line)
	return w
}

// report returns the daemon's report; false: it has none yet.
func (w *watching) report() (r report.Report, ok bool) {
	w.t.Helper()
	resp, err := http.Get(w.url + "/api/v1/report")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return r, false
	}
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		w.t.Fatal(err)
	}
	return r, true
}

// poll calls so repeatedly until it returns true.
func (w *watching) poll(what string, so func() bool) {
	w.t.Helper()
	limit := time.After(patience)
	for !so() {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-limit:
			r, _ := w.report()
			w.t.Fatalf("not after %s: %s\n%+v", patience, what, r.Sources)
		}
	}
}

// until waits for a state of a source, and returns the report that contains it.
func (w *watching) until(what, source, state string) (r report.Report) {
	w.t.Helper()
	w.poll(what, func() (ok bool) {
		r, ok = w.report()
		return ok && stateOf(r, source).State == state
	})
	return r
}

// now returns the daemon's report, once it has one.
func (w *watching) now() (r report.Report) {
	w.t.Helper()
	w.poll("a report", func() (ok bool) {
		r, ok = w.report()
		return ok
	})
	return r
}

// wentOn checks that the daemon has judged, and that its other sources were read,
// since a report.
func (w *watching) wentOn(since report.Report) {
	w.t.Helper()
	now := w.now()
	if !now.At.After(since.At) {
		w.t.Errorf("no verdict since %s", since.At)
	}
	for _, name := range []string{node.SourceHost, node.SourceNIC, node.SourceKrbd, node.SourceIO} {
		if was, is := stateOf(since, name), stateOf(now, name); is.State != "ok" || !is.Last.After(was.Last) {
			w.t.Errorf("%s is no longer read: %+v, before %+v", name, is, was)
		}
	}
}

func stateOf(r report.Report, source string) report.SourceState {
	for _, s := range r.Sources {
		if s.Name == source {
			return s
		}
	}
	return report.SourceState{}
}

// says checks that the metrics contain these samples.
func (w *watching) says(samples ...string) {
	w.t.Helper()
	all := body(w.t, w.url+"/metrics")
	for _, s := range samples {
		if !strings.Contains(all, "\n"+s+"\n") {
			w.t.Errorf("the metrics do not say %s", s)
		}
	}
}
