// Package prometheus runs the real Prometheus and Alertmanager for tests, on loopback
// and with their data in the test's directory: the servers, a receiver of their
// notifications, and promtool and amtool. Its tests check deploy/prometheus and
// deploy/grafana against nodewatch's real metrics.
package prometheus

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The programs, by their names in Debian.
const (
	Prometheus   = "prometheus"
	Alertmanager = "prometheus-alertmanager"
	Promtool     = "promtool"
	Amtool       = "amtool"
)

// startup is the time limit for a server's first response, on a very busy machine.
const startup = time.Minute

// Root returns the directory of the module: the nearest one above the test's with a
// go.mod. The paths of source files in a binary that was built with -trimpath do not
// contain it.
func Root() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "." // the files are then not found, which the test reports
}

// unpacked returns the directory of the programs of tools/unpack; Alertmanager finds
// its templates with this as working directory.
func unpacked() string { return filepath.Join(Root(), "bin", "debian") }

// command returns a command that runs in the directory with Alertmanager's templates,
// if it has been unpacked.
func command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Program(t, name), args...)
	if _, err := os.Stat(unpacked()); err == nil {
		cmd.Dir = unpacked()
	}
	return cmd
}

// Program returns the path of a program: one that `make test` has unpacked, or one in
// the PATH. Without it the test is skipped.
func Program(t testing.TB, name string) string {
	t.Helper()
	if path := filepath.Join(unpacked(), "usr", "bin", name); exec.Command(path, "--version").Run() == nil {
		return path
	}
	for _, n := range []string{name, strings.TrimPrefix(name, "prometheus-")} {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	t.Skipf("no %s to test with: run tools/unpack bin/debian prometheus prometheus-alertmanager", name)
	return ""
}

// Run runs a program to its end and returns its output, and an error if it failed.
// Paths among the arguments must be absolute.
func Run(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	out, err := command(t, name, args...).CombinedOutput()
	return string(out), err
}

// Write writes a file into the directory, and returns its path.
func Write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// StartPrometheus starts a Prometheus with the given configuration, in which paths
// are relative to dir, and returns its URL. It ends with the test.
func StartPrometheus(t testing.TB, dir, config string) string {
	t.Helper()
	return start(t, Prometheus, `Server is ready to receive`,
		"--config.file="+Write(t, dir, "prometheus.yml", config), "--storage.tsdb.path="+t.TempDir(),
		"--web.listen-address=127.0.0.1:0", "--web.console.templates=", "--web.console.libraries=")
}

// StartAlertmanager starts an Alertmanager with the given configuration and further
// arguments, if any, and returns its URL. It ends with the test.
func StartAlertmanager(t testing.TB, config string, args ...string) string {
	t.Helper()
	return startAlertmanager(t, config, append([]string{"--cluster.listen-address="}, args...)...)
}

// StartAlertmanagers starts a cluster of two, the second of which waits two seconds
// for the first to notify, and returns their URLs. They end with the test.
func StartAlertmanagers(t testing.TB, config string) (urls []string) {
	t.Helper()
	gossip := []string{freePort(t), freePort(t)}
	for i := range gossip {
		urls = append(urls, startAlertmanager(t, config, "--cluster.listen-address="+gossip[i], "--cluster.peer="+gossip[1-i],
			"--cluster.peer-timeout=2s", "--cluster.gossip-interval=50ms", "--cluster.reconnect-interval=1s"))
	}
	return urls
}

func startAlertmanager(t testing.TB, config string, args ...string) string {
	t.Helper()
	return start(t, Alertmanager, `Listening on`, append([]string{
		"--config.file=" + Write(t, t.TempDir(), "alertmanager.yml", config), "--storage.path=" + t.TempDir(),
		"--web.listen-address=127.0.0.1:0",
	}, args...)...)
}

// freePort returns an address on loopback that was free a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// start starts a server and returns its URL once its log contains the text ready; by
// then it has logged its address.
func start(t testing.TB, name, ready string, args ...string) string {
	t.Helper()
	cmd := command(t, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	up, all := make(chan string, 1), make(chan string, 1)
	if err := startOnOwnThread(cmd, t.Context().Done()); err != nil {
		t.Fatal(err)
	}
	go func() {
		var log strings.Builder
		address := ""
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				address = m[1]
			}
			if address != "" && strings.Contains(lines.Text(), ready) {
				select {
				case up <- "http://" + address:
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, stderr)
		all <- log.String()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if log := <-all; t.Failed() {
			t.Logf("the log of %s:\n%s", name, log)
		}
		_ = cmd.Wait()
	})
	select {
	case url := <-up:
		return url
	case log := <-all:
		all <- log
		t.Fatalf("%s ended at once:\n%s", name, log)
	case <-time.After(startup):
		t.Fatalf("%s does not answer after %s", name, startup)
	}
	return ""
}

// startOnOwnThread starts the process from a thread that lives until the test ends:
// the parent's death signal is sent at the end of the thread that started the
// process.
func startOnOwnThread(cmd *exec.Cmd, until <-chan struct{}) error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // else the thread ends, and with it the processes that it started before
		failed <- cmd.Start()
		<-until
	}()
	return <-failed
}
