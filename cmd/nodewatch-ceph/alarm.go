package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/nodewatch/nodewatch/pkg/ceph"
)

// An alarm ends the process at its timeout, even if a call of librados, a file on a
// hung disk or a full pipe blocks.
type alarm struct {
	step   atomic.Pointer[string]
	timers [2]*time.Timer
}

// setAlarm starts an alarm. It first prints how far the process got; if even that
// blocks, a second timer ends the process a second later.
func setAlarm(timeout time.Duration, stderr io.Writer, exit func(code int)) *alarm {
	a := &alarm{}
	a.reach("start")
	a.timers[0] = time.AfterFunc(timeout, func() {
		fmt.Fprintf(stderr, "nodewatch-ceph: timed out after %s, during: %s\n", timeout, *a.step.Load())
		exit(ceph.ExitAlarm)
	})
	a.timers[1] = time.AfterFunc(timeout+time.Second, func() { exit(ceph.ExitAlarm) })
	return a
}

// reach sets the current step.
func (a *alarm) reach(step string) { a.step.Store(&step) }

func (a *alarm) stop() {
	for _, t := range a.timers {
		t.Stop()
	}
}
