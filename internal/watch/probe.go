package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// The least time between two starts of a probe. One that was left behind and does
// not end is stuck in the kernel, and a row of them would fill the machine; one
// that has ended was only late.
const (
	probeAgain = 10 * time.Minute
	probeSoon  = 10 * time.Second
)

// probeStart is how long a probe may take until it runs, which is not a read: on a
// node that is short of CPU, or whose disk is slow, it takes longer than a question may.
const probeStart = time.Minute

// maxAnswer is the longest answer of a probe that is read, in bytes.
const maxAnswer = 8 << 20

// A Probe is a child process that is asked for reads which may never come back.
// It writes a line as soon as it runs, and then answers one question at a time. One
// that does not answer in time, or does not run after a minute, is abandoned, and
// replaced ten seconds after its start if it has ended by then, or else after ten minutes.
type Probe struct {
	start   func(context.Context) (ProbeProcess, error)
	turn    chan struct{} // holds a token while a question is under way
	child   *probeChild
	left    ProbeProcess // the latest that was left behind
	started time.Time
}

// A ProbeProcess is a probe: it writes an empty answer once it runs, then reads questions
// and writes answers, a line of JSON each.
type ProbeProcess interface {
	In() *os.File
	Out() *os.File
	Kill()
	Close() // closes its input and output
	Ended() <-chan struct{}
	Explain(error) error // adds to an error what is known of why it does not answer
}

// NewProbe returns a Probe. start starts its process.
func NewProbe(start func(context.Context) (ProbeProcess, error)) *Probe {
	return &Probe{start: start, turn: make(chan struct{}, 1)}
}

type probeChild struct {
	ProbeProcess
	answers chan answer
	runs    bool
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

// A Response is what a Probe says.
type Response struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
	Kind  string          `json:"kind,omitempty"` // denied, absent; empty: another error
}

// ErrNoProbe says that there is no probe now, and that nothing was asked.
var ErrNoProbe = errors.New("the probe is stuck in an earlier read")

// ErrNotRunning is returned when the probe did not start in time, so that nothing was read.
var ErrNotRunning = errors.New("the probe did not run in time")

// Ask asks the probe to do something with arg, which may be nil, and decodes the
// answer into value. It waits for its turn. It returns ctx's error when the answer
// is late; the probe is then left behind. It is safe for concurrent use.
func (p *Probe) Ask(ctx context.Context, do string, arg, value any) error {
	if !p.wait(ctx) {
		return fmt.Errorf("probe: %w", ErrNoProbe)
	}
	defer func() { <-p.turn }()
	if err := p.ensure(ctx); err != nil {
		return err
	}
	raw, err := json.Marshal(arg)
	if err == nil {
		raw, err = json.Marshal(Question{Do: do, Arg: raw})
	}
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	deadline, _ := ctx.Deadline() // the zero time is none
	_ = p.child.In().SetWriteDeadline(deadline)
	switch n, err := p.child.In().Write(append(raw, '\n')); {
	case n == 0 && errors.Is(err, os.ErrDeadlineExceeded): // its start took all of the time
		return fmt.Errorf("%w: %w", ErrNotRunning, err)
	case err != nil:
		return p.abandon(err)
	}
	select {
	case a := <-p.child.answers:
		if a.err != nil {
			return p.abandon(a.err)
		}
		return decodeAnswer(a.line, value)
	case <-ctx.Done():
		return p.abandon(fmt.Errorf("%s: %w", do, ctx.Err()))
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
	var a Response
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

// ensure starts a child if there is none, and waits until it runs.
func (p *Probe) ensure(ctx context.Context) error {
	if err := p.begin(ctx); err != nil || p.child.runs {
		return err
	}
	select {
	case a := <-p.child.answers:
		if a.err != nil {
			return p.abandon(a.err)
		}
		p.child.runs = true
		return nil
	case <-ctx.Done():
	}
	err := fmt.Errorf("%w: %w", ErrNotRunning, ctx.Err())
	if time.Since(p.started) < probeStart {
		return p.child.Explain(err)
	}
	return p.abandon(err)
}

// begin starts a child if there is none, unless the last start was too recent.
func (p *Probe) begin(ctx context.Context) error {
	if p.child != nil {
		return nil
	}
	if since, least := time.Since(p.started), p.pause(); !p.started.IsZero() && since < least {
		err := fmt.Errorf("%w; the next is started in %s", ErrNoProbe, (least - since).Round(time.Second))
		return p.left.Explain(err)
	}
	process, err := p.start(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	p.started = time.Now()
	p.child = &probeChild{ProbeProcess: process, answers: make(chan answer, 1)}
	go p.child.read()
	return nil
}

// pause is the least time from the last start to the next.
func (p *Probe) pause() time.Duration {
	if p.left != nil {
		select {
		case <-p.left.Ended():
		default:
			return probeAgain
		}
	}
	return probeSoon
}

// read passes on each line of the child's output until it ends.
func (c *probeChild) read() {
	in := bufio.NewReaderSize(c.Out(), 64<<10)
	for {
		line, err := readLine(in)
		c.answers <- answer{line, err}
		if err != nil {
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
			return nil, errors.New("the answer is longer than 8 MiB")
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// abandon leaves the child behind, and explains the error for which it does: the
// child is killed, which one that sleeps in the kernel does not feel, and nobody
// waits for it.
func (p *Probe) abandon(err error) error {
	err = p.child.Explain(err)
	p.child.Kill()
	p.child.Close()
	go drain(p.child.answers)
	p.child, p.left = nil, p.child.ProbeProcess
	return err
}

// drain takes what a child that was left behind still says, so that its reader can end.
func drain(answers <-chan answer) {
	for a := range answers {
		if a.err != nil {
			return
		}
	}
}
