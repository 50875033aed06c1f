package watch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// asProbe makes the test binary a probe that echoes, fails, or never responds, as
// requested.
const asProbe = "NODEWATCH_TEST_PROBE"

func TestMain(m *testing.M) {
	if os.Getenv(asProbe) == "" {
		os.Exit(m.Run())
	}
	fmt.Println("{}")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch text := in.Text(); {
		case strings.Contains(text, "hang"):
			continue // the reader continues: only the response is missing
		case strings.Contains(text, "denied"):
			fmt.Println(`{"error":"osdc: permission denied","kind":"denied"}`)
		case strings.Contains(text, "rubbish"):
			fmt.Println(`{"value":`)
		case strings.Contains(text, "flood"):
			fmt.Print(`{"value":"`)
			piece := strings.Repeat("x", 64<<10)
			for range maxAnswer / len(piece) {
				fmt.Print(piece)
			}
			fmt.Println(`"}`)
		case strings.Contains(text, "end"):
			os.Exit(1)
		default:
			fmt.Printf("{\"value\":%q}\n", text)
		}
	}
	os.Exit(0)
}

// A testProcess is the test binary as a probe.
type testProcess struct {
	cmd     *exec.Cmd
	in, out *os.File
	ended   chan struct{}
}

func startTestProcess(context.Context) (ProbeProcess, error) {
	return startProbe(exec.Command(os.Args[0]))
}

func startProbe(cmd *exec.Cmd) (ProbeProcess, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Env = append(os.Environ(), asProbe+"=1")
	cmd.Stdin, cmd.Stdout = theirIn, theirOut
	err = cmd.Start()
	_, _ = theirIn.Close(), theirOut.Close()
	c := &testProcess{cmd, in, out, make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(c.ended)
	}()
	return c, err
}

func (c *testProcess) In() *os.File            { return c.in }
func (c *testProcess) Out() *os.File           { return c.out }
func (c *testProcess) Kill()                   { _ = c.cmd.Process.Kill() }
func (c *testProcess) Close()                  { _, _ = c.in.Close(), c.out.Close() }
func (c *testProcess) Ended() <-chan struct{}  { return c.ended }
func (c *testProcess) Explain(err error) error { return fmt.Errorf("probe: %w", err) }

func testProbe(t *testing.T) *Probe {
	t.Helper()
	p := NewProbe(startTestProcess)
	t.Cleanup(func() {
		if p.child != nil {
			_ = p.abandon(nil)
		}
	})
	return p
}

