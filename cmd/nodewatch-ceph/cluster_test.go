//go:build ceph

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ceph/go-ceph/rados"
	"github.com/ceph/go-ceph/rbd"
	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/test/cephlab"
)

// child runs nodewatch-ceph, as a separate process that cannot write to any file: it
// is killed by SIGXFSZ if it tries.
func (l *lab) child(args ...string) (code int, stdout, stderr string) {
	l.t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c", `ulimit -f 0; exec "$@"`, "sh", l.program}, args...)...)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() < 0 {
		l.t.Fatalf("%v\n%s%s", err, &out, &bad)
	}
	return cmd.ProcessState.ExitCode(), out.String(), bad.String()
}

// ask runs the child as the user with the least capabilities, and parses its document
// as nodewatch does.
func (l *lab) ask(args ...string) ceph.Cluster {
	l.t.Helper()
	code, stdout, stderr := l.child(append([]string{"--conf", l.Conf}, args...)...)
	if code != ceph.ExitOK || stderr != "" {
		l.t.Fatalf("exit code %d, %s", code, stderr)
	}
	c, err := ceph.Parse([]byte(stdout))
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// TestCluster runs against a real cluster. The cases run in turn, and the last ones
// break the cluster.
func TestCluster(t *testing.T) {
	l := startLab(t)
	l.User("client.nodewatch", cephlab.LeastCaps(t, "../../docs/ceph.md")...)
	cases := []struct {
		name string
		run  func(*lab)
	}{
		{"healthy", testHealthy},
		{"watchers", testWatchers},
		{"blocklist", testBlocklist},
		{"least caps only read", testLeastCaps},
		{"no caps for the pool", testNoPoolCaps},
		{"wrong key", testWrongKey},
		{"no keyring", testNoKeyring},
		{"unknown monitor", testUnknownMonitor},
		{"alarm", testAlarm},
		{"nothing on disk", testNothingOnDisk},
		{"OSD hangs", testOSDHangs},
		{"manager dead", testManagerDead},
		{"manager absent", testManagerAbsent},
		{"monitor hangs", testMonitorHangs},
		{"monitor down", testMonitorDown},
	}
	for _, c := range cases {
		ok := t.Run(c.name, func(t *testing.T) {
			own := *l
			own.t, own.Cluster = t, l.For(t)
			c.run(&own)
		})
		if !ok {
			return
		}
	}
}

func testHealthy(l *lab) {
	c := l.ask()
	if c.Health.Status != "HEALTH_OK" || len(c.Health.Checks) > 0 || len(c.Errors) > 0 || c.Scrubs == nil || c.Took <= 0 {
		l.t.Errorf("got %+v", c)
	}
	if len(c.OSDMap.OSDs) != 1 || !c.OSDMap.OSDs[0].Up || !c.OSDMap.OSDs[0].In || len(c.OSDMap.OSDs[0].Addrs) != 2 ||
		!strings.HasPrefix(c.OSDMap.OSDs[0].Addrs[0], "127.0.0.1:") {
		l.t.Errorf("want one OSD that is up and in with two addresses, got %+v", c.OSDMap)
	}
	if fsid, err := l.admin.GetFSID(); err != nil || c.FSID != fsid {
		l.t.Errorf("want fsid %s, got %s, %v", fsid, c.FSID, err)
	}
}

// pool opens the pool as the administrator.
func (l *lab) pool(namespace string) *rados.IOContext {
	l.t.Helper()
	ioctx, err := l.admin.OpenIOContext("vms")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(ioctx.Destroy)
	ioctx.SetNamespace(namespace)
	return ioctx
}

// open creates an image and opens it as QEMU does, which registers a watch.
func (l *lab) open(ioctx *rados.IOContext, name string) {
	l.t.Helper()
	options := rbd.NewRbdImageOptions()
	defer options.Destroy()
	if err := rbd.CreateImage(ioctx, name, 4<<20, options); err != nil {
		l.t.Fatal(err)
	}
	image, err := rbd.OpenImage(ioctx, name, rbd.NoSnapshot)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := image.Close(); err != nil {
			l.t.Error(err)
		}
	})
}

