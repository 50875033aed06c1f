//go:build ceph

package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ceph/go-ceph/rados"
)

// A lab is a real Ceph cluster on loopback: one monitor, one manager, one OSD that
// keeps its objects in memory. All of it is in one directory, and its daemons die
// with this process.
type lab struct {
	t      *testing.T
	dir    string
	conf   string
	admin  *rados.Conn
	starts chan func() // run on the one thread whose death kills the daemons
	daemon map[string]*exec.Cmd
}

// needed are the daemons, by the Debian package of the same name.
var needed = []string{"ceph-mon", "ceph-mgr", "ceph-osd"}

// startLab starts a cluster and waits until it serves a pool named vms.
func startLab(t *testing.T) *lab {
	t.Helper()
	for _, name := range needed {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no cluster to test with: apt-get install --no-install-recommends %s (%v)", strings.Join(needed, " "), err)
		}
	}
	l := &lab{t: t, dir: t.TempDir(), starts: make(chan func()), daemon: map[string]*exec.Cmd{}}
	l.conf = filepath.Join(l.dir, "ceph.conf")
	go func() {
		runtime.LockOSThread() // Pdeathsig is sent when the thread ends, not the process
		for start := range l.starts {
			start()
		}
	}()
	t.Cleanup(l.stop)
	l.startMonitor()
	l.startManager()
	l.startOSD()
	l.must(`{"prefix":"osd pool create","pool":"vms","pg_num":1}`)
	l.must(`{"prefix":"osd pool application enable","pool":"vms","app":"rbd"}`)
	l.until("the cluster is healthy", func() bool {
		return strings.Contains(l.must(`{"prefix":"health","format":"json"}`), "HEALTH_OK") &&
			strings.Contains(l.must(`{"prefix":"osd stat","format":"json"}`), `"num_up_osds":1`) &&
			strings.Contains(l.must(`{"prefix":"mgr stat","format":"json"}`), `"available":true`)
	})
	return l
}

// key is a new cephx key: type, time of creation, length and 16 bytes
// (CryptoKey::encode, src/auth/Crypto.cc).
func key() string {
	b := binary.LittleEndian.AppendUint16(nil, 1)
	b = binary.LittleEndian.AppendUint64(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 16)
	secret := make([]byte, 16)
	rand.Read(secret)
	return base64.StdEncoding.EncodeToString(append(b, secret...))
}

