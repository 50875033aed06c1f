//go:build lab

package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/test/cephlab"
	"github.com/nodewatch/nodewatch/test/lab"
	"github.com/nodewatch/nodewatch/test/lab/call"
)

// Addresses of the storage network, in an isolated namespace.
const (
	storageIP = "192.0.2.1"
	guestIP   = "192.0.2.2"
)

// A machine is the guest with its cluster.
type machine struct {
	*cephlab.Cluster
	dir  string
	line net.Conn
	last uint64
	qemu *exec.Cmd
}

// boot starts both, and waits for the agent in the guest.
func boot(t *testing.T) *machine {
	t.Helper()
	bin, err := filepath.Abs(os.Getenv("LAB_BIN"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := lab.FindKernel(filepath.Join(bin, "../lab/kernel"), os.Getenv("KERNEL"))
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{dir: t.TempDir()}
	files := workDirectory(t, bin)
	first, disk := firstStage(t, files, k), disk(t, files, bin, k)
	m.Cluster = cephlab.StartAt(t, storageIP, storageNetwork)
	m.qemu = exec.Command("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-accel", "tcg", "-smp", "1", "-m", "1024", "-kernel", k.Image, "-initrd", first,
		"-append", "console=ttyS0 quiet panic=-1 systemd.getty_auto=no systemd.firstboot=off",
		"-drive", "file="+disk+",if=virtio,format=raw,cache=unsafe",
		"-chardev", "file,id=console,path=console.log", "-serial", "chardev:console",
		"-netdev", "tap,id=storage,ifname=stor0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=storage",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off",
		"-device", "virtserialport,chardev=agent,name="+call.Port)
	m.qemu.Dir = m.dir
	log, err := os.Create(filepath.Join(m.dir, "qemu.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	m.qemu.Stdout, m.qemu.Stderr = log, log
	if err := m.Run(m.qemu); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = m.qemu.Process.Kill() // the result of a kill does not matter
		_ = m.qemu.Wait()
	})
	if err := m.connect(t.Context()); err != nil {
		t.Fatalf("the guest did not boot: %v\n%s", err, m.said())
	}
	return m
}

// workDirectory creates a directory for large files; a later run removes one that a
// killed run left.
func workDirectory(t *testing.T, bin string) (dir string) {
	t.Helper()
	dir = filepath.Join(bin, "work")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the next run tries again
	return dir
}

// storageNetwork creates the network on the calling thread.
func storageNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	for _, command := range []string{
		"link set lo up", "tuntap add dev stor0 mode tap", "addr add " + storageIP + "/24 dev stor0", "link set stor0 up",
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, out)
		}
	}
	return nil
}

// connect waits for the agent.
func (m *machine) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := m.dial()
		if err == nil {
			_, _, err = m.call(call.Request{Run: &call.Run{Argv: []string{"true"}, Seconds: 5}}, 3*time.Second)
		}
		if err == nil {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (m *machine) dial() (err error) {
	if m.line == nil {
		m.line, err = net.Dial("unix", filepath.Join(m.dir, "agent.sock"))
	}
	return err
}

// call sends the agent one request.
func (m *machine) call(r call.Request, within time.Duration) (out string, code int, err error) {
	m.last++
	r.ID = m.last
	if err := m.line.SetDeadline(time.Now().Add(within)); err != nil {
		return "", 0, err
	}
	if err := call.Write(m.line, r); err != nil {
		return "", 0, err
	}
	for {
		var a call.Answer
		if err := call.Read(m.line, &a); err != nil {
			return "", 0, err
		}
		switch {
		case a.ID != r.ID: // the response to a request that timed out
		case a.Error != "":
			return "", 0, errors.New(a.Error)
		default:
			return string(a.Out) + string(a.Err), a.Code, nil
		}
	}
}

// run runs a shell script in the guest and returns its output and its exit code.
func (m *machine) run(t *testing.T, script string) (out string, code int) {
	t.Helper()
	const seconds = 120
	out, code, err := m.call(call.Request{Run: &call.Run{Argv: []string{"sh", "-euc", script}, Seconds: seconds}}, (seconds+10)*time.Second)
	if err != nil {
		t.Fatalf("%v of: %s", err, script)
	}
	return strings.TrimSpace(out), code
}

// sh runs a shell script in the guest, which must succeed.
func (m *machine) sh(t *testing.T, script string) string {
	t.Helper()
	out, code := m.run(t, script)
	if code != 0 {
		t.Fatalf("exit code %d of: %s\n%s", code, script, out)
	}
	return out
}

// put writes a file in the guest.
func (m *machine) put(t *testing.T, path string, mode uint32, text string) {
	t.Helper()
	if _, _, err := m.call(call.Request{Put: &call.File{Path: path, Mode: mode, Body: []byte(text)}}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
}

// get requests a path of nodewatch within the guest; status 0: there is no listener.
func (m *machine) get(path string) (body string, status int) {
	body, status, err := m.ask("http://127.0.0.1:10090" + path)
	if err != nil {
		return err.Error(), 0
	}
	return body, status
}

// ask requests a URL within the guest.
func (m *machine) ask(url string) (body string, status int, err error) {
	return m.call(call.Request{Get: url}, 30*time.Second)
}

// said returns the end of the output of QEMU and the guest's console.
func (m *machine) said() string {
	var all string
	for _, name := range []string{"qemu.log", "console.log"} {
		b, _ := os.ReadFile(filepath.Join(m.dir, name)) // a failed guest may have written only part of it
		all += name + ":\n" + string(b[max(0, len(b)-3000):]) + "\n"
	}
	return all
}
