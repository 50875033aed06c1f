package main

import (
	"context"
	"errors"
	"testing"

	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// While the probe is not running yet, no process counts as late: each is queried again
// at the next reading, not ten minutes later.
func TestNoProcessIsLateWhileTheProbeStarts(t *testing.T) {
	probe := watch.NewProbe(func(context.Context) (watch.ProbeProcess, error) { return nil, context.DeadlineExceeded })
	_, err := guestAsks(probe).Guest(t.Context(), qemu.Process{PID: 7})
	if !errors.Is(err, qemu.ErrNotAsked) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
