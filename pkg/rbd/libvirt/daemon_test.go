package libvirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// daemonScript runs libvirtd in separate namespaces, as root there and with its files
// visible only there: $1 is the directory with its sockets, $2 the daemon.
const daemonScript = `set -e
mkdir -p "$1/etc/libvirt" "$1/sock"
for f in passwd group nsswitch.conf ld.so.cache; do test ! -e /etc/$f || cp /etc/$f "$1/etc/"; done
echo libvirt-qemu:x:0:0::/:/bin/false >> "$1/etc/passwd"
echo libvirt-qemu:x:0: >> "$1/etc/group"
cat > "$1/etc/libvirt/qemu.conf" <<END
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
dynamic_ownership = 0
remember_owner = 0
END
cat > "$1/libvirtd.conf" <<END
unix_sock_dir = "$1/sock"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:stderr"
END
mount --bind "$1/etc" /etc
for d in /run /var/lib /var/cache /var/log; do mount -t tmpfs tmpfs $d; done
mount -t proc proc /proc
"$2" -f "$1/libvirtd.conf" -p "$1/pid" # not exec: a shell as the first process buries the dead
exit $?
`

// startDaemon starts a real libvirtd and returns its read-only and its other socket.
// The daemon and all its children end when the shell that is the first process of its
// namespace exits.
func startDaemon(t *testing.T) (ro, rw string) {
	daemon, err := exec.LookPath("libvirtd")
	if err != nil {
		if daemon, err = exec.LookPath("/usr/sbin/libvirtd"); err != nil {
			t.Skip("no libvirtd to read from: install libvirt-daemon")
		}
	}
	dir, err := os.MkdirTemp("", "virt") // a socket's path is at most 107 bytes long
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", daemonScript, "sh", dir, daemon)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWPID,
		UidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		GidMappingsEnableSetgroups: os.Getuid() == 0, // libvirtd sets them for QEMU
		Pdeathsig:                  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		os.RemoveAll(dir)
		t.Skip("no namespaces to run libvirtd in:", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("libvirtd said:\n%s", &log)
		}
	})
	ro, rw = filepath.Join(dir, "sock", "libvirt-sock-ro"), filepath.Join(dir, "sock", "libvirt-sock")
	await(t, ro, ended, &log)
	return ro, rw
}

// await waits until the daemon listens on its socket.
func await(t *testing.T, socket string, ended chan error, log *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			if strings.Contains(log.String(), "mount: ") {
				t.Skip("no mounts allowed to run libvirtd in:", log)
			}
			t.Fatalf("libvirtd ended: %v\n%s", err, log)
		case <-ctx.Done():
			t.Fatal("libvirtd does not listen")
		case <-tick.C:
		}
	}
}

// connectWriter connects to the daemon to create domains.
func connectWriter(t *testing.T, socket string, uri libvirt.ConnectURI) *libvirt.Libvirt {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	rpc := libvirt.NewWithDialer(dialers.NewAlreadyConnected(conn))
	if err := rpc.ConnectToURI(uri); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return rpc
}

