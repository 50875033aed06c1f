//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// images are the images in the pool rbd, each filled with imageMiB of data.
var images = []string{"vm-101-disk-0", "vm-102-disk-0", "vm-103-disk-0", "vm-104-disk-0"}

const imageMiB = 16

// A World is the whole lab: guest, switch, cluster.
type World struct {
	dir      string
	bin      string // directory of the guest's programs
	lock     *os.File
	alive    io.Closer // closed when this process has ended
	children *Children
	stop     context.CancelFunc
	switched sync.WaitGroup
	once     sync.Once // of Close

	bonded string // mode of the bond that the previous scenario left; empty: none

	Kernel  Kernel
	Switch  *ethswitch.Switch
	Guest   *Machine
	Cluster *Cluster
}

// errUnavailable means that no world can be built on this machine.
var errUnavailable = errors.New("cannot run here")

const dirPrefix = "nodewatch-lab-"

// Build builds a World. Close removes everything that was created; Build does so
// itself if it fails.
func Build(ctx context.Context, bin, kernel string) (w *World, err error) {
	sweep()
	w = &World{bin: bin, Switch: ethswitch.New()}
	defer func() {
		if err != nil {
			w.Close()
			w = nil
		}
	}()
	if w.Kernel, err = FindKernel(filepath.Join(bin, "kernel"), kernel); err != nil {
		return w, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	if err = w.directory(); err != nil {
		return w, err
	}
	if w.children, err = NewChildren(w.dir); err != nil {
		return w, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	tap, err := openTAP(ctx, w.children)
	if err != nil {
		return w, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	running, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.Switch.Attach(storageNIC, false, ethswitch.NewDatagrams(tap))
	w.switched.Go(func() { w.Switch.Run(running) })
	return w, w.populate(ctx, bin)
}

// populate boots the guest while the cluster starts.
func (w *World) populate(ctx context.Context, bin string) error {
	cluster := make(chan error, 1)
	go func() {
		var err error
		if w.Cluster, err = StartCluster(ctx, w.children); err == nil {
			for _, name := range images {
				err = errors.Join(err, w.Cluster.Image(ctx, name, imageMiB))
			}
		}
		cluster <- err
	}()
	initramfs := filepath.Join(w.dir, "initramfs")
	err := Initramfs(initramfs, w.Kernel, bin)
	if err == nil {
		w.Guest, err = Boot(ctx, w.children, w.Kernel, initramfs, w.Switch)
	}
	return errors.Join(err, <-cluster)
}

// directory creates the work directory, and a lock that marks it as in use.
func (w *World) directory() (err error) {
	if w.dir, err = os.MkdirTemp("", dirPrefix); err != nil {
		return err
	}
	if w.lock, err = os.Create(filepath.Join(w.dir, "lock")); err != nil {
		return err
	}
	if err = unix.Flock(int(w.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	return w.guard()
}

// guard starts a shell that outlives this process, and removes the directory when
// this process has ended, however it ends. All other parts of the lab end with this
// process.
func (w *World) guard() (err error) {
	cmd := exec.Command("sh", "-c", `trap "" INT TERM HUP; cat >/dev/null; sleep 1; rm -rf "$0"`, w.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if w.alive, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err = cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // its exit code does not matter
	return nil
}

// sweep removes the work directories of runs that were ended by a crash of the
// machine.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*")) // the pattern is valid
	for _, dir := range dirs {
		lock, err := os.Open(filepath.Join(dir, "lock"))
		if err != nil {
			continue // being created now, or of another user
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(dir) // the next run retries
		}
		_ = lock.Close()
	}
}

// Close ends the lab and removes it.
func (w *World) Close() { w.once.Do(w.close) }

func (w *World) close() {
	if w.stop != nil {
		w.stop()
		w.switched.Wait()
	}
	if w.children != nil {
		w.children.Close()
	}
	if w.dir != "" {
		_ = os.RemoveAll(w.dir) // the next run removes it
	}
	if w.lock != nil {
		_ = w.lock.Close()
	}
	if w.alive != nil {
		_ = w.alive.Close()
	}
}

// Shell returns how to connect to the shell on the guest's serial line.
func (w *World) Shell() string {
	return fmt.Sprintf("socat STDIO,raw,echo=0 UNIX-CONNECT:%s (work directory: %s)", filepath.Join(w.dir, "console.sock"), w.dir)
}

// wait calls so repeatedly until it returns true.
func wait(ctx context.Context, within time.Duration, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := so()
		if ok || errors.Is(err, net.ErrClosed) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not within %s", within), err)
		}
	}
}
