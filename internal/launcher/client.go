package launcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// answerWithin is how long a launcher may take to respond before it counts as hung.
// takeOver is how long after a launcher's death the spare takes over.
const (
	answerWithin = 2 * time.Second
	takeOver     = 2 * time.Second
)

// The errors of a launcher that cannot be used now. ErrHung is also a
// context.DeadlineExceeded, ErrBusy a syscall.EBUSY.
var (
	ErrHung = fmt.Errorf("the launcher does not answer: %w", context.DeadlineExceeded)
	ErrDead = errors.New("the launcher has ended")
	ErrBusy = fmt.Errorf("the previous one has not ended: %w", syscall.EBUSY)
)

// A Client sends requests to the launcher. It is safe for concurrent use, and none of
// its methods waits longer than documented.
type Client struct {
	mu       sync.Mutex
	links    []*link // the launcher in use is first
	next     uint64
	children map[uint64]*Child
	pongs    map[uint64]chan struct{}
	hung     time.Time // when the launcher stopped responding; zero: it responds
	ready    time.Time // when the spare takes over
	deaths   int
	missing  error // reason why no launcher was started
	closed   bool
	late     time.Duration // time after which a launcher that does not respond counts as hung
}

// A link is the connection to one launcher.
type link struct{ conn *net.UnixConn }

// A State is the state of the launcher.
type State struct {
	Restarts   int // 1 once the spare has taken over
	Running    int // number of running programs
	LeftBehind int // number of programs that were killed and have not ended: they sleep in the kernel
}

// Spawn starts the launcher and, through it, the spare. It is the only fork of a
// daemon, and must be the daemon's first action because a fork may hang. If there is
// no launcher, the Client's methods return the reason.
func Spawn() *Client {
	c := newClient()
	c.missing = c.spawn()
	return c
}

func (c *Client) spawn() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	mine, theirs := []*os.File{}, []*os.File{null}
	defer func() {
		for _, f := range append(mine, theirs...) {
			_ = f.Close()
		}
	}()
	for range 2 {
		a, b, err := socketPair()
		if err != nil {
			return err
		}
		mine, theirs = append(mine, a), append(theirs, b)
	}
	p, err := os.StartProcess("/proc/self/exe", []string{os.Args[0], ServeCommand, spareArg}, &os.ProcAttr{
		Env: os.Environ(), Files: append([]*os.File{null, null, os.Stderr}, theirs[1:]...),
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return err
	}
	go p.Wait()
	for _, f := range mine {
		if err := c.attach(f); err != nil {
			return err
		}
	}
	return nil
}

// Local returns a Client with a launcher in this process, for commands other than the
// daemon. Close ends the launcher.
func Local() (*Client, error) {
	c := newClient()
	mine, theirs, err := socketPair()
	if err != nil {
		return c, err
	}
	conn, err := unixConn(theirs)
	if err != nil {
		_ = mine.Close()
		return c, err
	}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, which is the parent of the programs, ends with the goroutine
		newServer(conn).serve()
	}()
	return c, c.attach(mine)
}

func newClient() *Client {
	return &Client{children: map[uint64]*Child{}, pongs: map[uint64]chan struct{}{}, late: answerWithin}
}

// socketPair makes a connected pair of sockets that preserves message boundaries.
func socketPair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "launcher"), os.NewFile(uintptr(fds[1]), "launcher"), nil
}

// attach starts to receive from one launcher.
func (c *Client) attach(f *os.File) error {
	conn, err := unixConn(f)
	if err != nil {
		return err
	}
	l := &link{conn}
	c.mu.Lock()
	c.links = append(c.links, l)
	c.mu.Unlock()
	go c.receive(l)
	return nil
}

// receive handles the messages of one launcher until it ends.
func (c *Client) receive(l *link) {
	message := make([]byte, maxMessage)
	for {
		n, err := l.conn.Read(message)
		if err != nil || n == 0 {
			c.died(l)
			return
		}
		var e event
		if json.Unmarshal(message[:n], &e) == nil {
			c.take(e)
		}
	}
}

// take handles one event of the launcher in use.
func (c *Client) take(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hung = time.Time{}
	if pong, waits := c.pongs[e.ID]; waits {
		close(pong)
		delete(c.pongs, e.ID)
		return
	}
	child, known := c.children[e.ID]
	if !known {
		return
	}
	switch e.What {
	case "forked":
		child.pid = e.PID
		child.reply()
	case "executed":
		child.executed = true
	case "ended":
		switch {
		case e.Error != nil:
			child.err = e.Error.err()
		case e.Code != 0:
			child.err = &ExitError{Code: e.Code, Signal: e.Signal}
		}
		c.forget(child)
	}
}

