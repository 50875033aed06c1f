package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/ceph"
)

// A cephChild asks the cluster by running nodewatch-ceph, at most one at a time.
type cephChild struct {
	config.Ceph
	view   func() (judge.View, bool)
	alive  atomic.Bool // a child has not ended yet, be it that it was left behind
	storm  time.Time   // since when a storm has been on; zero: none is
	latest time.Time   // when the cluster was last asked
	turn   int         // where the next run's images begin
}

func newCephChild(c config.Ceph, view func() (judge.View, bool)) *cephChild {
	return &cephChild{Ceph: c, view: view}
}

// While a storm is on the cluster is asked less often, and after a while not at
// all: it has enough to do, and what it says would not change the verdict.
const (
	stormEvery = 5 * time.Minute
	stormOff   = 15 * time.Minute
)

// childTimeout is after how long the child ends itself: before it is late.
const childTimeout = 20 * time.Second

// errHeld says that the cluster is not asked on purpose.
var errHeld = fmt.Errorf("ceph: %w: a storm is on, and what the cluster says would not change the verdict", watch.ErrHeld)

// errAlive says that an earlier child has not ended.
var errAlive = errors.New("an earlier nodewatch-ceph has not ended")

// read runs the child once.
func (c *cephChild) read(ctx context.Context) (ceph.Cluster, error) {
	v, _ := c.view()
	if err := c.held(v); err != nil {
		return ceph.Cluster{}, err
	}
	child, err := c.child()
	if err != nil {
		return ceph.Cluster{}, err
	}
	if _, err := os.Stat(c.Keyring); err != nil {
		return ceph.Cluster{}, fmt.Errorf("ceph: no keyring: %w", err)
	}
	if !c.alive.CompareAndSwap(false, true) {
		return ceph.Cluster{}, errAlive
	}
	c.latest = time.Now()
	request, err := json.Marshal(c.request(v.Snapshot))
	if err != nil {
		c.alive.Store(false)
		return ceph.Cluster{}, err
	}
	out, err := c.run(ctx, child, request)
	if err != nil {
		return ceph.Cluster{}, err
	}
	return ceph.Parse(out)
}

// held says whether the cluster is to be left alone now.
func (c *cephChild) held(v judge.View) error {
	if !storming(v) {
		c.storm = time.Time{}
		return nil
	}
	now := time.Now()
	if c.storm.IsZero() {
		c.storm = now
	}
	if now.Sub(c.storm) > stormOff || now.Sub(c.latest) < stormEvery {
		return errHeld
	}
	return nil
}

// child is the path of the binary.
func (c *cephChild) child() (string, error) {
	path := c.Child
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), "nodewatch-ceph")
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("ceph: no child: %w", err)
	}
	return path, nil
}

// run runs the child and returns what it printed. At the end of ctx the child is
// killed, and left behind if it does not feel that.
func (c *cephChild) run(ctx context.Context, path string, request []byte) ([]byte, error) {
	cmd := exec.Command(path, "--stdin")
	out, errs := &bounded{left: ceph.MaxDocument}, &bounded{left: 4 << 10}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), out, errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		c.alive.Store(false)
		return nil, fmt.Errorf("ceph: %w", err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		c.alive.Store(false)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			return nil, cephError(err, errs.kept)
		}
		return out.kept, nil
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("ceph: %w", ctx.Err())
	}
}

// cephError makes an error of how the child ended.
func cephError(err error, said []byte) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return ceph.Failure(exit.ExitCode(), said)
	}
	return fmt.Errorf("ceph: nodewatch-ceph: %w", err)
}

// request is what the child is to ask: this node's addresses, and the watchers of
// a few of its images, others each time.
func (c *cephChild) request(s node.Snapshot) ceph.Request {
	r := ceph.Request{Conf: c.Conf, Name: c.Name, Keyring: c.Keyring, Timeout: childTimeout}
	for _, m := range s.Mapped.Value {
		if !slices.Contains(r.Addrs, m.ClientAddr) && m.ClientAddr != "" {
			r.Addrs = append(r.Addrs, m.ClientAddr)
		}
	}
	r.Images, c.turn = ceph.Turn(watchedImages(s), c.turn)
	return r
}

// watchedImages are the images that this node uses, sorted, each once.
func watchedImages(s node.Snapshot) []ceph.Image {
	var list []ceph.Image
	for _, m := range s.Mapped.Value {
		list = append(list, ceph.Image{Pool: m.Pool, Namespace: m.Namespace, Name: m.Image})
	}
	for _, g := range s.Guests {
		for _, d := range g.Disks {
			if d.Pool != "" && d.Image != "" {
				list = append(list, ceph.Image{Pool: d.Pool, Namespace: d.Namespace, Name: d.Image})
			}
		}
	}
	slices.SortFunc(list, func(a, b ceph.Image) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(list)
}

// A bounded keeps the first bytes that are written to it, and drops the rest.
type bounded struct {
	kept []byte
	left int
}

// Write implements io.Writer; it never fails.
func (b *bounded) Write(p []byte) (int, error) {
	keep := min(len(p), b.left)
	b.left -= keep
	b.kept = append(b.kept, p[:keep]...)
	return len(p), nil
}