// This process watches two images, one of them in a namespace; a third does not
// exist. Each is queried twice, because a watch left by the child would then be
// visible.
func testWatchers(l *lab) {
	if err := rbd.NamespaceCreate(l.pool(""), "blue"); err != nil {
		l.t.Fatal(err)
	}
	l.open(l.pool(""), "vm-101-disk-0")
	l.open(l.pool("blue"), "vm-102-disk-0")
	for range 2 {
		c := l.ask("--image", "vms/vm-101-disk-0", "--image", "vms/blue/vm-102-disk-0", "--image", "vms/gone")
		if len(c.Watchers) != 2 {
			l.t.Fatalf("want a watcher of each image, got %+v, %q", c.Watchers, c.Errors)
		}
		for i, want := range []ceph.Image{{Pool: "vms", Name: "vm-101-disk-0"}, {Pool: "vms", Namespace: "blue", Name: "vm-102-disk-0"}} {
			w := c.Watchers[i]
			if (ceph.Image{Pool: w.Pool, Namespace: w.Namespace, Name: w.Image}) != want || w.Kernel() || c.Asked[i] != want ||
				w.ClientID != int64(l.admin.GetInstanceID()) || !strings.HasPrefix(w.Addr, "127.0.0.1:0/") {
				l.t.Errorf("want %s watched by librbd client %d, got %+v", want, l.admin.GetInstanceID(), w)
			}
		}
		if len(c.Asked) != 2 || len(c.Errors) != 1 || !strings.HasPrefix(c.Errors[0], "watchers of vms/gone: open: ") {
			l.t.Errorf("want an error for the image that is gone, got %q", c.Errors)
		}
	}
}

func testBlocklist(l *lab) {
	for _, addr := range []string{"192.0.2.7:0/3141592653", "192.0.2.8:0/1"} {
		l.must(fmt.Sprintf(`{"prefix":"osd blocklist","blocklistop":"add","addr":%q,"expire":600.0}`, addr))
	}
	c := l.ask("--addr", "192.0.2.7", "--addr", "2001:db8::7")
	if len(c.Blocklist) != 1 || c.Blocklist[0].Addr != "192.0.2.7:0/3141592653" || c.Blocklist[0].Until.IsZero() {
		l.t.Errorf("want this host's entry, got %+v", c.Blocklist)
	}
	if c = l.ask(); len(c.Blocklist) != 0 {
		l.t.Errorf("want no entry of other hosts, got %+v", c.Blocklist)
	}
}

// The user of docs/ceph.md can neither blocklist a client nor write.
func testLeastCaps(l *lab) {
	req := ceph.Request{Conf: l.Conf, Cluster: "ceph", Name: "client.nodewatch", Timeout: ceph.DefaultTimeout}
	c, err := connect(req)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := c.monitor(`{"prefix":"osd blocklist","blocklistop":"add","addr":"192.0.2.9:0/1"}`); err == nil ||
		!strings.Contains(err.Error(), "access denied") {
		l.t.Errorf("want that the blocklist cannot be written, got %v", err)
	}
	ioctx, err := c.(live).conn.OpenIOContext("vms")
	if err != nil {
		l.t.Fatal(err)
	}
	defer ioctx.Destroy()
	if err := ioctx.WriteFull("object", []byte("x")); err == nil || !strings.Contains(err.Error(), "Operation not permitted") {
		l.t.Errorf("want that no object can be written, got %v", err)
	}
}

func testNoPoolCaps(l *lab) {
	l.User("client.blind", "mon", "allow r")
	c := l.ask("--id", "blind", "--image", "vms/vm-101-disk-0")
	if c.Health.Status == "" || c.OSDMap.Epoch == 0 || len(c.Asked) > 0 || c.Scrubs != nil {
		l.t.Errorf("want health and map only, got %+v", c)
	}
	if all := strings.Join(c.Errors, "\n"); len(c.Errors) != 2 ||
		strings.Count(all, "Operation not permitted")+strings.Count(all, "Permission denied") != 2 {
		l.t.Errorf("want that the image and the scrubs are not permitted, got %q", c.Errors)
	}
}

// fails checks that the child gave up by itself with one line, and returns that line.
func (l *lab) fails(want int, args ...string) string {
	l.t.Helper()
	code, stdout, stderr := l.child(args...)
	if code != want || stdout != "" || strings.Count(stderr, "\n") != 1 {
		l.t.Fatalf("want exit code %d and one line, got %d, %q, %q", want, code, stdout, stderr)
	}
	return stderr
}

func testWrongKey(l *lab) {
	wrong := cephlab.Key()
	l.Write("wrong.keyring", fmt.Sprintf("[client.nodewatch]\n\tkey = %s\n", wrong))
	line := l.fails(ceph.ExitDenied, "--conf", l.Conf, "--keyring", filepath.Join(l.Dir, "wrong.keyring"))
	if !strings.Contains(line, "connect as client.nodewatch: ") || !strings.Contains(line, "Permission denied") ||
		strings.Contains(line, wrong) {
		l.t.Errorf("want that the permission is denied, without the key: %q", line)
	}
}

func testNoKeyring(l *lab) {
	line := l.fails(ceph.ExitDenied, "--conf", l.Conf, "--keyring", filepath.Join(l.Dir, "none.keyring"))
	if !strings.Contains(line, "connect as client.nodewatch: no readable keyring") {
		l.t.Errorf("want that there is no keyring, got %q", line)
	}
}