func TestProbeAnswersMoreThanOnce(t *testing.T) {
	p := testProbe(t)
	for range 3 {
		var got string
		if err := p.Ask(t.Context(), "echo", 7, &got); err != nil || !strings.Contains(got, `"arg":7`) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if err := p.Ask(t.Context(), "denied", nil, nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want a permission error", err)
	}
}

func TestProbeThatDoesNotAnswerIsLeftBehind(t *testing.T) {
	p := testProbe(t)
	var before string
	if err := p.Ask(t.Context(), "echo", nil, &before); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Ask(ctx, "hang", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if err := p.Ask(t.Context(), "echo", nil, nil); !errors.Is(err, ErrNoProbe) {
		t.Errorf("got %v: a second probe was started within ten minutes", err)
	}
	<-p.left.Ended() // the process was only late
	p.started = p.started.Add(-probeSoon - time.Second)
	var got string
	if err := p.Ask(t.Context(), "echo", nil, &got); err != nil || got == "" {
		t.Errorf("got %q, %v: no probe ten seconds later", got, err)
	}
}

// The Probe waits for a process whose start takes longer than the deadline of a
// request, as on a node that is short of CPU: if it were killed each time, it would
// never become ready.
func TestProbeThatStartsSlowlyIsWaitedFor(t *testing.T) {
	gate, open, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	defer open.Close()
	p := testProbe(t)
	p.start = func(context.Context) (ProbeProcess, error) {
		cmd := exec.Command("sh", "-c", `read -r _ <&3 && exec "$0"`, os.Args[0])
		cmd.ExtraFiles = []*os.File{gate}
		return startProbe(cmd)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := p.Ask(late, "echo", nil, nil); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNoProbe) ||
			!errors.Is(err, ErrNotRunning) {
			t.Errorf("got %v, want the context's error", err)
		}
	}
	if _, err := open.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := p.Ask(t.Context(), "echo", nil, &got); err != nil || got == "" || p.left != nil {
		t.Errorf("got %q, %v: the probe that was being started is not the one that answers", got, err)
	}
}

// A process whose start has taken the whole time of one request handles the next one.
func TestProbeThatRunsTooLateForAQuestionIsKept(t *testing.T) {
	p := testProbe(t)
	var got string
	if err := p.Ask(t.Context(), "echo", nil, &got); err != nil {
		t.Fatal(err)
	}
	child := p.child
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if err := p.Ask(late, "echo", nil, nil); !errors.Is(err, ErrNotRunning) || p.child != child {
		t.Errorf("got %v; the probe is the same: %v", err, p.child == child)
	}
	if err := p.Ask(t.Context(), "echo", nil, &got); err != nil || p.child != child {
		t.Errorf("got %v; the probe is the same: %v", err, p.child == child)
	}
}

// A process that is not ready after a minute is abandoned like any other.
func TestProbeThatNeverStartsIsLeftBehind(t *testing.T) {
	p := testProbe(t)
	p.start = func(context.Context) (ProbeProcess, error) { return startProbe(exec.Command("sleep", "1000")) }
	late, cancel := context.WithCancel(t.Context())
	cancel()
	_ = p.Ask(late, "echo", nil, nil) // the start
	p.started = p.started.Add(-probeStart)
	if err := p.Ask(late, "echo", nil, nil); !errors.Is(err, context.Canceled) || p.child != nil || p.left == nil {
		t.Errorf("got %v; left behind: %v", err, p.left != nil)
	}
}

// A process that sleeps in the kernel does not exit, even when killed.
func TestProbeThatIsStuckIsReplacedRarely(t *testing.T) {
	p := testProbe(t)
	p.left = &testProcess{ended: make(chan struct{})}
	p.started = time.Now().Add(-probeAgain + time.Minute)
	if err := p.Ask(t.Context(), "echo", nil, nil); !errors.Is(err, ErrNoProbe) {
		t.Errorf("got %v: a second probe was started within ten minutes", err)
	}
	p.started = time.Now().Add(-probeAgain)
	var got string
	if err := p.Ask(t.Context(), "echo", nil, &got); err != nil || got == "" {
		t.Errorf("got %q, %v: no probe after ten minutes", got, err)
	}
}

// Two sources send requests at the same moment, as after the start: each gets its own
// response.
func TestProbeWaitsItsTurn(t *testing.T) {
	p := testProbe(t)
	var asking sync.WaitGroup
	for n := range 20 {
		asking.Go(func() {
			var got string
			if err := p.Ask(t.Context(), "echo", n, &got); err != nil || !strings.Contains(got, fmt.Sprintf(`"arg":%d}`, n)) {
				t.Errorf("question %d: got %q, %v", n, got, err)
			}
		})
	}
	asking.Wait()
}

// A caller that waits behind a request without a response gives up in time, and has
// no effect on that request.
func TestProbeIsTakenForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProbe(nil)
		p.turn <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Ask(ctx, "echo", nil, nil); !errors.Is(err, ErrNoProbe) {
			t.Errorf("got %v", err)
		}
	})
}

func TestProbeBadAnswers(t *testing.T) {
	for _, do := range []string{"rubbish", "flood", "end"} {
		p := testProbe(t)
		var got string
		if err := p.Ask(t.Context(), do, nil, &got); err == nil {
			t.Errorf("%s: got %q and no error", do, got)
		}
	}
}