// A real libvirtd reports a domain with librbd and krbd disks over its read-only
// socket. Its test driver starts domains without QEMU.
func TestLibvirtDaemon(t *testing.T) {
	ro, rw := startDaemon(t)
	writer := connectWriter(t, rw, libvirt.TestDefault)
	text := strings.Replace(string(rbdtest.File(t, "vm202-mixed.define.xml")), "type='qemu'", "type='test'", 1)
	made, err := writer.DomainCreateXML(text, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := New([]string{ro + "-none", ro}, nil)
	defer l.Close()
	l.uri = libvirt.TestDefault
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 { // from the XML, and from stored knowledge
		got, err := l.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		check202(t, got, uuid(made.UUID), "running")
	}
	if err := writer.DomainSuspend(made); err != nil {
		t.Fatal(err)
	}
	got, err := l.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	check202(t, got, uuid(made.UUID), "paused")
	if _, err := l.rpc.DomainCreateXML(text, 0); err == nil {
		t.Error("a domain was made over the read-only socket")
	}
}

// check202 checks that the guests are the test driver's default one and vm202.
func check202(t *testing.T, got rbd.Guests, id, state string) {
	t.Helper()
	if got.Partly != "" || len(got.Guests) != 2 || got.Guests[0].Name != "test" {
		t.Fatalf("got %+v", got)
	}
	g := got.Guests[1]
	if g.Name != "vm202" || g.ID != id || g.State != state || len(g.Disks) != 3 {
		t.Fatalf("got %+v", g)
	}
	for i, want := range []rbd.Client{rbd.LibRBD, rbd.KRBD, rbd.KRBD} {
		if g.Disks[i].Client != want {
			t.Errorf("disk %d: got %+v, want %s", i, g.Disks[i], want)
		}
	}
}

// daemonQEMU makes libvirt start a QEMU that stays paused at its start.
func daemonQEMU(t *testing.T, name string) (ro string) {
	if os.Getuid() != 0 {
		t.Skip("libvirtd starts a QEMU for root only")
	}
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("no QEMU to run: install qemu-system-x86")
	}
	ro, rw := startDaemon(t)
	disk := filepath.Join(filepath.Dir(ro), "disk.raw")
	if err := os.WriteFile(disk, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = connectWriter(t, rw, libvirt.QEMUSystem).DomainCreateXML(`<domain type='qemu'><name>`+name+
		`</name><memory unit='MiB'>32</memory>
		<os><type arch='x86_64' machine='pc'>hvm</type></os><clock offset='localtime'/>
		<devices><emulator>`+qemu+`</emulator>
		<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='`+disk+`'/><target dev='vda' bus='virtio'/>
		<iotune><read_iops_sec>77</read_iops_sec></iotune></disk><memballoon model='none'/></devices></domain>`, libvirt.DomainStartPaused)
	if err != nil {
		t.Fatal(err)
	}
	return ro
}

// With a real QEMU the counters come from its monitor. After QEMU is frozen, the
// first reading runs into its deadline, because libvirt waits for the monitor. The
// next readings find the monitor busy, do not wait, and report the guest as stalled.
// When QEMU continues, the counters are back.
func TestLibvirtDaemonWithQEMU(t *testing.T) {
	name := fmt.Sprint("vm", os.Getpid()) // no other QEMU here
	l := New([]string{daemonQEMU(t, name)}, rbd.DeviceNumber)
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := l.Read(ctx)
	if err != nil || len(got.Guests) != 1 || got.Partly != "" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if g := got.Guests[0]; g.State != "paused" || g.Reason != "user" || g.OS != "" || g.OSBy != guest.OSByLocalTime || g.Stalled ||
		len(g.IO) != 1 || g.IO[0].Target != "vda" ||
		len(g.Disks) != 1 || g.Disks[0].Throttle == nil || g.Disks[0].Throttle.ReadIOPS != 77 {
		t.Errorf("got %+v", g)
	}
	process := daemonProcess(t, name)
	if err := syscall.Kill(process, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	short, cancelShort := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancelShort()
	if _, err := l.Read(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen: got %v", err)
	}
	for range 3 {
		got, err = l.Read(ctx)
		if err != nil || len(got.Guests) != 1 || !got.Guests[0].Stalled || len(got.Guests[0].Disks) != 1 {
			t.Fatalf("frozen: got %+v, %v", got, err)
		}
	}
	if err := syscall.Kill(process, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for got.Guests[0].Stalled {
		if got, err = l.Read(ctx); err != nil {
			t.Fatal("it continues:", err)
		}
	}
}

// daemonProcess finds a QEMU with the given name, as on a host without libvirt.
func daemonProcess(t *testing.T, name string) int {
	proc := os.DirFS("/proc")
	list, err := qemu.NewProcesses(proc, qemu.Asks{
		Guest: func(_ context.Context, p qemu.Process) (qemu.Description, error) {
			return qemu.ReadGuest(proc, proc, p)
		},
		Opened:  func(context.Context, []qemu.Process) ([]qemu.Opened, error) { return nil, nil },
		Exports: func(context.Context, qemu.Process) ([]rbd.Export, error) { return nil, nil },
		Systems: func(context.Context, []string) (map[string]string, error) { return nil, nil },
	}, func() ([]qemu.ServedDevice, error) { return nil, nil }).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list.Guests, func(g rbd.Guest) bool { return g.Name == name })
	if i < 0 {
		t.Fatalf("%s is not among %+v", name, list)
	}
	g := list.Guests[i]
	if len(g.Disks) != 1 || g.OSBy != guest.OSByLocalTime {
		t.Errorf("by its command line: got %+v", g)
	}
	return g.PID
}

// A daemon that has exited is an error, and the next reading reaches the new one.
func TestLibvirtDaemonGone(t *testing.T) {
	l := New([]string{filepath.Join(t.TempDir(), "sock")}, nil)
	listener, err := net.Listen("unix", l.sockets[0])
	if err != nil {
		t.Skip("no sockets:", err)
	}
	defer listener.Close()
	go func() {
		if c, err := listener.Accept(); err == nil {
			c.Close()
		}
	}()
	if _, err := l.Read(t.Context()); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
