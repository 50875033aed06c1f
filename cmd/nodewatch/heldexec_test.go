package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/launcher"
	"github.com/nodewatch/nodewatch/test/fanotify"
)

// A holdable is a daemon whose programs are all files of the test, so that their exec
// can be held.
type holdable struct {
	t *testing.T
	process
	cmd                       *exec.Cmd
	url                       string
	fed                       chan struct{} // receives when the watchdog is fed
	binary, cluster, reporter string        // the programs
}

// newHoldable returns a daemon of the simulated hypervisor below root.
func newHoldable(t *testing.T, root string) *holdable {
	t.Helper()
	dir := t.TempDir()
	d := &holdable{t: t, binary: filepath.Join(dir, "nodewatch"), cluster: filepath.Join(dir, "cluster"),
		reporter: filepath.Join(dir, "reporter")}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	installFile(t, d.binary, self, 0o700)
	installFile(t, d.cluster, []byte("#!/bin/sh\necho '{\"fsid\":\"33b862db-5e43-43fb-927c-e4b2e2132a65\",\"health\":{\"status\":\"HEALTH_OK\"}}'\n"), 0o700)
	installFile(t, d.reporter, []byte("#!/bin/sh\ncat >/dev/null\n"), 0o700)
	installFile(t, filepath.Join(dir, "keyring"), nil, 0o600)
	// A separate directory for the socket, because its path must be short.
	socket := filepath.Join(t.TempDir(), "notify")
	notified, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { notified.Close() })
	d.fed = make(chan struct{})
	go func() {
		buf := make([]byte, 4096)
		for {
			n, _, err := notified.ReadFrom(buf)
			if err != nil {
				return
			}
			if strings.Contains(string(buf[:n]), "WATCHDOG=1") {
				select {
				case d.fed <- struct{}{}:
				default: // no receiver is waiting
				}
			}
		}
	}()
	file := filepath.Join(dir, "nodewatch.yml")
	config := fmt.Sprintf("libvirt: {off: true}\novs: {off: true}\nceph: {child: %s, keyring: %s/keyring, every: 10s}\n"+
		"reporters: [{name: program, every: 5s, exec: {program: %s, mode: state}}]\n", d.cluster, dir, d.reporter)
	installFile(t, file, []byte(config), 0o600)
	// The shell executes the daemon, not this process: Go's vfork would block on an exec
	// that only this process can release, and a garbage collection would wait for the
	// vfork.
	d.cmd = exec.Command("/bin/sh", "-c", `read -r go && exec "$0" "$@"`, d.binary, "run", "--web.listen-address", "127.0.0.1:0",
		"--config.file", file)
	d.cmd.Env = append(os.Environ(), asDaemon+"=1", "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=3000000", "NODEWATCH_TEST_ROOT="+root,
		"RUNTIME_DIRECTORY="+dir)
	return d
}

// start starts the daemon, and waits until it prints the address of its page.
func (d *holdable) start() {
	d.t.Helper()
	said, err := os.Create(filepath.Join(d.t.TempDir(), "said"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.cmd.Stderr = said // a file, because a launcher that hangs would keep a pipe open
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	begin, err := d.cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	if _, err := begin.Write([]byte("\n")); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = d.cmd.Process.Kill() }) // the daemon has already ended, unless the test has failed
	d.process = process(d.cmd.Process.Pid)
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		d.url = pageURL.FindString(text)
	case <-time.After(patience):
	}
	if d.url == "" {
		raw, _ := os.ReadFile(said.Name())
		d.t.Fatalf("the daemon says no address\n%s", raw)
	}
}

// get requests a path of the daemon.
func (d *holdable) get(path string) (body string, status int) {
	d.t.Helper()
	client := http.Client{Timeout: patience}
	resp, err := client.Get(d.url + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&b); err != nil {
		d.t.Fatal(err)
	}
	return b.String(), resp.StatusCode
}

// until requests a path until the response matches.
func (d *holdable) until(path, match string) {
	d.t.Helper()
	limit, want := time.After(patience), regexp.MustCompile(match)
	for {
		body, _ := d.get(path)
		if want.MatchString(body) {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-limit:
			why, _ := d.get("/api/v1/report")
			d.t.Fatalf("%s never said %q:\n%s\n%s", path, match, body, why)
		}
	}
}

