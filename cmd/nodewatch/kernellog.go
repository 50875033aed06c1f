package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// savePosition is how often the position in the kernel log is written down.
const savePosition = time.Second

// A kernelLog reads /dev/kmsg, and keeps its place in the runtime directory over
// a restart of the daemon.
type kernelLog struct {
	at    roots
	place string // file of the position; empty: none is kept
	any   bool   // believe records of user space too: for tests
	r     *kmsg.Reader
	saved time.Time
}

func newKernelLog(c config.Config, at roots) *kernelLog {
	k := &kernelLog{at: at, any: os.Getenv("NODEWATCH_TEST_ANY_FACILITY") == "1"}
	dir := c.Runtime
	if dir == "" {
		dir, _, _ = strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	}
	if dir != "" {
		k.place = filepath.Join(dir, "kmsg-position")
	}
	return k
}

// read returns what the log has said since the last call, without waiting.
func (k *kernelLog) read(context.Context) (kmsg.Batch, error) {
	if k.r == nil {
		if err := k.open(); err != nil {
			return kmsg.Batch{}, err
		}
	}
	b, err := k.r.Next(0)
	if err != nil {
		_ = k.r.Close()
		k.r = nil
		return kmsg.Batch{}, err
	}
	k.save()
	return b, nil
}

func (k *kernelLog) open() error {
	boot, err := os.ReadFile(filepath.Join(k.at.proc, "sys/kernel/random/boot_id"))
	if err != nil {
		return err
	}
	var from kmsg.Position
	if k.place != "" {
		from, _ = kmsg.LoadPosition(k.place) // a broken file is no position: what is in the log is history then
	}
	if k.r, err = kmsg.Open(k.at.kmsg, strings.TrimSpace(string(boot)), from, kmsg.Clock{Now: time.Now}); err == nil {
		k.r.AnyFacility = k.any
	}
	return err
}

// save writes the position down, at most once a second. The runtime directory is
// a RAM disk; a failure costs no more than a restart that takes old lines for history.
func (k *kernelLog) save() {
	if k.place == "" || time.Since(k.saved) < savePosition {
		return
	}
	k.saved = time.Now()
	_ = kmsg.SavePosition(k.place, k.r.Position())
}
