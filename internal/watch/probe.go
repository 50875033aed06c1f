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

// The minimum time between two starts of a probe. An abandoned probe that does not
// exit is stuck in the kernel, and repeated starts would fill the machine with such
// processes; one that has exited was only late.
const (
	probeAgain = 10 * time.Minute
	probeSoon  = 10 * time.Second
)

// probeStart is the maximum time until a started probe is ready. It does not count as a
// read: on a node that is short of CPU, or whose disk is slow, a start takes longer than
// the deadline of a request.
const probeStart = time.Minute

// maxAnswer is the maximum length of a probe's response, in bytes.
const maxAnswer = 8 << 20

// A Probe is a child process for reads that may never return. It writes a line when it is
// ready, and then handles one request at a time. A probe that does not respond in time, or
// is not ready after a minute, is abandoned. Its replacement starts at least ten seconds
// after its own start if it has exited, and at least ten minutes after it otherwise.
type Probe struct {
	start   func(context.Context) (ProbeProcess, error)
	turn    chan struct{} // contains a token while a request is in progress
	child   *probeChild
	left    ProbeProcess // the latest abandoned process
	started time.Time
}

// A ProbeProcess is the process of a Probe: it writes an empty response when it is ready,
// then reads requests and writes responses, one line of JSON each.
type ProbeProcess interface {
	In() *os.File
	Out() *os.File
	Kill()
	Close() // closes its input and output
	Ended() <-chan struct{}
	Explain(error) error // adds the known reasons for a missing response to an error
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

// A Question is a request to a Probe.
type Question struct {
	Do  string          `json:"do"`
	Arg json.RawMessage `json:"arg,omitempty"`
}

// A Response is a Probe's response to a Question.
type Response struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
	Kind  string          `json:"kind,omitempty"` // denied, absent; empty: another error
}

// ErrNoProbe is returned if there is no probe now, so that no request was sent.
var ErrNoProbe = errors.New("the probe is stalled in an earlier read")

// ErrNotRunning is returned if the probe was not ready in time, so that nothing was read.
var ErrNotRunning = errors.New("the probe did not run in time")

// Ask sends a request with arg, which may be nil, to the probe, and decodes the
// response into value. It waits for requests in progress. If the response is late, it
// returns ctx's error and abandons the probe. It is safe for concurrent use.
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
	deadline, _ := ctx.Deadline() // the zero time means no deadline
	_ = p.child.In().SetWriteDeadline(deadline)
	switch n, err := p.child.In().Write(append(raw, '\n')); {
	case n == 0 && errors.Is(err, os.ErrDeadlineExceeded): // the start took the whole time
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

// wait waits until no other request is in progress, and reports whether that was
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

// ensure starts a child if there is none, and waits until it is ready.
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

// pause returns the minimum time between the last start and the next.
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

// read passes each line of the child's output on until it ends.
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

// abandon gives up the child, and adds an explanation to the error that caused it.
// The child is killed, but one in uninterruptible sleep does not exit, so abandon
// does not wait for it.
func (p *Probe) abandon(err error) error {
	err = p.child.Explain(err)
	p.child.Kill()
	p.child.Close()
	go drain(p.child.answers)
	p.child, p.left = nil, p.child.ProbeProcess
	return err
}

// drain discards further output of an abandoned child, so that its reader can end.
func drain(answers <-chan answer) {
	for a := range answers {
		if a.err != nil {
			return
		}
	}
}
