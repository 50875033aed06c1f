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

// positionName is the file of the position in the runtime directory.
const positionName = "kmsg-position"

// maxPosition is more than such a file has, in bytes.
const maxPosition = 128

// savePosition is how often the position in the kernel log is written down.
const savePosition = time.Second

// A kernelLog reads /dev/kmsg, and keeps its place in the runtime directory over
// a restart of the daemon.
type kernelLog struct {
	at          hostPaths
	dir         string // of the position; empty: none is kept
	anyFacility bool   // believe records of user space too: for tests
	r           *kmsg.Reader
	last        kmsg.Position // where this process has left off, once reading has failed
	saved       time.Time     // when the position was last written down
	wrote       kmsg.Position // and what it was
}

func newKernelLog(c config.Config, at hostPaths) *kernelLog {
	return &kernelLog{at: at, dir: runtimeDirectory(c), anyFacility: os.Getenv("NODEWATCH_TEST_ANY_FACILITY") == "1"}
}

// source reads the log without a pause: in a flood the kernel writes over what has
// waited for a tenth of a second.
func (k *kernelLog) source() watch.Source {
	l := listed(node.SourceKmsg)
	return watch.Poll(watch.Polling[kmsg.Batch]{
		Name: l.name, Every: l.every, Deadline: l.late, Remedy: l.remedy, Read: k.read,
		More: func(kmsg.Batch) bool { return true },
		As:   func(r node.Reading[kmsg.Batch]) node.Observation { return node.SawKernel{Reading: r} },
	})
}

// read returns what the log has said since the last call; for the first record it
// waits a round, in which no thread is held.
func (k *kernelLog) read(context.Context) (kmsg.Batch, error) {
	if k.r == nil {
		if err := k.open(); err != nil {
			return kmsg.Batch{}, err
		}
	}
	k.save() // by now the batch before has been dealt with
	b, err := k.r.Next(listed(node.SourceKmsg).every)
	if err != nil {
		k.last = k.r.Position()
		_ = k.r.Close()
		k.r = nil
		return kmsg.Batch{}, err
	}
	if b.History && k.last != (kmsg.Position{}) {
		return kmsg.Batch{Seq: b.Seq}, nil // opened again after an error: it was reported before
	}
	return b, nil
}

// open opens the device where this process, or the one before it, has left off.
func (k *kernelLog) open() error {
	boot, err := os.ReadFile(filepath.Join(k.at.proc, "sys/kernel/random/boot_id"))
	if err != nil {
		return err
	}
	from := k.last
	if k.dir != "" && from == (kmsg.Position{}) {
		from, _ = loadPosition(k.dir) // a broken file is no position: what is in the log is history then
	}
	if k.r, err = kmsg.Open(k.at.kmsg, strings.TrimSpace(string(boot)), from, kmsg.Clock{Now: time.Now}); err != nil {
		k.r = nil
		return err
	}
	k.r.AnyFacility = k.anyFacility
	return nil
}

// save writes the position down where it has moved, at most once a second. The runtime directory is
// a RAM disk; a failure costs no more than a restart that takes old lines for history.
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

// loadPosition reads what save has written down in dir. Without a file it is an
// fs.ErrNotExist, with one that holds anything else a kmsg.ErrPosition.
func loadPosition(dir string) (p kmsg.Position, err error) {
	text, err := statefile.Read(dir, positionName, maxPosition)
	if err == nil {
		err = p.UnmarshalText(text)
	}
	return p, err
}
