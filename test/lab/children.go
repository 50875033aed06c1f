//go:build lab

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Children are all processes of the lab. They are started by one thread in an
// isolated network namespace, and end with that thread, even if the test is killed.
// The namespace has no name; it ends with the last of them.
type Children struct {
	dir    string
	thread chan func()
	closed chan struct{} // by Close

	mu   sync.Mutex
	list []*Child
}

// A Child is one running process.
type Child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// NewChildren creates the namespace. The children log to files in the directory.
func NewChildren(dir string) (*Children, error) {
	c := &Children{dir: dir, thread: make(chan func()), closed: make(chan struct{})}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		ready <- err
		if err != nil {
			return
		}
		for {
			select {
			case f := <-c.thread:
				f()
			case <-c.closed:
				return
			}
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	return c, nil
}

// errClosed is the error of all operations on Children after Close.
var errClosed = errors.New("the lab has ended")

// Within calls f on the thread in the namespace.
func (c *Children) Within(f func() error) error {
	done := make(chan error, 1)
	select {
	case c.thread <- func() { done <- f() }:
		return <-done
	case <-c.closed:
		return errClosed
	}
}

// Start starts a program; its output is written to NAME.log.
func (c *Children) Start(name, program string, args ...string) (*Child, error) {
	log, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := c.Within(cmd.Start); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	child := &Child{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its log shows how it ended
		close(child.done)
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, child)
	return child, nil
}

// Output runs a program to its end within the namespace, and returns its output.
func (c *Children) Output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.WaitDelay = time.Second
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := c.Within(cmd.Start); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%s %v: %w\n%s%s", program, args, errors.Join(err, ctx.Err()), &out, &bad)
	}
	return out.Bytes(), nil
}

// Signal sends a signal to the process.
func (c *Child) Signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }

// Kill ends the process as a power failure would, and waits for its end.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // the process may have ended by itself
	<-c.done
}

// Ended reports whether the process is gone.
func (c *Child) Ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Close kills all children, youngest first, and leaves the namespace.
func (c *Children) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.list) - 1; i >= 0; i-- {
		c.list[i].Kill()
	}
	c.list = nil
	close(c.closed)
}
