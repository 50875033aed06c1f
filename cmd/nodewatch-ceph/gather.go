package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/pkg/ceph"
)

// A cluster contains the queries that librados supports. Each call ends within the
// operation timeout of [timeouts], or never if librados hangs.
type cluster interface {
	fsid() (string, error)
	release() string
	monitor(command string) ([]byte, error) // the text of the response is in the error
	manager(command string) ([]byte, error)
	watchers(image ceph.Image) ([]ceph.Watcher, error)
}

// timeouts returns librados' timeouts for the connection and for each operation, in
// whole seconds because librados accepts no others. They leave time to print the
// results so far if connecting was slow and one response is missing.
func timeouts(whole time.Duration) (connect, operation time.Duration) {
	whole = whole.Truncate(time.Second)
	connect = (whole * 2 / 5).Truncate(time.Second)
	operation = (whole / 5).Truncate(time.Second)
	return max(connect, time.Second), max(operation, time.Second)
}

// A gathering queries one part after the other. The manager comes last: if it does
// not respond within the timeout, librados keeps a call that refers to freed memory,
// and the process must end before a response arrives.
type gathering struct {
	cluster
	doc   ceph.Cluster
	reach func(step string)
	left  func() time.Duration
	need  time.Duration // time that must be left to start a query: half more than a call may take
}

var errLate = errors.New("not queried: timeout")

// gather queries every part. Parts that are not available are named in the document's
// Errors.
func gather(c cluster, req ceph.Request, reach func(step string), left func() time.Duration) ceph.Cluster {
	_, operation := timeouts(req.Timeout)
	g := gathering{cluster: c, reach: reach, left: left, need: operation * 3 / 2}
	g.doc.Release = c.release()
	g.doc.Blocklist = []ceph.Entry{}
	req, odd := req.Fit()
	for _, what := range odd {
		g.note("request", errors.New(what))
	}
	g.part("fsid", g.askFSID)
	g.part("health", g.askHealth)
	g.part("osd dump", func() error { return g.askOSDs(req.Addrs) })
	images := req.Images
	if over := len(images) - ceph.MaxImages; over > 0 {
		g.note("watchers", fmt.Errorf("%d images not queried: the limit is %d per run", over, ceph.MaxImages))
		images = images[:ceph.MaxImages]
	}
	for _, image := range images {
		g.part("watchers of "+image.String(), func() error { return g.askWatchers(image) })
	}
	g.part("scrubs", g.askScrubs)
	return g.doc
}

// part queries one part, if there is time for it.
func (g *gathering) part(name string, ask func() error) {
	if g.left() <= g.need {
		g.note(name, errLate)
		return
	}
	g.reach(name)
	g.note(name, ask())
}

// note records a part that is not available.
func (g *gathering) note(part string, err error) {
	if err != nil {
		g.doc.Errors = append(g.doc.Errors, part+": "+err.Error())
	}
}

func (g *gathering) askFSID() (err error) {
	g.doc.FSID, err = g.fsid()
	return err
}

func (g *gathering) askHealth() error {
	b, err := g.monitor(`{"prefix":"health","detail":"detail","format":"json"}`)
	if err != nil {
		return err
	}
	g.doc.Health, err = ceph.ParseHealth(b)
	return err
}

func (g *gathering) askOSDs(addrs []string) error {
	b, err := g.monitor(`{"prefix":"osd dump","format":"json"}`)
	if err != nil {
		return err
	}
	m, list, err := ceph.ParseOSDMap(b)
	if err != nil {
		return err
	}
	g.doc.OSDMap = m
	g.doc.Blocklist = append(g.doc.Blocklist, ceph.Blocking(list, addrs)...)
	return nil
}

func (g *gathering) askWatchers(image ceph.Image) error {
	w, err := g.watchers(image)
	if err != nil {
		return err
	}
	g.doc.Watchers = append(g.doc.Watchers, w...)
	g.doc.Asked = append(g.doc.Asked, image)
	return nil
}

// askScrubs queries the manager, if the monitors list one.
func (g *gathering) askScrubs() error {
	b, err := g.monitor(`{"prefix":"mgr stat","format":"json"}`)
	if err != nil {
		return err
	}
	available, err := ceph.ParseManager(b)
	if err != nil {
		return err
	}
	if !available {
		return errors.New("no manager is available")
	}
	if b, err = g.manager(`{"prefix":"pg stat","format":"json"}`); err != nil {
		return fmt.Errorf("the manager does not respond: %w", err)
	}
	scrubs, err := ceph.ParseScrubs(b)
	if err == nil {
		g.doc.Scrubs = &scrubs
	}
	return err
}
