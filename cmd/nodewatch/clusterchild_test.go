package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/launcher"
)

// A childCount counts the nodewatch-ceph processes of a daemon.
type childCount struct {
	of process

	mu       sync.Mutex
	launcher process // the parent of all the daemon's programs; 0: not found yet
	most     int
	seen     map[int]bool
}

// countChildren counts until the end of the test.
func countChildren(t *testing.T, pid int) *childCount {
	c := &childCount{of: process(pid), seen: map[int]bool{}}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c.look()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-end:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(end)
		<-ended
	})
	return c
}

// look returns the children that are running or stopped, without zombies.
func (c *childCount) look() (now map[int]string) {
	now = map[int]string{}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.launcher == 0 {
		c.launcher, _ = c.of.called(launcher.ServeCommand, theLauncher)
	}
	for _, child := range c.launcher.children() {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child)) // a process that has ended is skipped
		if f := statFields(raw); strings.Contains(string(raw), " (nodewatch-ceph) ") && f[0] != "Z" {
			now[int(child)] = f[0]
		}
	}
	c.most = max(c.most, len(now))
	for pid := range now {
		c.seen[pid] = true
	}
	return now
}

// freezeChild stops the daemon's child as soon as there is one, and returns its
// process id.
func (w *watching) freezeChild() (pid int) {
	w.t.Helper()
	w.poll("a child is stopped", func() bool {
		for child, state := range w.children.look() {
			if pid = child; state == "T" {
				return true
			}
			_ = syscall.Kill(child, syscall.SIGSTOP) // the child may have ended: then the next one is stopped
		}
		return false
	})
	return pid
}

// gone waits until the child has been killed.
func (w *watching) gone(pid int) {
	w.t.Helper()
	w.poll("the late child is killed", func() bool { return w.children.look()[pid] == "" })
}

// hadOneChild checks that there was never more than one child at a time.
func (w *watching) hadOneChild() {
	w.t.Helper()
	w.children.mu.Lock()
	defer w.children.mu.Unlock()
	if w.children.most != 1 || len(w.children.seen) < 2 {
		w.t.Errorf("%d children at a time, %d in all; want one at a time repeatedly", w.children.most, len(w.children.seen))
	}
}