// works checks that the daemon responds, feeds the watchdog and ends on request.
func (d *holdable) works() {
	d.t.Helper()
	for range 3 {
		select {
		case <-d.fed:
		case <-time.After(patience):
			d.t.Fatal("the watchdog is not fed")
		}
		if body, status := d.get("/-/healthy"); status != http.StatusOK {
			d.t.Errorf("status %d: %s", status, body)
		}
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan error, 1)
	began := time.Now()
	go func() {
		state, err := d.cmd.Process.Wait()
		if err == nil && !state.Success() {
			err = fmt.Errorf("%v", state)
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		d.t.Logf("ended %s after SIGTERM", time.Since(began).Round(time.Millisecond))
		if err != nil {
			d.t.Error(err)
		}
	case <-time.After(patience):
		d.t.Fatal("SIGTERM does not end it")
	}
}

// held waits for a held exec.
func (d *holdable) held(h *fanotify.Hold) {
	d.t.Helper()
	select {
	case <-h.Held():
	case <-time.After(patience):
		d.t.Fatal("nothing was executed that could be held")
	}
}

// The callers that execute nodewatch's own binary, identified by an argument: the launcher,
// which first starts the spare helper and then a helper for each program; and the helper
// that becomes the probe. Their order depends on the load of the machine.
const (
	theLauncher = "with-spare"
	theHelper   = launcher.HelperCommand
)

// An exec that is held, as by a scanner or a stuck disk, blocks only the parts that
// need it: the daemon responds, feeds the watchdog, reports which source is
// unavailable and why, and ends on request.
func TestAHeldExecFreezesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("holding an exec needs root: fanotify's permission events")
	}
	h := hypervisor{name: "held", disks: 2, guests: 1, sessions: 2}
	h.build(t)
	const reports, cluster = `nodewatch_reports_total{reporter="program"} [1-9]`, `nodewatch_cluster_health{status="HEALTH_OK"} 1`
	for _, c := range []struct {
		name   string
		file   func(*holdable) string
		by     string          // the caller whose execs of the file are held; empty: any
		pass   int             // number of these that pass first
		steady func(*holdable) // brings the daemon to the point where the exec is held in steady state; nil: at the start
		shows  func(*holdable) // checks the visible effect
	}{
		{"nodewatch-ceph at the start", func(d *holdable) string { return d.cluster }, "", 0, nil,
			func(d *holdable) { d.until("/metrics", reports) }},
		{"nodewatch-ceph", func(d *holdable) string { return d.cluster }, "", 0,
			func(d *holdable) { d.until("/metrics", cluster) },
			func(d *holdable) { d.until("/metrics", "nodewatch_launcher_up 1") }},
		{"a reporter's program at the start", func(d *holdable) string { return d.reporter }, "", 0, nil,
			func(d *holdable) { d.until("/metrics", cluster) }},
		{"a reporter's program", func(d *holdable) string { return d.reporter }, "", 0,
			func(d *holdable) { d.until("/metrics", reports) },
			func(d *holdable) { d.until("/metrics", "nodewatch_launcher_up 1") }},
		{"the launcher's first helper", func(d *holdable) string { return d.binary }, theLauncher, 1, nil,
			func(d *holdable) {
				d.until("/metrics", `nodewatch_source_stalled{source="launcher"} 1`)
				d.until("/metrics", `nodewatch_source_stalled{source="osdc"} 1`)
				d.until("/metrics", `nodewatch_source_stalled{source="ceph"} 1`)
				d.until("/metrics", `nodewatch_source_up{source="krbd"} 1`) // which lacks no more than the map options
				d.until("/api/v1/report", "the launcher does not answer")
			}},
		{"the launcher's spare", func(d *holdable) string { return d.binary }, theLauncher, 0, nil,
			func(d *holdable) { d.until("/api/v1/report", "the launcher does not answer") }},
		{"the probe", func(d *holdable) string { return d.binary }, theLauncher, 0,
			func(d *holdable) { d.until("/metrics", `nodewatch_source_up{source="osdc"} 1`) },
			func(d *holdable) {
				d.until("/metrics", `nodewatch_source_stalled{source="launcher"} 1`)
				d.until("/api/v1/report", "the launcher does not answer")
			}},
		// The launcher itself keeps working.
		{"what the probe's helper becomes", func(d *holdable) string { return d.binary }, theHelper, 0, nil,
			func(d *holdable) {
				d.until("/metrics", `nodewatch_source_stalled{source="osdc"} 1`)
				d.until("/api/v1/report", "probe: its exec has not returned since")
				d.until("/metrics", "nodewatch_launcher_up 1")
				d.until("/metrics", `nodewatch_source_up{source="krbd"} 1`)
				d.until("/metrics", reports)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newHoldable(t, h.root)
			file := c.file(d)
			var hold *fanotify.Hold
			if c.steady == nil {
				hold = fanotify.ExecBy(t, file, c.by, c.pass)
			}
			d.start()
			if c.steady != nil {
				c.steady(d)
				hold = fanotify.ExecBy(t, file, c.by, c.pass)
				if probe, running := d.called("probe"); running && file == d.binary {
					_ = syscall.Kill(int(probe), syscall.SIGKILL) // the next one starts soon
				}
			}
			d.held(hold)
			c.shows(d)
			d.works()
		})
	}
}
