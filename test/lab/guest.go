//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/call"
)

// A Guest is the hypervisor under test, controlled through its agent.
type Guest struct {
	line net.Conn

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan call.Answer
	gone    error // why the connection has ended
}

// newGuest connects to the agent on the line.
func newGuest(line net.Conn) *Guest {
	g := &Guest{line: line, waiting: map[uint64]chan call.Answer{}}
	go g.listen()
	return g
}

func (g *Guest) listen() {
	for {
		var a call.Answer
		err := call.Read(g.line, &a)
		g.mu.Lock()
		if err != nil {
			g.gone = fmt.Errorf("the guest's agent is gone: %w", err)
			for id, c := range g.waiting {
				delete(g.waiting, id)
				close(c)
			}
			g.mu.Unlock()
			return
		}
		if c := g.waiting[a.ID]; c != nil {
			delete(g.waiting, a.ID)
			c <- a
		}
		g.mu.Unlock()
	}
}

// ask sends a request and waits for its response.
func (g *Guest) ask(ctx context.Context, r call.Request) (call.Answer, error) {
	c := make(chan call.Answer, 1)
	g.mu.Lock()
	if g.gone != nil {
		defer g.mu.Unlock()
		return call.Answer{}, g.gone
	}
	g.last++
	r.ID = g.last
	g.waiting[r.ID] = c
	err := call.Write(g.line, r)
	g.mu.Unlock()
	if err != nil {
		return call.Answer{}, err
	}
	select {
	case a, ok := <-c:
		if !ok {
			return a, g.gone
		}
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-ctx.Done():
		g.mu.Lock()
		delete(g.waiting, r.ID)
		g.mu.Unlock()
		return call.Answer{}, fmt.Errorf("no answer from the guest: %w", ctx.Err())
	}
}

// Exec runs a command in the guest to its end.
func (g *Guest) Exec(ctx context.Context, argv ...string) (call.Answer, error) {
	const seconds = 30
	ctx, cancel := context.WithTimeout(ctx, (seconds+5)*time.Second)
	defer cancel()
	a, err := g.ask(ctx, call.Request{Run: &call.Run{Argv: argv, Seconds: seconds}})
	if err != nil {
		return a, fmt.Errorf("%v: %w", argv, err)
	}
	return a, nil
}

// Run runs a command in the guest and returns its output and its exit code.
func (g *Guest) Run(ctx context.Context, argv ...string) (out string, code int, err error) {
	a, err := g.Exec(ctx, argv...)
	return string(a.Out) + string(a.Err), a.Code, err
}

// Sh runs a shell script in the guest; it must succeed.
func (g *Guest) Sh(ctx context.Context, script string) (string, error) {
	out, code, err := g.Run(ctx, "sh", "-euc", script)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d of: %s\n%s", code, script, out)
	}
	return strings.TrimSpace(out), err
}

// Get requests a URL within the guest.
func (g *Guest) Get(ctx context.Context, url string) (body []byte, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	a, err := g.ask(ctx, call.Request{Get: url})
	return a.Out, a.Code, err
}

// Put writes a file in the guest.
func (g *Guest) Put(ctx context.Context, path string, mode uint32, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	_, err := g.ask(ctx, call.Request{Put: &call.File{Path: path, Mode: mode, Body: body}})
	return err
}
