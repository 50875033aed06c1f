package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/status/config"
	"github.com/nodewatch/nodewatch/internal/status/store"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/native/receiver"
	"github.com/nodewatch/nodewatch/test/postgres"
)

// asProgram makes the test binary run as the program.
const asProgram = "NODEWATCH_STATUS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	signal.Ignore(syscall.SIGXFSZ) // the file size limit then causes an error, as a full disk does
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	code := Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A process is a hub in a separate process.
type process struct {
	cmd                       *exec.Cmd
	public, operators, intake string
}

// spawn starts a hub that ends with the test.
func spawn(t testing.TB, file string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "run", "--config.file", file)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(p.kill)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch what, url, _ := strings.Cut(lines.Text(), ": "); what {
		case "public page":
			p.public = url
		case "operators' page":
			p.operators = url
		case "reports":
			p.intake = url
			return p
		}
	}
	_ = cmd.Wait() // the program has already printed the reason
	t.Fatalf("the hub has ended: %s", &errs)
	return nil
}

// kill kills the hub, which may be dead already.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // the signal ends the process
}

// Traffic is a set of nodes that report continuously, each time with a new
// transition.
type traffic struct {
	tokens []string
	acked  []atomic.Uint64 // the latest acknowledged seq, by node
	all    atomic.Int64    // acknowledgements
}

func key(node int) string { return fmt.Sprintf("rl1/node%d", node) }

// newTraffic creates tokens for the nodes.
func newTraffic(t testing.TB, address config.Address, nodes int) *traffic {
	t.Helper()
	l := &traffic{acked: make([]atomic.Uint64, nodes)}
	with(t, address, func(s *store.Store) error {
		return s.Update(t.Context(), func(tx *store.Tx) error {
			l.tokens = nil
			for n := range nodes {
				l.tokens = append(l.tokens, store.NewSecret())
				if err := tx.IssueToken(t.Context(), l.tokens[n], store.Token{Kind: store.NodeToken, Subject: key(n), Created: time.Now(),
					CreatedBy: "test"}); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return l
}

// with calls f with a store.
func with(t testing.TB, address config.Address, f func(*store.Store) error) {
	t.Helper()
	s, err := store.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f(s), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// run reports to the hubs in turn until ctx ends.
func (l *traffic) run(ctx context.Context, hubs ...string) {
	var all sync.WaitGroup
	for n := range l.tokens {
		all.Go(func() {
			for k := n; ctx.Err() == nil; k++ {
				l.send(ctx, n, hubs[k%len(hubs)])
			}
		})
	}
	all.Wait()
}

// send sends the next report of a node and returns the status of the response; 0: no
// response. Only an acknowledged report is counted.
func (l *traffic) send(ctx context.Context, node int, hub string) (code int) {
	seq := l.acked[node].Load() + 1
	now := time.Now().UTC()
	b := native.Body{
		Schema: native.Schema, Node: native.Node{ID: key(node), Name: "node"}, Seq: seq, SentAt: now, Interval: 30, TTL: 100,
		Status: report.Operational,
		Agent:  native.Agent{Version: "1.2.3", Boot: "b1", Started: time.Unix(1795348800, 0).UTC()},
		Components: []native.Component{{ID: "storage", Status: report.Impacts()[seq%2*3], State: report.Seen, Since: now,
			Summary: "storage"}},
		Findings: []report.Finding{},
		Transitions: []native.Transition{{ID: fmt.Sprint(seq), Run: time.Unix(1795348800, 0).UTC(), Transition: report.Transition{
			N: seq, At: now, Rule: "r", Component: "storage", From: "clear", To: "info", Impact: report.Operational}}},
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return 0
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, hub+"v1/report", bytes.NewReader(raw))
	if err != nil {
		return 0
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+l.tokens[node])
	q.Header.Set("Idempotency-Key", receiver.Key(b))
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0 // killed
	}
	_, err = io.Copy(io.Discard, a.Body)
	if errors.Join(err, a.Body.Close()) == nil && a.StatusCode == http.StatusOK {
		l.acked[node].Store(seq)
		l.all.Add(1)
	}
	return a.StatusCode
}

// until runs the load until that many more reports were acknowledged, then calls f.
func (l *traffic) until(t *testing.T, more int64, hubs []string, f func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan struct{})
	go func() { l.run(ctx, hubs...); close(ended) }()
	for want := l.all.Load() + more; l.all.Load() < want && ctx.Err() == nil; {
		time.Sleep(5 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error("the hub does not acknowledge reports")
	}
	f()
	cancel()
	<-ended
}

// kept checks that everything that was acknowledged is stored exactly once.
func (l *traffic) kept(t *testing.T, address config.Address) {
	t.Helper()
	with(t, address, func(s *store.Store) error {
		return s.View(t.Context(), func(tx *store.Tx) error {
			for node := range l.tokens {
				acked := l.acked[node].Load()
				n, _, err := tx.Node(t.Context(), key(node))
				if err != nil {
					return err
				}
				list, err := tx.Transitions(t.Context(), n.ID, time.Unix(0, 0), 1<<20)
				if err != nil {
					return err
				}
				ids := map[string]bool{}
				for _, x := range list {
					ids[x.ID] = true
				}
				if n.Seq < acked || len(list) != len(ids) {
					t.Errorf("%s: seq %d is kept, %d was acknowledged; %d transitions, %d ids", n.Key, n.Seq, acked, len(list), len(ids))
				}
				for seq := range acked {
					if !ids[fmt.Sprint(seq+1)] {
						t.Errorf("%s: the acknowledged transition %d is lost", n.Key, seq+1)
					}
				}
			}
			return nil
		})
	})
}

// hubOn returns a configuration file of a hub on a database.
func hubOn(t testing.TB, address string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.yml")
	text := fmt.Sprintf("public: {listen: [\"127.0.0.1:0\"]}\noperators: {listen: [\"127.0.0.1:0\"]}\nintake: {listen: [\"127.0.0.1:0\"], rate: 1000}\ndatabase: {address: %q}\n%s", address, onePage)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func parsed(t testing.TB, address string) config.Address {
	t.Helper()
	a, err := config.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A hub that is killed repeatedly under load loses nothing that it acknowledged; nor do
// two hubs on one PostgreSQL, of which one is killed. All share one server.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { killedRepeatedly(t, "sqlite:"+filepath.Join(t.TempDir(), "status.db")) })
	t.Run("PostgreSQL", func(t *testing.T) {
		server := postgres.Start(t)
		t.Run("one hub", func(t *testing.T) { killedRepeatedly(t, server.Schema(t)) })
		t.Run("two hubs", func(t *testing.T) { oneOfTwoKilled(t, server.Schema(t)) })
	})
}

func killedRepeatedly(t *testing.T, where string) {
	l := newTraffic(t, parsed(t, where), 4)
	file := hubOn(t, where)
	for range 3 {
		p := spawn(t, file)
		l.until(t, 25, []string{p.intake}, p.kill)
		l.kept(t, parsed(t, where))
	}
}

// Two hubs on one PostgreSQL receive the reports of the same nodes in turn; if one is
// killed, the other one continues, and nothing is lost or stored twice.
func oneOfTwoKilled(t *testing.T, where string) {
	l := newTraffic(t, parsed(t, where), 4)
	file := hubOn(t, where)
	a, b := spawn(t, file), spawn(t, file)
	hubs := []string{a.intake, b.intake}
	l.until(t, 40, hubs, a.kill)
	l.until(t, 40, hubs, func() {})
	b.kill()
	l.kept(t, parsed(t, where))
}
