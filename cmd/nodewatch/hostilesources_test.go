package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/statefile"
	"github.com/nodewatch/nodewatch/test/fanotify"
)

// The limits that TestHostileSources and TestHostileState guarantee.
const (
	medianAnswer = 100 * time.Millisecond
	stopWithin   = 5 * time.Second // TimeoutStopSec of the unit
)

// silentSocket returns a socket that accepts connections and never responds.
func silentSocket(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	return path
}

// A hostileDaemon is the shipped daemon on a simulated hypervisor.
type hostileDaemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	said *lockedBuffer
}

func startHostile(t *testing.T, binary, root, config string) *hostileDaemon {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nodewatch.yml")
	installFile(t, file, []byte(config), 0o600)
	d := &hostileDaemon{t: t, said: &lockedBuffer{}}
	d.cmd = exec.Command(binary, "run", "--web.listen-address", "127.0.0.1:0", "--config.file", file)
	d.cmd.Env = append(os.Environ(), "NODEWATCH_TEST_ROOT="+root)
	d.cmd.Stderr = d.said
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if d.url = pageURL.FindString(line); err != nil || d.url == "" {
		t.Fatalf("the daemon prints no address: %q, %v\n%s", line, err, d.said)
	}
	return d
}

// until requests the path until the response contains every text.
func (d *hostileDaemon) until(path string, texts ...string) {
	d.t.Helper()
	for late := time.After(patience); ; {
		body := ""
		if resp, err := once().Get(d.url + path); err == nil {
			raw, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			body = string(raw)
		}
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(body, text) }) {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-late:
			d.t.Fatalf("%s never held %q:\n%s\n%s", path, texts, body, d.said)
		}
	}
}

