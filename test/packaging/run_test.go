package packaging

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is the time limit for anything on a busy machine.
const patience = 2 * time.Minute

// eventually requests url until the response matches.
func eventually(t *testing.T, url, match string) {
	t.Helper()
	want, deadline, last := regexp.MustCompile(match), time.Now().Add(patience), ""
	client := http.Client{Timeout: 10 * time.Second}
	for time.Now().Before(deadline) {
		answer, err := client.Get(url)
		if err == nil {
			body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20)) // an error shows in the text
			_ = answer.Body.Close()
			if last = string(body); want.Match(body) {
				return
			}
		} else {
			last = err.Error()
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s never answered %q; last:\n%s", url, match, last)
}

// free returns a free address on loopback.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// checkout returns a directory that all users can read, with the programs and
// tools/run.
func checkout(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nodewatch-run")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	run(t, root, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o",
		filepath.Join(dir, "bin")+"/", "./cmd/nodewatch", "./cmd/nodewatch-status")
	run(t, root, nil, "sh", "-c", `mkdir "$1/tools" && cp tools/run "$1/tools/" && chmod -R a+rX "$1"`, "sh", dir)
	return dir
}

// signIn signs in as printed by make run, with a password that no other user can
// read.
func signIn(t *testing.T, login, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	password, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := c.PostForm(login, url.Values{"name": {"admin"}, "password": {strings.TrimSpace(string(password))}})
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close() // only the response is needed
	if a.StatusCode != http.StatusSeeOther {
		t.Errorf("signing in: %s", a.Status)
	}
}

// make run shows this node on both pages; Ctrl-C ends both programs, and so does the end
// of one of them.
func TestRun(t *testing.T) {
	for _, program := range []string{"bash", "hostname"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	dir := checkout(t)
	// A test in the background of a script ignores SIGINT, and its children would
	// inherit this.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	defer signal.Stop(interrupts)
	users := map[string]*syscall.Credential{"this user": nil}
	if os.Getuid() == 0 {
		users["another user"] = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	for name, user := range users {
		t.Run(name, func(t *testing.T) {
			state, err := os.MkdirTemp("", "nodewatch-run-state")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(state) })
			if user != nil {
				if err := os.Chown(state, int(user.Uid), int(user.Gid)); err != nil {
					t.Fatal(err)
				}
			}
			node, public, operators := free(t), free(t), free(t)
			start := func() *exec.Cmd {
				cmd := exec.Command(filepath.Join(dir, "tools/run"), filepath.Join(dir, "bin"))
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "STATE="+state, "HOME="+state, "NODE="+node, "PUBLIC="+public, "OPERATORS="+operators,
					"INTAKE="+free(t))
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: user}
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					_ = cmd.Process.Signal(syscall.SIGTERM) // at the end of the test the process has already ended
					_ = cmd.Wait()
				})
				said := ""
				for lines := bufio.NewScanner(out); !(strings.Contains(said, "http://"+node) && strings.Contains(said, "http://"+public) &&
					strings.Contains(said, "http://"+operators)); {
					if !lines.Scan() {
						t.Fatalf("it does not print the addresses: %s", said)
					}
					said += lines.Text() + "\n"
				}
				go func() { _, _ = io.Copy(io.Discard, out) }()
				return cmd
			}
			// gone waits until it has ended and its addresses are free.
			gone := func(cmd *exec.Cmd) error {
				t.Helper()
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				var err error
				select {
				case err = <-ended:
				case <-time.After(patience):
					t.Fatal("it does not end")
				}
				for _, address := range []string{node, public, operators} {
					if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
						_ = c.Close()
						t.Errorf("%s is still served", address)
					}
				}
				return err
			}
			host, err := os.Hostname()
			if err != nil {
				t.Fatal(err)
			}
			cmd := start()
			eventually(t, "http://"+node+"/", "nodewatch")
			eventually(t, "http://"+operators+"/metrics", `nodewatch_status_nodes\{presence="reporting"\} 1\n`)
			eventually(t, "http://"+public+"/", "(?i)"+regexp.QuoteMeta(host))
			signIn(t, "http://"+operators+"/login", filepath.Join(state, "password"))
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil { // like a terminal
				t.Fatal(err)
			}
			if err := gone(cmd); err != nil {
				t.Errorf("after Ctrl-C: %v", err)
			}

			if user != nil {
				return // the end of one of the programs is the same for each user
			}
			cmd = start() // starts with the previous state
			eventually(t, "http://"+operators+"/metrics", `nodewatch_status_reports_total [1-9]`)
			signIn(t, "http://"+operators+"/login", filepath.Join(state, "password"))
			eventually(t, "http://"+node+"/-/ready", "")
			pid, err := daemonOf(state)
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			var failed *exec.ExitError
			if err := gone(cmd); !errors.As(err, &failed) || failed.ExitCode() != 1 {
				t.Errorf("after the daemon was killed: %v", err)
			}
		})
	}
}

// daemonOf returns the process in daemon.json of the state directory.
func daemonOf(state string) (pid int, err error) {
	raw, err := os.ReadFile(filepath.Join(state, "runtime", "daemon.json"))
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(regexp.MustCompile(`"pid":\s*\d+`).FindString(string(raw)), `"pid":%d`, &pid)
	return pid, err
}

// Slow commands are reported while they run, and the exit code is that of the command.
func TestProgress(t *testing.T) {
	said := filepath.Join(t.TempDir(), "said")
	cmd := exec.Command("sh", "-c",
		`exec "$1/tools/progress" building sh -c 'until grep -q "^building: 2 s$" "$0"; do sleep 0.1; done; exit 3' "$2" 2>"$2"`,
		"sh", root, said)
	var failed *exec.ExitError
	if out, err := cmd.CombinedOutput(); !errors.As(err, &failed) || failed.ExitCode() != 3 || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
