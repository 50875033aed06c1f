// Package cephlab is a real Ceph cluster for tests, made of the installed daemons: a
// monitor, a manager, and an OSD that keeps its objects in memory, on loopback and in
// one directory. It needs no root and ends with the test.
package cephlab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The daemons' programs, each from the Debian package of the same name.
const (
	Monitor = "ceph-mon"
	Manager = "ceph-mgr"
	OSD     = "ceph-osd"
)

// Pool is the name of the pool.
const Pool = "vms"

// A Cluster runs until the end of the test.
type Cluster struct {
	Dir  string // directory of all its files
	Conf string // the configuration file, also for clients
	Mon  string // the monitor's address and port for messenger 1

	t  testing.TB
	ip string
	*processes
}

// Start starts a cluster on loopback and waits until it is healthy and serves the
// pool. The test is skipped if the programs are not installed.
func Start(t testing.TB) *Cluster {
	t.Helper()
	return StartAt(t, "127.0.0.1", func() error { return nil })
}

// StartAt starts a cluster at another IPv4 address. First it calls prepare on the
// thread that starts all its processes, which may then be in a separate network
// namespace.
func StartAt(t testing.TB, ip string, prepare func() error) *Cluster {
	t.Helper()
	daemons := []string{Monitor, Manager, OSD}
	for _, name := range append([]string{"ceph"}, daemons...) {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no cluster to test with: apt-get install --no-install-recommends ceph-common %s (%v)", strings.Join(daemons, " "), err)
		}
	}
	c := &Cluster{Dir: t.TempDir(), t: t, ip: ip, processes: newProcesses()}
	t.Cleanup(c.close)
	if err := c.Within(prepare); err != nil {
		t.Fatal(err)
	}
	c.Conf = filepath.Join(c.Dir, "ceph.conf")
	c.Write("ceph.conf", c.config())
	c.makeUsers()
	c.tool(Monitor, "--mkfs", "-i", "a", "--keyring", filepath.Join(c.Dir, "mon.keyring"))
	c.daemon(Monitor, "-i", "a")
	c.mkdir("mgr")
	c.daemon(Manager, "-i", "x")
	id := uuid()
	c.Ceph("osd", "new", id)
	c.mkdir("osd")
	// Without --no-mon-config it would first request its configuration from the
	// monitor.
	c.tool(OSD, "--mkfs", "-i", "0", "--no-mon-config", "--osd-uuid", id)
	c.daemon(OSD, "-i", "0")
	c.Ceph("osd", "pool", "create", Pool, "1")
	c.Until("the cluster is healthy", func() bool {
		said := c.Ceph("status", "--format", "json")
		return strings.Contains(said, `"HEALTH_OK"`) && strings.Contains(said, `"num_up_osds":1`) &&
			strings.Contains(said, `"available":true`)
	})
	return c
}

// For returns the same cluster for a subtest.
func (c *Cluster) For(t testing.TB) *Cluster {
	own := *c
	own.t = t
	return &own
}

func uuid() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// freePort returns a port that is free now.
func (c *Cluster) freePort() int {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// Ceph runs the ceph command as the administrator and returns its output.
func (c *Cluster) Ceph(args ...string) string {
	c.t.Helper()
	return c.tool("ceph", append([]string{"--connect-timeout", "20"}, args...)...)
}

// Image creates an image of that many MiB, which any kernel can map.
func (c *Cluster) Image(name string, mib int) {
	c.t.Helper()
	c.tool("rbd", "create", Pool+"/"+name, "--size", fmt.Sprintf("%dM", mib), "--image-feature", "layering")
}

// Until polls until the cluster reaches a state.
func (c *Cluster) Until(what string, reached func() bool) {
	c.t.Helper()
	const limit = 5 * time.Minute // the machine may be busy, and the manager's imports take longest
	ctx, cancel := context.WithTimeout(c.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("not after %s: %s\n%s%s%s", limit, what, c.log("mon.a"), c.log("mgr.x"), c.log("osd.0"))
		}
	}
}

// Write writes a file into the cluster's directory, readable only by its user.
func (c *Cluster) Write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *Cluster) mkdir(name string) {
	c.t.Helper()
	if err := os.Mkdir(filepath.Join(c.Dir, name), 0o700); err != nil {
		c.t.Fatal(err)
	}
}

// log returns the end of a daemon's log, for a failed test.
func (c *Cluster) log(name string) string {
	b, err := os.ReadFile(filepath.Join(c.Dir, name+".log"))
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf("--- %s\n%s\n", name, b[max(0, len(b)-2000):])
}
