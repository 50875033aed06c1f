package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxErrors is the maximum amount of a program's standard error that is kept, in
// bytes. grace is how long the program's children may keep its output open after it
// has ended or was killed.
const (
	maxErrors = 4 << 10
	grace     = time.Second
)

// A Program is an external program of nodewatch. A second child of the same name is
// refused until the first has ended; of the probe, a few are allowed.
type Program struct {
	Client *Client
	Kind   Kind
	Name   string // unique name of this program; errors begin with it
	Output int    // how much of its standard output Run keeps, in bytes
}

// A Child is one run of a Program.
type Child struct {
	in, out *os.File
	errs    *output

	client *Client
	link   *link
	id     uint64
	name   string
	began  time.Time
	answer chan struct{} // closed after the launcher has responded
	ended  chan struct{}

	// Guarded by the client's lock.
	answered bool
	pid      int
	executed bool
	killed   bool
	err      error // how it ended; valid once ended is closed
}

// Start starts the program with the arguments, of which the first is its path, and
// with variables added to the environment of its kind. Without arguments the program
// is this same binary as the probe. Start returns once the launcher has started a
// helper, or after two seconds; the exec itself may still fail or hang.
func (p Program) Start(ctx context.Context, argv, env []string) (*Child, error) {
	child, files, err := p.Client.prepare(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	err = child.client.send(child.link, request{ID: child.id, Do: "start", Kind: p.Kind, Argv: argv, Env: env}, files...)
	for _, fd := range files {
		_ = unix.Close(fd)
	}
	go child.errs.read()
	switch {
	case errors.Is(err, ErrHung):
	case err != nil:
		child.client.unask(child)
	default:
		err = child.client.answered(ctx, child.answer)
	}
	if err != nil {
		child.Kill()
		child.Close()
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	return child, nil
}

// prepare makes a child with its pipes, and returns their other ends, which are the
// program's standard input, output and error.
func (c *Client) prepare(p Program) (*Child, []int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.usable()
	if err != nil {
		return nil, nil, err
	}
	same := 0
	for _, child := range c.children {
		if child.name == p.Name {
			same++
		}
	}
	if same >= table()[p.Kind].most {
		return nil, nil, ErrBusy
	}
	var near []*os.File
	var far []int
	for i := range 3 {
		fds := make([]int, 2)
		if err := unix.Pipe2(fds, unix.O_CLOEXEC); err != nil {
			for i := range near {
				_, _ = near[i].Close(), unix.Close(far[i])
			}
			return nil, nil, os.NewSyscallError("pipe2", err)
		}
		mine, theirs := fds[0], fds[1]
		if i == 0 {
			mine, theirs = theirs, mine
		}
		_ = unix.SetNonblock(mine, true) // so that a read or write can be aborted
		near, far = append(near, os.NewFile(uintptr(mine), p.Name)), append(far, theirs)
	}
	c.next++
	child := &Child{
		in: near[0], out: near[1], errs: newOutput(near[2], maxErrors), client: c, link: l, id: c.next, name: p.Name,
		began: time.Now(), answer: make(chan struct{}), ended: make(chan struct{}),
	}
	c.children[child.id] = child
	return child, far, nil
}

// unask removes a child for which no request was sent to the launcher.
func (c *Client) unask(child *Child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.children[child.id] == child {
		c.forget(child)
	}
}

// In returns the writer of the program's standard input.
func (c *Child) In() *os.File { return c.in }

// Out returns the reader of the program's standard output, which the caller must
// read.
func (c *Child) Out() *os.File { return c.out }

// Ended returns a channel that is closed once the program has ended and was reaped.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Kill kills the program and its process group. A process in uninterruptible sleep
// does not react: it is abandoned, and ends when it wakes.
func (c *Child) Kill() {
	c.client.mu.Lock()
	_, running := c.client.children[c.id]
	c.killed = true
	c.client.mu.Unlock()
	if running {
		_ = c.client.send(c.link, request{ID: c.id, Do: "kill"}) // without a launcher the program has been killed already
	}
}

// Close closes the pipes. It does not end the program.
func (c *Child) Close() {
	_, _, _ = c.in.Close(), c.out.Close(), c.errs.file.Close()
}

// Explain adds to an error the known reason why the child did not do its work: its
// exec has not returned, or how it ended.
func (c *Child) Explain(err error) error {
	c.client.mu.Lock()
	defer c.client.mu.Unlock()
	select {
	case <-c.ended:
		if c.err != nil {
			return fmt.Errorf("%s: %w", c.name, c.err)
		}
	default:
		if c.answered && !c.executed {
			return fmt.Errorf("%s: its exec has not returned since %s: %w", c.name, c.began.Format(time.TimeOnly), err)
		}
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// failure returns how an ended child ended; nil for exit code 0.
func (c *Child) failure() error {
	c.client.mu.Lock()
	defer c.client.mu.Unlock()
	return c.err
}

// Run runs the program to its end, with the input as its standard input, and returns
// the first bytes of its standard output and error. When ctx ends, the program is
// killed; if it does not exit then, it is abandoned. An exit code other than 0 is
// an *ExitError.
func (p Program) Run(ctx context.Context, argv, env []string, input []byte) (stdout, stderr []byte, err error) {
	child, err := p.Start(ctx, argv, env)
	if err != nil {
		return nil, nil, err
	}
	defer child.Close()
	out := newOutput(child.out, p.Output)
	go out.read()
	go func() {
		_, _ = child.in.Write(input) // a program need not read it
		_ = child.in.Close()
	}()
	select {
	case <-child.ended:
		err = child.failure()
	case <-ctx.Done():
		err = child.Explain(ctx.Err())
		child.Kill()
	}
	late := time.Now().Add(grace)
	stdout, stderr = out.rest(late), child.errs.rest(late)
	select { // so that another run finds it ended if the kill had an effect
	case <-child.ended:
	case <-time.After(time.Until(late)):
	}
	return stdout, stderr, err
}

// An output collects a program's output. It keeps the first bytes and drops the rest.
type output struct {
	file *os.File
	kept []byte
	left int
	done chan struct{}
}

func newOutput(file *os.File, keep int) *output {
	return &output{file: file, left: keep, done: make(chan struct{})}
}

// read reads to the end.
func (o *output) read() {
	defer close(o.done)
	buf := make([]byte, 4<<10)
	for {
		n, err := o.file.Read(buf)
		keep := min(n, o.left)
		o.kept, o.left = append(o.kept, buf[:keep]...), o.left-keep
		if err != nil {
			return
		}
	}
}

// rest returns the kept bytes, once no process has the output open, or at
// the given time.
func (o *output) rest(late time.Time) []byte {
	_ = o.file.SetReadDeadline(late)
	<-o.done
	return o.kept
}
