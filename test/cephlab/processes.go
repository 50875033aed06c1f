package cephlab

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// processes are started by one thread and end with it, even if the test is killed.
type processes struct {
	starts  chan func()
	daemons map[string]*exec.Cmd // by program
}

func newProcesses() *processes {
	p := &processes{starts: make(chan func()), daemons: map[string]*exec.Cmd{}}
	go func() {
		runtime.LockOSThread()         // Pdeathsig is sent when the thread ends, not the process
		defer runtime.UnlockOSThread() // else the thread ends, and with it the processes that it started before
		for start := range p.starts {
			start()
		}
	}()
	return p
}

// Within calls f on the thread that starts the processes.
func (p *processes) Within(f func() error) error {
	done := make(chan error)
	p.starts <- func() { done <- f() }
	return <-done
}

// Run starts a command so that it ends with the test.
func (p *processes) Run(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return p.Within(cmd.Start)
}

// close ends the daemons but not a client's connection: without a monitor that would
// block.
func (p *processes) close() {
	for _, program := range []string{Monitor, Manager, OSD} {
		p.Kill(program)
	}
	close(p.starts)
}

// Kill ends a daemon as a power failure would.
func (p *processes) Kill(program string) {
	cmd := p.daemons[program]
	if cmd == nil {
		return
	}
	delete(p.daemons, program)
	// These fail only if it has already ended, which is the goal.
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// Signal sends a signal to a daemon.
func (c *Cluster) Signal(program string, s os.Signal) {
	c.t.Helper()
	if err := c.daemons[program].Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// daemon starts a daemon in the foreground.
func (c *Cluster) daemon(program string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(program, append(args, "-c", c.Conf, "-f")...)
	if err := c.Run(cmd); err != nil {
		c.t.Fatal(err)
	}
	c.daemons[program] = cmd
}

// tool runs a program to its end and returns its output.
func (c *Cluster) tool(program string, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, "-c", c.Conf)...)
	cmd.WaitDelay = time.Second
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	err := c.Run(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s%s%s", program, strings.Join(args, " "), err, &out, &bad, c.log("mon.a"))
	}
	return out.String()
}
