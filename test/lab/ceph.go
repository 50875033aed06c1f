//go:build lab

package lab

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// osds is the number of OSDs in the cluster. Each keeps its objects in a file.
const osds = 2

// A Cluster is a real Ceph cluster behind the switch.
type Cluster struct {
	children *Children
	dir      string
	conf     string
	Key      string // of client.admin
	OSDs     [osds]*Child
	Mon      *Child
}

// An OSD that is frozen for less than a minute stays up: its peer's grace period is
// that long. Its read leases, which it may never regain without a second replica, last
// nearly as long (osd_pool_default_read_lease_ratio of the grace).
const cephConf = `[global]
fsid = FSID
mon host = [v2:IP:3300,v1:IP:6789]
run dir = DIR
admin socket = DIR/$name.asok
pid file =
crash dir = DIR
log file = DIR/$name.log
keyring = DIR/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail warn = 1
mon data avail crit = 0
auth allow insecure global id reclaim = false
paxos propose interval = 0.1
mon client hunt interval = 0.5
mon osd min down reporters = 1
osd heartbeat grace = 60
[mon.a]
mon data = DIR/mon
public addrv = [v2:IP:3300,v1:IP:6789]
[osd]
osd data = DIR/$name
public addr = IP
cluster addr = IP
osd objectstore = bluestore
bluestore block size = 1073741824
osd memory target = 1073741824
bluestore cache autotune = false
bluestore cache size = 67108864
osd max backfills = 10
[client]
admin socket =
log file =
`

// StartCluster starts a monitor and OSDs, and creates the pool rbd.
func StartCluster(ctx context.Context, c *Children) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	l := &Cluster{children: c, dir: filepath.Join(c.dir, "ceph"), Key: cephKey()}
	l.conf = filepath.Join(l.dir, "ceph.conf")
	if err := os.Mkdir(l.dir, 0o700); err != nil {
		return nil, err
	}
	conf := strings.NewReplacer("DIR", l.dir, "FSID", uuid(), "IP", storageIP).Replace(cephConf)
	keyring := entity("mon.", cephKey(), "mon") + entity("client.admin", l.Key, "mon", "osd", "mgr")
	for i := range osds {
		keyring += entity(fmt.Sprintf("osd.%d", i), cephKey(), "mon", "osd", "mgr")
	}
	for name, body := range map[string]string{"ceph.conf": conf, "keyring": keyring} {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(body), 0o600); err != nil {
			return nil, err
		}
	}
	if err := l.startMonitor(ctx); err != nil {
		return nil, err
	}
	for i := range osds {
		if err := l.makeOSD(ctx, i); err != nil {
			return nil, err
		}
	}
	_, err := l.Ceph(ctx, "osd", "pool", "create", "rbd", "8")
	if err == nil {
		_, err = l.Ceph(ctx, "osd", "pool", "application", "enable", "rbd", "rbd")
	}
	return l, err
}

// entity returns a user of the cluster with all permissions.
func entity(name, key string, caps ...string) string {
	s := fmt.Sprintf("[%s]\n\tkey = %s\n", name, key)
	for _, c := range caps {
		s += fmt.Sprintf("\tcaps %s = \"allow *\"\n", c)
	}
	return s
}

// cephKey returns a new key: type, time of creation, length, 16 bytes
// (CryptoKey::encode).
func cephKey() string {
	b := binary.LittleEndian.AppendUint16(nil, 1)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint16(b, 16)
	return base64.StdEncoding.EncodeToString(append(b, random(16)...))
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

func uuid() string {
	h := hex.EncodeToString(random(16))
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func (l *Cluster) startMonitor(ctx context.Context) error {
	_, err := l.children.Output(ctx, "ceph-mon", "-c", l.conf, "--mkfs", "-i", "a")
	if err != nil {
		return err
	}
	return l.StartMon()
}

// StartMon starts the monitor, which may have been killed before.
func (l *Cluster) StartMon() (err error) {
	l.Mon, err = l.children.Start("mon.a", "ceph-mon", "-c", l.conf, "-f", "-i", "a")
	return err
}

func (l *Cluster) makeOSD(ctx context.Context, n int) error {
	id := uuid()
	if _, err := l.Ceph(ctx, "osd", "new", id); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(l.dir, fmt.Sprintf("osd.%d", n)), 0o700); err != nil {
		return err
	}
	// Without --no-mon-config it first requests its configuration from the monitor.
	_, err := l.children.Output(ctx, "ceph-osd", "-c", l.conf, "--mkfs", "--no-mon-config", "-i", fmt.Sprint(n), "--osd-uuid", id)
	if err != nil {
		return err
	}
	return l.StartOSD(n)
}

// StartOSD starts an OSD, which may have been killed before.
func (l *Cluster) StartOSD(n int) (err error) {
	l.OSDs[n], err = l.children.Start(fmt.Sprintf("osd.%d", n), "ceph-osd", "-c", l.conf, "-f", "-i", fmt.Sprint(n))
	return err
}

// Ceph runs the ceph command.
func (l *Cluster) Ceph(ctx context.Context, args ...string) (string, error) {
	out, err := l.children.Output(ctx, "ceph", append([]string{"-c", l.conf, "--connect-timeout", "20"}, args...)...)
	return string(out), err
}

// State returns the state of the cluster, and the operations in flight of each OSD.
func (l *Cluster) State(ctx context.Context) string {
	const most = 4 << 10 // of each
	var b strings.Builder
	for _, args := range append([][]string{{"health", "detail"}}, l.sockets("ops")...) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		out, err := l.children.Output(ctx, "ceph", append([]string{"-c", l.conf}, args...)...)
		cancel()
		if err != nil {
			out = []byte(err.Error())
		}
		fmt.Fprintf(&b, "%s: %s\n", args, out[:min(len(out), most)])
	}
	return b.String()
}

// sockets returns the arguments that send a command to each OSD by its own socket.
func (l *Cluster) sockets(command ...string) (list [][]string) {
	for i := range osds {
		socket := filepath.Join(l.dir, fmt.Sprintf("osd.%d.asok", i))
		list = append(list, append([]string{"--admin-daemon", socket}, command...))
	}
	return list
}

// Image creates an image of that many MiB, filled with data.
func (l *Cluster) Image(ctx context.Context, name string, mib int) error {
	file := filepath.Join(l.dir, name+".raw")
	if err := os.WriteFile(file, random(mib<<20), 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	_, err := l.children.Output(ctx, "rbd", "-c", l.conf, "--no-progress", "--image-format", "2", "--image-feature", "layering",
		"--object-size", "1M", "import", file, "rbd/"+name)
	return err
}

// RestartOSD stops an OSD cleanly, calls between, and starts the OSD again.
func (l *Cluster) RestartOSD(n int, between func()) (err error) {
	if err := l.OSDs[n].Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-l.OSDs[n].done:
	case <-time.After(30 * time.Second):
		return fmt.Errorf("osd.%d does not end", n)
	}
	defer func() { err = l.StartOSD(n) }() // between may end the test
	between()
	return nil
}

// Tell sets an option of all running OSDs, by their own sockets.
func (l *Cluster) Tell(ctx context.Context, option, value string) error {
	for _, args := range l.sockets("config", "set", option, value) {
		if _, err := l.children.Output(ctx, "ceph", args...); err != nil {
			return err
		}
	}
	return nil
}
