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

// A cephChild queries the cluster by running nodewatch-ceph, one process at a time.
type cephChild struct {
	config.Ceph
	program launcher.Program
	view    func() (judge.View, bool)
	storm   time.Time // when the current storm began; zero: there is none
	latest  time.Time // when the cluster was last queried
	turn    int       // index of the first image in the next run
}

func newCephChild(c config.Ceph, l *launcher.Client, view func() (judge.View, bool)) *cephChild {
	program := launcher.Program{Client: l, Kind: launcher.Ceph, Name: "nodewatch-ceph", Output: ceph.MaxDocument}
	return &cephChild{Ceph: c, program: program, view: view}
}

// During a storm the cluster is queried less often, and after a while not at all: it
// is under load, and its answer would not change the verdict.
const (
	stormEvery = 5 * time.Minute
	stormOff   = 15 * time.Minute
)

// childTimeout is the time after which the child ends itself, before the read is
// stalled.
const childTimeout = 20 * time.Second

// errHeld means that the cluster is intentionally not queried.
var errHeld = fmt.Errorf("ceph: %w: during a storm, the cluster's state would not change the verdict", watch.ErrHeld)

// read runs the child once. At the end of ctx the child is killed. A child that
// survives this is abandoned, and no other is started until it has ended.
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

// held returns an error if the cluster must not be queried now.
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

// child returns the path of the binary.
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

// cephError returns the error for the way in which the child ended.
func cephError(err error, said []byte) error {
	if exit, is := errors.AsType[*launcher.ExitError](err); is && exit.Signal == 0 {
		return ceph.Failure(exit.Code, said)
	}
	return fmt.Errorf("ceph: %w", err)
}

// request returns the request for the child: this node's addresses, and the watchers
// of a few of its images, other ones each time.
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

// watchedImages returns the images that this node uses, sorted, without duplicates.
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
