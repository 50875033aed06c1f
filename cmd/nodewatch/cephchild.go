package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/config"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/report/httpclient"
)

// A cephChild asks the cluster by running nodewatch-ceph, at most one at a time.
type cephChild struct {
	config.Ceph
	program launcher.Program
	view    func() (judge.View, bool)
	storm   time.Time // since when a storm has been on; zero: none is
	latest  time.Time // when the cluster was last asked
	turn    int       // where the next run's images begin
}

func newCephChild(c config.Ceph, l *launcher.Client, view func() (judge.View, bool)) *cephChild {
	program := launcher.Program{Client: l, Kind: launcher.Ceph, Name: "nodewatch-ceph", Output: ceph.MaxDocument}
	return &cephChild{Ceph: c, program: program, view: view}
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
var errHeld = fmt.Errorf("ceph: %w: during a storm, the cluster's state would not change the verdict", watch.ErrHeld)

// read runs the child once. At the end of ctx the child is killed, and left behind
// if it does not feel that; another is not started while it has not ended.
func (c *cephChild) read(ctx context.Context) (ceph.Cluster, error) {
	v, _ := c.view()
	if err := c.held(v); err != nil {
		return ceph.Cluster{}, err
	}
	child, err := c.child()
	if err != nil {
		return ceph.Cluster{}, err
	}
	if err := httpclient.SecretFile(absolute(c.Keyring)).Check(); err != nil {
		return ceph.Cluster{}, fmt.Errorf("ceph: no keyring: %w", err)
	}
	c.latest = time.Now()
	request, err := json.Marshal(c.request(v.Snapshot))
	if err != nil {
		return ceph.Cluster{}, err
	}
	out, said, err := c.program.Run(ctx, []string{child, "--stdin"}, nil, request)
	if err != nil {
		return ceph.Cluster{}, cephError(err, said)
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

// cephError makes an error of how the child ended.
func cephError(err error, said []byte) error {
	if exit, is := errors.AsType[*launcher.ExitError](err); is && exit.Signal == 0 {
		return ceph.Failure(exit.Code, said)
	}
	return fmt.Errorf("ceph: %w", err)
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