// measure requests the page, /metrics, the report and the health check in turn, and
// then ends the daemon. It prints a table row.
func (d *hostileDaemon) measure(row string) {
	d.t.Helper()
	var took []time.Duration
	for range 50 {
		for _, path := range []string{"/", "/metrics", "/api/v1/report", "/-/healthy"} {
			began := time.Now()
			resp, err := once().Get(d.url + path)
			if err != nil {
				d.t.Fatalf("%s: %v\n%s", path, err, d.said)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				d.t.Errorf("%s: %s", path, resp.Status)
			}
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	began := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	_, err := d.cmd.Process.Wait() // does not wait for its outputs, which a program that hangs keeps open
	stop := time.Since(began)
	if err != nil {
		d.t.Error(err)
	}
	median, worst := took[len(took)/2], took[len(took)-1]
	fmt.Printf("ROW | %s | %d | %.1f ms | %.1f ms | %.1f s\n", row, len(took), ms(median), ms(worst), stop.Seconds())
	if median > medianAnswer || stop > stopWithin {
		d.t.Errorf("%s: median %s, stop %s; want at most %s and %s", row, median, stop, medianAnswer, stopWithin)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// TestHostileSources makes each source hang by holding the opens of its files, as a
// stuck disk or kernel lock does, or by a socket that never responds; then all of
// them.
func TestHostileSources(t *testing.T) {
	if !*hostileRun {
		t.Skip("it measures times, so only on request: test/hostile/run")
	}
	binary := buildDaemon(t)
	fmt.Println("ROW | source that hangs | requests | median answer | slowest answer | stop")
	const quiet = "libvirt: {off: true}\novs: {off: true}\nceph: {off: true}\n"
	rows := []struct {
		source string
		dirs   func(h *hypervisor) []string
		config func(t *testing.T) string
	}{
		{"", nil, nil},
		{"host", func(*hypervisor) []string { return []string{"proc"} }, nil},
		{"krbd", func(*hypervisor) []string { return []string{"sys/devices/rbd/0"} }, nil},
		{"krbd-io", func(*hypervisor) []string { return []string{"sys/devices/rbd/0/block/rbd0"} }, nil},
		{"osdc", func(*hypervisor) []string {
			return []string{fmt.Sprintf("sys/kernel/debug/ceph/%s.client%d", hostFSID, hostClient)}
		}, nil},
		{"libvirt", nil, func(t *testing.T) string {
			return fmt.Sprintf("libvirt: {sockets: [%s]}\novs: {off: true}\nceph: {off: true}\n", silentSocket(t, "libvirt-sock-ro"))
		}},
		{"ovs", nil, func(t *testing.T) string {
			return fmt.Sprintf("libvirt: {off: true}\novs: {socket: %s}\nceph: {off: true}\n", silentSocket(t, "db.sock"))
		}},
		{"all of these", func(*hypervisor) []string {
			return []string{"proc", "sys/devices/rbd/0", "sys/devices/rbd/0/block/rbd0",
				fmt.Sprintf("sys/kernel/debug/ceph/%s.client%d", hostFSID, hostClient)}
		}, func(t *testing.T) string {
			return fmt.Sprintf("libvirt: {sockets: [%s]}\novs: {socket: %s}\nceph: {off: true}\n", silentSocket(t, "libvirt-sock-ro"),
				silentSocket(t, "db.sock"))
		}},
	}
	for _, r := range rows {
		t.Run(r.source, func(t *testing.T) {
			h := hypervisor{name: "hostile", disks: 4, guests: 4, sessions: 6}
			h.build(t)
			if r.dirs != nil {
				for _, dir := range r.dirs(&h) {
					fanotify.Opens(t, filepath.Join(h.root, dir))
				}
			}
			config := quiet
			if r.config != nil {
				config = r.config(t)
			}
			d := startHostile(t, binary, h.root, config+"state_directory: "+t.TempDir()+"\n")
			name, stalled := r.source, []string{r.source}
			switch r.source {
			case "":
				name, stalled = "none", nil
			case "all of these":
				stalled = []string{"host", "krbd", "krbd-io", "libvirt", "ovs"} // osdc is not read before krbd has been listed
			}
			var texts []string
			for _, s := range stalled {
				texts = append(texts, fmt.Sprintf("nodewatch_source_up{source=%q} 0", s))
			}
			d.until("/api/v1/report", `"components"`)
			d.until("/metrics", append(texts, "nodewatch_build_info")...)
			d.measure(name)
		})
	}
}

// TestHostileState starts the daemon on state directories of every kind. It works on
// each, and reports the problem of each.
func TestHostileState(t *testing.T) {
	if !*hostileRun {
		t.Skip("it measures times, so only on request: test/hostile/run")
	}
	if os.Geteuid() != 0 {
		t.Skip("mounting file systems needs root")
	}
	binary := buildDaemon(t)
	mount := func(t *testing.T, flags uintptr, options string) string {
		dir := t.TempDir()
		if err := syscall.Mount("nodewatch-test", dir, "tmpfs", flags, options); err != nil {
			t.Skip("this root may not mount:", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		return dir
	}
	fmt.Println("ROW | state directory | requests | median answer | slowest answer | stop")
	for _, r := range []struct {
		name, says string
		dir        func(t *testing.T) string
	}{
		{"missing", "there is no state directory", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }},
		{"a file in its place", "not a directory", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "file")
			installFile(t, path, nil, 0o600)
			return path
		}},
		{"full", "no space left on device", func(t *testing.T) string { return mount(t, 0, "size=64k") }},
		{"read-only", "read-only file system", func(t *testing.T) string { return mount(t, syscall.MS_RDONLY, "size=8m") }},
		{"overrides are a link", "is a symbolic link", func(t *testing.T) string {
			dir := t.TempDir()
			if err := os.Symlink("/etc/hostname", filepath.Join(dir, "overrides.json")); err != nil {
				t.Fatal(err)
			}
			return dir
		}},
		{"overrides are a named pipe", "is not a regular file", func(t *testing.T) string {
			dir := t.TempDir()
			if err := syscall.Mkfifo(filepath.Join(dir, "overrides.json"), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}},
		{"another daemon's, which hangs", "in its place", func(t *testing.T) string {
			dir := t.TempDir()
			held(t, dir, holderThatHangs())
			return dir
		}},
		{"every open hangs", "does not answer", func(t *testing.T) string {
			dir := t.TempDir()
			installFile(t, filepath.Join(dir, "overrides.json"), []byte("{}"), 0o600)
			installFile(t, filepath.Join(dir, "daemon.lock"), nil, 0o600)
			fanotify.Opens(t, dir)
			return dir
		}},
	} {
		t.Run(r.name, func(t *testing.T) {
			h := hypervisor{name: "hostile", disks: 4, guests: 4, sessions: 6}
			h.build(t)
			d := startHostile(t, binary, h.root, "libvirt: {off: true}\novs: {off: true}\nceph: {off: true}\nstate_directory: "+
				r.dir(t)+"\n")
			d.until("/api/v1/report", r.says)
			d.measure(r.name)
		})
	}
}

// holderThatHangs returns a daemon that lives and does not respond.
func holderThatHangs() statefile.Holder {
	return statefile.Holder{PID: os.Getpid(), Addresses: []string{"http://127.0.0.1:1/"}}
}