// reply records that the launcher has responded. The caller must hold the lock.
func (c *Child) reply() {
	if !c.answered {
		c.answered = true
		close(c.answer)
	}
}

// forget records that a child has ended. The caller must hold the lock.
func (c *Client) forget(child *Child) {
	delete(c.children, child.id)
	child.reply()
	close(child.ended)
}

// died handles the end of a launcher. Its programs are killed with it; died kills the
// processes that they have started.
func (c *Client) died(l *link) {
	_ = l.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.links) == 0 || c.closed {
		return
	}
	if c.links[0] != l {
		c.links = c.links[:1] // the spare
		return
	}
	c.links = c.links[1:]
	c.deaths++
	c.hung = time.Time{}
	c.ready = time.Now().Add(takeOver)
	for id, pong := range c.pongs {
		close(pong)
		delete(c.pongs, id)
	}
	for _, child := range c.children {
		if child.pid != 0 {
			_ = syscall.Kill(-child.pid, syscall.SIGKILL)
		}
		child.err = ErrDead
		c.forget(child)
	}
}

// Close ends the launcher and with it every program. It does not wait for them.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, l := range c.links {
		_ = l.conn.Close()
	}
	c.links = nil
	for _, child := range c.children {
		child.err = ErrDead
		c.forget(child)
	}
}

// usable returns the launcher in use, or why there is none. The caller must hold the
// lock.
func (c *Client) usable() (*link, error) {
	switch {
	case len(c.links) == 0 && c.deaths > 0:
		return nil, fmt.Errorf("%w, and so did its predecessor: restart nodewatch to start programs again", ErrDead)
	case c.missing != nil:
		return nil, fmt.Errorf("the launcher was not started: %w", c.missing)
	case len(c.links) == 0:
		return nil, ErrDead
	case time.Now().Before(c.ready):
		return nil, fmt.Errorf("%w; another takes over in %s", ErrDead, takeOver)
	case !c.hung.IsZero():
		return nil, fmt.Errorf("since %s %w", c.hung.Format(time.TimeOnly), ErrHung)
	}
	return c.links[0], nil
}

// Check sends a ping to the launcher, waits at most two seconds for the response, and
// returns the launcher's state. It sends no second ping while the first has no
// response.
func (c *Client) Check(ctx context.Context) (State, error) {
	c.mu.Lock()
	l, err := c.usable()
	if err != nil {
		c.mu.Unlock()
		return State{}, err
	}
	c.next++
	id, pong := c.next, make(chan struct{})
	c.pongs[id] = pong
	c.mu.Unlock()
	if err := c.send(l, request{ID: id, Do: "ping"}); err != nil {
		return State{}, err
	}
	if err := c.answered(ctx, pong); err != nil {
		return State{}, err
	}
	return c.state(l)
}

// state returns the state of the launcher, if it is still in use.
func (c *Client) state(l *link) (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.links) == 0 || c.links[0] != l {
		return State{}, ErrDead
	}
	s := State{Restarts: c.deaths}
	for _, child := range c.children {
		if child.killed {
			s.LeftBehind++
		} else {
			s.Running++
		}
	}
	return s, nil
}

// answered waits for a response. Without one the launcher counts as hung until it
// sends a message.
func (c *Client) answered(ctx context.Context, answer <-chan struct{}) error {
	late := time.NewTimer(c.late)
	defer late.Stop()
	began := time.Now()
	select {
	case <-answer:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("launcher: %w", ctx.Err())
	case <-late.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-answer:
		return nil
	default:
	}
	if c.hung.IsZero() {
		c.hung = began
	}
	return fmt.Errorf("since %s %w", c.hung.Format(time.TimeOnly), ErrHung)
}

// send sends a request. A launcher that does not accept it is hung.
func (c *Client) send(l *link, r request, files ...int) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if len(raw) > maxMessage {
		return fmt.Errorf("launcher: arguments and environment: %w", syscall.E2BIG)
	}
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	_ = l.conn.SetWriteDeadline(time.Now().Add(c.late))
	_, _, err = l.conn.WriteMsgUnix(raw, rights, nil)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.hung.IsZero() {
			c.hung = time.Now()
		}
		return ErrHung
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDead, err)
	}
	return nil
}
