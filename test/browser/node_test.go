package browser

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// A state is a state of a node that the page shows.
type state struct {
	incident string // incident to replay; empty: this machine, live
	until    string // where the replay ends; empty: at its end
	goesOn   string // until when the incident is extended beyond its end
}

// states are the states in which the page is tested.
var states = map[string]state{
	"calm":  {incident: "quiet-healthy-cluster.txtar"},
	"risk":  {incident: "rl1-node2.txtar", until: "30m"},
	"storm": {incident: "rl1-node2.txtar", until: "1h6m41s"},
	"after": {incident: "rl1-node2.txtar", goesOn: "1h35m"},
	"live":  {},
}

// start starts nodewatch in the state, and returns the address of its page and a
// function that stops it.
func (s state) start(t *testing.T) (address string, stop func()) {
	t.Helper()
	program, err := filepath.Abs(*binary)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--web.listen-address", "127.0.0.1:0", "--config.file", "testdata/nodewatch.yml"}
	if s.incident != "" {
		args = []string{"replay", "--brief", "--speed", "0", "--serve", "127.0.0.1:0", s.file(t)}
		if s.until != "" {
			args = append(args, "--until", s.until)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+t.TempDir(), "RUNTIME_DIRECTORY="+t.TempDir())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v ('make browser-test' builds it)", program, err)
	}
	w.Close()
	stop = func() { cancel(); cmd.Wait() }
	t.Cleanup(stop)
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// nodewatch prints when a replay is complete, and when the daemon is up.
	lines, played := bufio.NewScanner(r), s.incident == ""
	said := ""
	for (address == "" || !played) && lines.Scan() {
		said = lines.Text()
		if found := pageAddress.FindString(said); found != "" && address == "" {
			address = found
		}
		played = played || regexp.MustCompile(`^played`).MatchString(said)
	}
	if address == "" || !played {
		t.Fatalf("nodewatch has ended or says nothing: %q, %v", said, lines.Err())
	}
	go func() { _, _ = io.Copy(io.Discard, r); r.Close() }()
	ready(t, address)
	return address, stop
}

// lastLine matches the end of an incident's script.
var lastLine = regexp.MustCompile(`(?m)^\S+ end$`)

// file returns the incident to replay.
func (s state) file(t *testing.T) string {
	t.Helper()
	name := "../../testdata/incidents/" + s.incident
	if s.goesOn == "" {
		return name
	}
	story, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	longer := lastLine.ReplaceAllString(string(story), s.goesOn+" end")
	if longer == string(story) {
		t.Fatalf("%s has no end", name)
	}
	name = filepath.Join(t.TempDir(), s.incident)
	if err := os.WriteFile(name, []byte(longer), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// ready waits for the first verdict.
func ready(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{Timeout: patience}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		answer, err := client.Get(address + "-/ready")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no verdict yet: %v", err)
		}
	}
}

var pageAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)
