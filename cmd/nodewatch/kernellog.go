package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// positionName is the name of the position file in the runtime directory.
const positionName = "kmsg-position"

// maxPosition exceeds the size of a valid position file, in bytes.
const maxPosition = 128

// savePosition is how often the position in the kernel log is saved.
const savePosition = time.Second

// A kernelLog reads /dev/kmsg, and saves its position in the runtime directory, so
// that it survives a restart of the daemon.
type kernelLog struct {
	at          hostPaths
	dir         string // directory of the position file; empty: it is not saved
	anyFacility bool   // also accept records of user space, for tests
	r           *kmsg.Reader
	last        kmsg.Position // last position of this process, after a read has failed
	saved       time.Time     // when the position was last saved
	wrote       kmsg.Position // the saved position
}

func newKernelLog(c config.Config, at hostPaths) *kernelLog {
	return &kernelLog{at: at, dir: runtimeDirectory(c), anyFacility: os.Getenv("NODEWATCH_TEST_ANY_FACILITY") == "1"}
}

// source reads the log continuously: in a flood the kernel overwrites records that
// have waited for a tenth of a second.
func (k *kernelLog) source() watch.Source {
	l := listed(node.SourceKmsg)
	return watch.Poll(watch.Polling[kmsg.Batch]{
		Name: l.name, Every: l.every, Deadline: l.late, Remedy: l.remedy, Read: k.read,
		More: func(kmsg.Batch) bool { return true },
		As:   func(r node.Reading[kmsg.Batch]) node.Observation { return node.SawKernel{Reading: r} },
	})
}

// read returns the records since the previous call. For the first one it waits up to
// one round, without blocking a thread.
func (k *kernelLog) read(context.Context) (kmsg.Batch, error) {
	if k.r == nil {
		if err := k.open(); err != nil {
			return kmsg.Batch{}, err
		}
	}
	k.save() // the previous batch has been processed
	b, err := k.r.Next(listed(node.SourceKmsg).every)
	if err != nil {
		k.last = k.r.Position()
		_ = k.r.Close()
		k.r = nil
		return kmsg.Batch{}, err
	}
	if b.History && k.last != (kmsg.Position{}) {
		return kmsg.Batch{Seq: b.Seq}, nil // reopened after an error that was reported before
	}
	return b, nil
}

// open opens the device at the position where this process, or the previous one,
// stopped.
func (k *kernelLog) open() error {
	boot, err := os.ReadFile(filepath.Join(k.at.proc, "sys/kernel/random/boot_id"))
	if err != nil {
		return err
	}
	from := k.last
	if k.dir != "" && from == (kmsg.Position{}) {
		from, _ = loadPosition(k.dir) // a broken file is no position: the existing records then count as history
	}
	if k.r, err = kmsg.Open(k.at.kmsg, strings.TrimSpace(string(boot)), from, kmsg.Clock{Now: time.Now}); err != nil {
		k.r = nil
		return err
	}
	k.r.AnyFacility = k.anyFacility
	return nil
}

// save saves the position if it has changed, at most once a second. The runtime directory is a RAM
// disk; if saving fails, a restart treats unread lines as history.
func (k *kernelLog) save() {
	at := k.r.Position()
	if k.dir == "" || at == (kmsg.Position{}) || at == k.wrote || time.Since(k.saved) < savePosition {
		return
	}
	k.saved = time.Now()
	text, err := at.MarshalText()
	if err == nil {
		err = statefile.Write(k.dir, positionName, append(text, '\n'), 0o600)
	}
	if err == nil {
		k.wrote = at
	}
}

// loadPosition reads the saved position in dir. The error is fs.ErrNotExist without a
// file, and kmsg.ErrPosition for invalid content.
func loadPosition(dir string) (p kmsg.Position, err error) {
	text, err := statefile.Read(dir, positionName, maxPosition)
	if err == nil {
		err = p.UnmarshalText(text)
	}
	return p, err
}