// librados then prints its own lines, to standard output too.
func testUnknownMonitor(l *lab) {
	l.t.Setenv("RES_OPTIONS", "timeout:1 attempts:1")
	code, stdout, stderr := l.child("--mon-host", "mon.invalid")
	err := ceph.Failure(code, []byte(stderr))
	if stdout != "" || code != ceph.ExitFailed || !strings.HasPrefix(err.Error(), "ceph: connect as client.nodewatch: ") {
		l.t.Errorf("want nothing on standard output and our line of %q, got %q, %v", stderr, stdout, err)
	}
}

// A read of the configuration file that never returns, as on a pmxcfs without quorum,
// blocks librados indefinitely: only the alarm ends it.
func testAlarm(l *lab) {
	fifo := filepath.Join(l.Dir, "never.conf")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		l.t.Fatal(err)
	}
	code, stdout, stderr := l.child("--conf", fifo, "--timeout", "2s")
	if want := "nodewatch-ceph: timed out after 2s, during: connect\n"; code != ceph.ExitAlarm || stdout != "" || stderr != want {
		l.t.Errorf("want exit code 3 and %q, got %d, %q, %q", want, code, stdout, stderr)
	}
}

// The configuration makes clients log to a file and create a socket; each earlier run
// would have left such files.
func testNothingOnDisk(l *lab) {
	var found []string
	for _, pattern := range []string{"client.nodewatch*", "client.blind*"} {
		names, err := filepath.Glob(filepath.Join(l.Dir, pattern))
		if err != nil {
			l.t.Fatal(err)
		}
		for _, name := range names {
			found = append(found, filepath.Base(name))
		}
	}
	if diff := cmp.Diff([]string{"client.nodewatch.keyring", "client.blind.keyring"}, found); diff != "" {
		l.t.Errorf("files (-want +got):\n%s", diff)
	}
}

// An image whose OSD does not respond costs one operation timeout, and the number of
// queried images is limited by the time left.
func testOSDHangs(l *lab) {
	l.Signal(cephlab.OSD, syscall.SIGSTOP)
	defer l.Signal(cephlab.OSD, syscall.SIGCONT)
	images := []string{"--timeout", "5s"}
	for range ceph.MaxImages {
		images = append(images, "--image", "vms/vm-101-disk-0")
	}
	c := l.ask(images...)
	if c.Health.Status == "" || c.OSDMap.Epoch == 0 || len(c.Asked) > 0 || len(c.Errors) != ceph.MaxImages+1 {
		l.t.Fatalf("want no image and no scrubs, got %+v", c)
	}
	if first, last := c.Errors[0], c.Errors[ceph.MaxImages]; !strings.Contains(first, "timed out") ||
		last != "scrubs: not queried: timeout" {
		l.t.Errorf("want a timeout first and no time at the end, got %q", c.Errors)
	}
}

// The monitors have not yet noticed that the manager is gone, so it is queried and
// does not respond.
func testManagerDead(l *lab) {
	l.Kill(cephlab.Manager)
	c := l.ask("--timeout", "6s")
	if c.Health.Status == "" || c.Scrubs != nil || len(c.Errors) != 1 ||
		!strings.HasPrefix(c.Errors[0], "scrubs: the manager does not respond: ") {
		l.t.Errorf("want all but the scrubs, got %+v", c)
	}
}

func testManagerAbsent(l *lab) {
	l.must(`{"prefix":"mgr fail","who":"x"}`)
	l.Until("the monitor knows that there is no manager", func() bool {
		return strings.Contains(l.must(`{"prefix":"mgr stat","format":"json"}`), `"available":false`)
	})
	c := l.ask()
	if diff := cmp.Diff([]string{"scrubs: no manager is available"}, c.Errors); c.Scrubs != nil || diff != "" {
		l.t.Errorf("scrubs %+v, errors (-want +got):\n%s", c.Scrubs, diff)
	}
}

func testMonitorHangs(l *lab) {
	l.Signal(cephlab.Monitor, syscall.SIGSTOP)
	defer l.Signal(cephlab.Monitor, syscall.SIGCONT)
	if line := l.fails(ceph.ExitFailed, "--conf", l.Conf, "--timeout", "5s"); !strings.Contains(line, "timed out") {
		l.t.Errorf("want a timeout of librados, before the alarm: %q", line)
	}
}

func testMonitorDown(l *lab) {
	l.Kill(cephlab.Monitor)
	if line := l.fails(ceph.ExitFailed, "--conf", l.Conf, "--timeout", "5s"); !strings.Contains(line, "timed out") {
		l.t.Errorf("want a timeout of librados, before the alarm: %q", line)
	}
}
