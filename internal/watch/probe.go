package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// The least time between two starts of a probe. One that was left behind and does
// not end is stuck in the kernel, and a row of them would fill the machine; one
// that has ended was only late.
const (
	probeAgain = 10 * time.Minute
	probeSoon  = 10 * time.Second
)

// maxAnswer is the longest answer of a probe that is read, in bytes.
const maxAnswer = 8 << 20

// A Probe is a child process that is asked for reads which may never come back.
// It answers one question at a time; one that does not answer in time is
// abandoned, and replaced ten seconds after its start if it has ended by then, or
// else after ten minutes.
type Probe struct {
	command func() *exec.Cmd
	turn    chan struct{} // holds a token while a question is under way
	child   *probeChild
	left    *probeChild // the latest that was left behind
	started time.Time
}

// NewProbe returns a Probe. command makes the child's command: it reads questions
// and writes answers, a line of JSON each.
func NewProbe(command func() *exec.Cmd) *Probe {
	return &Probe{command: command, turn: make(chan struct{}, 1)}
}

type probeChild struct {
	cmd     *exec.Cmd
	in      *os.File
	answers chan answer
	gone    chan struct{} // closed when it has ended
}

type answer struct {
	line []byte
	err  error
}

// A Question is what a Probe is asked.
type Question struct {
	Do  string          `json:"do"`
	Arg json.RawMessage `json:"arg,omitempty"`
}

// An Answer is what a Probe says.
type Answer struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
	Kind  string          `json:"kind,omitempty"` // denied, absent; empty: another error
}

// ErrNoProbe says that there is no probe now, and that nothing was asked.
var ErrNoProbe = errors.New("the probe is stuck in an earlier read")

// Ask asks the probe to do something with arg, which may be nil, and decodes the
// answer into value. It waits for its turn. It returns ctx's error when the answer
// is late; the probe is then left behind. It is safe for concurrent use.
func (p *Probe) Ask(ctx context.Context, do string, arg, value any) error {
	if !p.wait(ctx) {
		return fmt.Errorf("probe: %w", ErrNoProbe)
	}
	defer func() { <-p.turn }()
	if err := p.start(); err != nil {
		return err
	}
	raw, err := json.Marshal(arg)
	if err == nil {
		raw, err = json.Marshal(Question{Do: do, Arg: raw})
	}
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if deadline, has := ctx.Deadline(); has {
		_ = p.child.in.SetWriteDeadline(deadline)
	}
	if _, err := p.child.in.Write(append(raw, '\n')); err != nil {
		p.abandon()
		return fmt.Errorf("probe: %w", err)
	}
	select {
	case a := <-p.child.answers:
		if a.err != nil {
			p.abandon()
			return fmt.Errorf("probe: %w", a.err)
		}
		return decodeAnswer(a.line, value)
	case <-ctx.Done():
		p.abandon()
		return fmt.Errorf("probe: %s: %w", do, ctx.Err())
	}
}

// wait waits until no other question is under way, and reports whether that was
// before ctx ended.
func (p *Probe) wait(ctx context.Context) bool {
	select {
	case p.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case p.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func decodeAnswer(line []byte, value any) error {
	var a Answer
	if err := json.Unmarshal(line, &a); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	switch {
	case a.Kind == "denied":
		return fmt.Errorf("probe: %s: %w", a.Error, os.ErrPermission)
	case a.Kind == "absent":
		return fmt.Errorf("probe: %s: %w", a.Error, os.ErrNotExist)
	case a.Error != "":
		return fmt.Errorf("probe: %s", a.Error)
	}
	if err := json.Unmarshal(a.Value, value); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}

// start starts a child if there is none, unless the last start was too recent.
func (p *Probe) start() error {
	if p.child != nil {
		return nil
	}
	if since, least := time.Since(p.started), p.pause(); !p.started.IsZero() && since < least {
		return fmt.Errorf("probe: %w; the next is started in %s", ErrNoProbe, (least - since).Round(time.Second))
	}
	p.started = time.Now()
	cmd := p.command()
	in, out, err := pipes(cmd)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	p.child = &probeChild{cmd: cmd, in: in, answers: make(chan answer, 1), gone: make(chan struct{})}
	go p.child.read(out)
	return nil
}

// pause is the least time from the last start to the next.
func (p *Probe) pause() time.Duration {
	if p.left != nil {
		select {
		case <-p.left.gone:
		default:
			return probeAgain
		}
	}
	return probeSoon
}

// pipes starts the command with pipes on both ends.
func pipes(cmd *exec.Cmd) (in, out *os.File, err error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, childIn.Close(), in.Close())
	}
	cmd.Stdin, cmd.Stdout = childIn, childOut
	err = cmd.Start()
	_, _ = childIn.Close(), childOut.Close()
	if err != nil {
		return nil, nil, errors.Join(err, in.Close(), out.Close())
	}
	return in, out, nil
}

// read passes on each line of the child's output until it ends, and reaps the child.
func (c *probeChild) read(out *os.File) {
	in := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := readLine(in)
		c.answers <- answer{line, err}
		if err != nil {
			_ = out.Close()
			_ = c.cmd.Wait()
			close(c.gone)
			return
		}
	}
}

// readLine reads one line of at most maxAnswer bytes.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxAnswer:
			return nil, errors.New("an answer is longer than 8 MiB")
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// abandon leaves the child behind: it is killed, which one that sleeps in the
// kernel does not feel, and nobody waits for it.
func (p *Probe) abandon() {
	_ = p.child.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.child.in.Close()
	go drain(p.child.answers)
	p.child, p.left = nil, p.child
}

// drain takes what a child that was left behind still says, so that its reader can end.
func drain(answers <-chan answer) {
	for a := range answers {
		if a.err != nil {
			return
		}
	}
}