func uuid() string {
	b := make([]byte, 16)
	rand.Read(b)
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// freePort is a port that nobody listens at now.
func (l *lab) freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// config is the cluster's configuration. Clients are told to log and to make an
// admin socket: the child must not.
func (l *lab) config() string {
	mon := fmt.Sprintf("[v2:127.0.0.1:%d,v1:127.0.0.1:%d]", l.freePort(), l.freePort())
	return strings.NewReplacer("DIR", l.dir, "FSID", uuid(), "MON", mon).Replace(`[global]
fsid = FSID
mon host = MON
run dir = DIR
admin socket =
pid file =
crash dir = DIR
log file = DIR/$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 0
auth allow insecure global id reclaim = false
paxos propose interval = 0.1
mon client hunt interval = 0.2
mgr tick period = 1
mgr stats period = 1
[mon.a]
mon data = DIR/mon
public addrv = MON
[mgr]
mgr data = DIR/mgr
keyring = DIR/$name.keyring
public addr = 127.0.0.1
[osd]
osd data = DIR/osd
keyring = DIR/$name.keyring
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd objectstore = memstore
memstore device bytes = 268435456
[client]
keyring = DIR/$name.keyring
admin socket = DIR/$name.asok
`)
}

func (l *lab) startMonitor() {
	l.write("ceph.conf", l.config())
	admin := fmt.Sprintf("[client.admin]\n\tkey = %s\n\tcaps mon = \"allow *\"\n\tcaps mgr = \"allow *\"\n\tcaps osd = \"allow *\"\n", key())
	l.write("client.admin.keyring", admin)
	l.write("mon.keyring", fmt.Sprintf("[mon.]\n\tkey = %s\n\tcaps mon = \"allow *\"\n%s", key(), admin))
	l.tool("ceph-mon", "--mkfs", "-i", "a", "--keyring", filepath.Join(l.dir, "mon.keyring"))
	l.start("ceph-mon", "-i", "a")
	var err error
	if l.admin, err = rados.NewConnWithUser("admin"); err != nil {
		l.t.Fatal(err)
	}
	if err = l.admin.ReadConfigFile(l.conf); err != nil {
		l.t.Fatal(err)
	}
	for name, value := range map[string]string{"client_mount_timeout": "20", "rados_mon_op_timeout": "20", "rados_osd_op_timeout": "20", "admin_socket": "", "log_file": ""} {
		if err = l.admin.SetConfigOption(name, value); err != nil {
			l.t.Fatal(err)
		}
	}
	if err = l.admin.Connect(); err != nil {
		l.t.Fatalf("connect: %v\n%s", err, l.log("mon.a"))
	}
}

func (l *lab) startManager() {
	l.user("mgr.x", "mon", "allow profile mgr", "osd", "allow *")
	l.mkdir("mgr")
	l.start("ceph-mgr", "-i", "x")
}

func (l *lab) startOSD() {
	id := uuid()
	l.must(fmt.Sprintf(`{"prefix":"osd new","uuid":%q}`, id))
	l.user("osd.0", "mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *")
	l.mkdir("osd")
	// Without --no-mon-config it would wait for a user that it does not have yet.
	l.tool("ceph-osd", "--mkfs", "-i", "0", "--no-mon-config", "--osd-uuid", id)
	l.start("ceph-osd", "-i", "0")
}

// user makes a user and its keyring, as "ceph auth get-or-create" does.
func (l *lab) user(name string, caps ...string) {
	l.t.Helper()
	command, err := json.Marshal(map[string]any{"prefix": "auth get-or-create", "entity": name, "caps": caps})
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(name+".keyring", l.must(string(command)))
}

// must asks the monitor.
func (l *lab) must(command string) string {
	l.t.Helper()
	b, info, err := l.admin.MonCommand([]byte(command))
	if err != nil {
		l.t.Fatalf("%s: %s: %v\n%s", command, info, err, l.log("mon.a"))
	}
	return string(b)
}

// until waits for a state of the cluster, which tells nobody when it changes.
func (l *lab) until(what string, reached func() bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 40*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			l.t.Fatalf("not after 40 s: %s\n%s%s%s", what, l.log("mon.a"), l.log("mgr.x"), l.log("osd.0"))
		}
	}
}

// tool runs a daemon's program to its end.
func (l *lab) tool(program string, args ...string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, append(args, "-c", l.conf)...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", program, args, err, out)
	}
}

// start starts a daemon in the foreground.
func (l *lab) start(program string, args ...string) {
	l.t.Helper()
	cmd := exec.Command(program, append(args, "-c", l.conf, "-f")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	l.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		l.t.Fatal(err)
	}
	l.daemon[program] = cmd
}

// kill ends a daemon as a power failure would.
func (l *lab) kill(program string) {
	cmd := l.daemon[program]
	if cmd == nil {
		return
	}
	delete(l.daemon, program)
	// The errors say that it is dead, which is what is wanted.
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (l *lab) signal(program string, s os.Signal) {
	l.t.Helper()
	if err := l.daemon[program].Process.Signal(s); err != nil {
		l.t.Fatal(err)
	}
}

// stop leaves the admin's connection alone: with no monitor it would wait.
func (l *lab) stop() {
	for _, program := range needed {
		l.kill(program)
	}
	close(l.starts)
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) mkdir(name string) {
	l.t.Helper()
	if err := os.Mkdir(filepath.Join(l.dir, name), 0o700); err != nil {
		l.t.Fatal(err)
	}
}

// log is the end of a daemon's log, for a test that fails.
func (l *lab) log(name string) string {
	b, err := os.ReadFile(filepath.Join(l.dir, name+".log"))
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf("--- %s\n%s\n", name, b[max(0, len(b)-2000):])
}
