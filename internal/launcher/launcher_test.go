package launcher

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/fanotify"
)

// patience is much longer than any step of these tests takes.
const patience = time.Minute

// asDaemon makes the test binary a daemon that starts programs.
const asDaemon = "as-daemon"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case ServeCommand:
			os.Exit(Serve(os.Args[2:]))
		case HelperCommand:
			os.Exit(Become(os.Args[2:]))
		case "probe":
			_, _ = io.Copy(os.Stdout, os.Stdin)
			os.Exit(0)
		case asDaemon:
			os.Exit(daemon(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// daemon starts the programs /bin/sh -c ARG, the first one as an operator's program,
// prints their output, and keeps running.
func daemon(scripts []string) int {
	l := Spawn()
	l.late = patience
	var last *Child
	for i, script := range scripts {
		kind := Exec
		if i > 0 {
			kind = Ceph
		}
		child, err := Program{Client: l, Kind: kind, Name: fmt.Sprintf("%s%d", kind, i)}.Start(context.Background(),
			[]string{"/bin/sh", "-c", script}, nil)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		go func() {
			_, _ = io.Copy(os.Stdout, child.Out())
			<-child.Ended()
			fmt.Println("ended:", child.Explain(io.EOF), string(child.errs.kept))
		}()
		last = child
	}
	_, _ = io.Copy(last.In(), os.Stdin)
	return 0
}

// spawned returns a launcher whose timeout is long enough for a busy machine.
func spawned(t *testing.T) *Client {
	t.Helper()
	l := Spawn()
	l.late = patience
	t.Cleanup(func() {
		l.Close()
		until(t, "the launchers have ended", func() bool { return len(running(os.Getpid())) == 0 })
	})
	return l
}

func local(t *testing.T) *Client {
	t.Helper()
	l, err := Local()
	if err != nil {
		t.Fatal(err)
	}
	l.late = patience
	t.Cleanup(l.Close)
	return l
}

// within waits for a channel to be closed.
func within[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("not within %s: %s", patience, what)
	}
	return v
}

// until polls a condition until it is true.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for limit := time.After(patience); !so(); {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-limit:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// start starts /bin/cat, which is running once it echoes its input.
func start(t *testing.T, l *Client, k Kind, name string) *Child {
	t.Helper()
	child, err := Program{Client: l, Kind: k, Name: name}.Start(t.Context(), []string{"/bin/cat"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(child.Close)
	if _, err := child.In().WriteString("up\n"); err != nil {
		t.Fatal(err)
	}
	_ = child.Out().SetReadDeadline(time.Now().Add(patience))
	if line, err := bufio.NewReader(child.Out()).ReadString('\n'); line != "up\n" {
		t.Fatalf("%q, %v", line, child.Explain(err))
	}
	return child
}

func (c *Child) process() int {
	c.client.mu.Lock()
	defer c.client.mu.Unlock()
	return c.pid
}

// For each kind of program, the kernel's values match the table.
func TestWhatAProgramGets(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("without root there are no capabilities to give or to take")
	}
	const none, readSearch = "0000000000000000", "0000000000080004"
	for _, launcher := range []*Client{spawned(t), local(t)} {
		for kind, want := range map[Kind]struct {
			caps                        string
			tasks, files, fileSize, oom string
		}{
			Probe: {readSearch, "384", "256", "0", "500"},
			Ceph:  {none, "384", "1024", "0", "500"},
			Exec:  {none, "256", "256", "67108864", "800"},
		} {
			dir := fmt.Sprintf("/proc/%d/", start(t, launcher, kind, string(kind)).process())
			status, limits := read(t, dir+"status"), read(t, dir+"limits")
			for field, value := range map[string]string{
				"CapEff": want.caps, "CapPrm": want.caps, "CapAmb": want.caps, "CapBnd": want.caps, "NoNewPrivs": "1",
			} {
				if !strings.Contains(status, "\n"+field+":\t"+value+"\n") {
					t.Errorf("%s: want %s %s in\n%s", kind, field, value, status)
				}
			}
			for name, value := range map[string]string{
				"Max processes": want.tasks, "Max open files": want.files, "Max file size": want.fileSize, "Max core file size": "0",
			} {
				if !regexp.MustCompile(name + ` +` + value + ` +` + value + ` `).MatchString(limits) {
					t.Errorf("%s: want %s %s in\n%s", kind, name, value, limits)
				}
			}
			if got := strings.TrimSpace(read(t, dir+"oom_score_adj")); got != want.oom {
				t.Errorf("%s: oom_score_adj is %s, want %s", kind, got, want.oom)
			}
			own := strings.Fields(read(t, "/proc/self/stat"))[18] // make may have been started with more than 0
			if nice := strings.Fields(read(t, dir+"stat"))[18]; nice != "0" && nice != own {
				t.Errorf("%s: niceness %s", kind, nice)
			}
			env := strings.ReplaceAll(read(t, dir+"environ"), "\x00", "\n")
			if env != "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\nHOME=/\n" {
				t.Errorf("%s: environment\n%s", kind, env)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The launcher and its spare keep no capability that no program gets.
func TestWhatTheLauncherKeeps(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("without root there are no capabilities to take")
	}
	if cgo() {
		t.Skip("a build with cgo, as -race makes, cannot change the capabilities of all threads")
	}
	start(t, spawned(t), Exec, "cat")
	for _, pid := range launchers(t, os.Getpid()) {
		// The spare may still be starting, because nothing waits for it.
		wrong := keepsMore(pid)
		for limit := time.Now().Add(patience); wrong != "" && time.Now().Before(limit); wrong = keepsMore(pid) {
			time.Sleep(20 * time.Millisecond)
		}
		if wrong != "" {
			t.Error(wrong)
		}
	}
}

// keepsMore returns the status of a launcher thread whose capabilities are not exactly
// CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE and, for root, CAP_SETPCAP; empty if there is none.
func keepsMore(pid int) string {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if len(threads) == 0 {
		return fmt.Sprintf("launcher %d has ended", pid)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrNotExist) {
			continue // the thread has ended
		}
		if err != nil || !strings.Contains(string(status), "\nCapPrm:\t0000000000080104\n") ||
			!strings.Contains(string(status), "\nCapAmb:\t0000000000000000\n") {
			return fmt.Sprintf("%s %v\n%s", thread, err, status)
		}
	}
	return ""
}

// cgo reports whether the test was built with cgo, as -race does.
func cgo() bool {
	_, _, errno := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0)
	return errno == syscall.ENOTSUP
}

// launchers returns the launcher and the spare below a process.
func launchers(t *testing.T, pid int) (list []int) {
	t.Helper()
	until(t, "a launcher and a spare", func() bool {
		list = running(pid)
		return len(list) == 2
	})
	return list
}

// running returns the launchers below a process that have not ended, the spare last.
func running(pid int) (list []int) {
	for _, p := range below(pid) {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p)) // the process may end in the meantime
		if words := strings.Split(string(raw), "\x00"); len(words) > 1 && words[1] == ServeCommand && alive(p) {
			list = append(list, p)
		}
	}
	return list
}

// below returns all descendants of a process, parents first.
func below(pid int) (list []int) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, thread := range threads {
		raw, _ := os.ReadFile(thread)
		for _, word := range strings.Fields(string(raw)) {
			child, _ := strconv.Atoi(word)
			list = append(append(list, child), below(child)...)
		}
	}
	return list
}

// alive reports whether a process has not ended.
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))[0]
	return state != "Z" && state != "X"
}

func TestTheProbeIsThisBinary(t *testing.T) {
	child, err := Program{Client: spawned(t), Kind: Probe, Name: "probe"}.Start(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	_, _ = child.In().WriteString("hello\n")
	_ = child.Out().SetReadDeadline(time.Now().Add(patience))
	if line, err := bufio.NewReader(child.Out()).ReadString('\n'); line != "hello\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestRun(t *testing.T) {
	p := Program{Client: local(t), Kind: Exec, Name: "sh", Output: 5}
	run := func(script string) (string, string, error) {
		t.Helper()
		out, errs, err := p.Run(t.Context(), []string{"/bin/sh", "-c", script}, []string{"A=b"}, []byte("input"))
		return string(out), string(errs), err
	}
	if out, errs, err := run("cat; echo more than is kept; echo $A >&2"); out != "input" || errs != "b\n" || err != nil {
		t.Errorf("%q, %q, %v", out, errs, err)
	}
	_, _, err := run("exit 7")
	if exit, is := errors.AsType[*ExitError](err); !is || exit.ExitCode() != 7 || exit.Error() != "exit status 7" {
		t.Errorf("%v", err)
	}
	_, _, err = run("kill -9 $$")
	if exit, is := errors.AsType[*ExitError](err); !is || exit.ExitCode() != -1 || exit.Error() != "signal: killed" {
		t.Errorf("%v", err)
	}
	if _, _, err = p.Run(t.Context(), []string{"/nonexistent"}, nil, nil); !errors.Is(err, syscall.ENOENT) ||
		!strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("%v", err)
	}
	if _, _, err = p.Run(t.Context(), []string{"/bin/sh", strings.Repeat("x", maxMessage)}, nil, nil); !errors.Is(err, syscall.E2BIG) {
		t.Errorf("%v", err)
	}
	if s, err := p.Client.Check(t.Context()); err != nil || s != (State{}) {
		t.Errorf("%+v, %v: something is left", s, err)
	}
}

// A second child of the same name is refused while the first runs, and the total
// number is limited.
func TestChildrenAreBounded(t *testing.T) {
	l := local(t)
	for i := range maxChildren {
		start(t, l, Exec, fmt.Sprint("cat", i))
	}
	if _, err := (Program{Client: l, Kind: Exec, Name: "cat0"}).Start(t.Context(), []string{"/bin/cat"}, nil); !errors.Is(err, ErrBusy) {
		t.Errorf("a second cat0: %v", err)
	}
	_, _, err := Program{Client: l, Kind: Exec, Name: "another"}.Run(t.Context(), []string{"/bin/true"}, nil, nil)
	if !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("one more than %d: %v", maxChildren, err)
	}
}

// script makes a program only for this test, whose exec can be blocked.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// A hung exec blocks only its own program.
func TestAHeldExecBlocksNoOther(t *testing.T) {
	l := spawned(t)
	path := script(t, "echo done")
	hold := fanotify.Exec(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	held := Program{Client: l, Kind: Ceph, Name: "held", Output: 100}
	ended := make(chan error, 1)
	go func() {
		_, _, err := held.Run(ctx, []string{path}, nil, nil)
		ended <- err
	}()
	within(t, "the exec is held", hold.Held())
	for range 3 {
		out, _, err := Program{Client: l, Kind: Exec, Name: "echo", Output: 100}.Run(t.Context(), []string{"/bin/echo", "x"}, nil, nil)
		if err != nil || string(out) != "x\n" {
			t.Errorf("another: %q, %v", out, err)
		}
	}
	if s, err := l.Check(t.Context()); err != nil || s.Running != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	cancel()
	if err := within(t, "the run is given up", ended); !errors.Is(err, context.Canceled) ||
		!strings.Contains(err.Error(), "held: its exec has not returned since ") {
		t.Errorf("%v", err)
	}
	hold.Release()
	until(t, "it runs again", func() bool {
		out, _, err := held.Run(t.Context(), []string{path}, nil, nil)
		return err == nil && string(out) == "done\n"
	})
}

// When the launcher dies, its programs and their children die too; the spare takes
// over, once.
func TestALauncherThatDies(t *testing.T) {
	l := spawned(t)
	all := launchers(t, os.Getpid())
	up := filepath.Join(t.TempDir(), "up")
	if err := syscall.Mkfifo(up, 0o600); err != nil {
		t.Fatal(err)
	}
	child, err := Program{Client: l, Kind: Exec, Name: "sh"}.Start(t.Context(),
		[]string{"/bin/sh", "-c", "sleep 1000 & echo $! >" + up + "; wait"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	grandchild, err := strconv.Atoi(strings.TrimSpace(read(t, up)))
	if err != nil {
		t.Fatal(err)
	}
	kill(t, all[0])
	within(t, "the child counts as ended", child.Ended())
	if err := child.Explain(io.EOF); !errors.Is(err, ErrDead) {
		t.Errorf("%v", err)
	}
	until(t, "the child and what it started are gone", func() bool { return !alive(child.process()) && !alive(grandchild) })
	ready := func(in time.Duration) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ready = time.Now().Add(in)
	}
	ready(patience) // so that a busy machine does not miss the timeout
	if _, err := l.Check(t.Context()); err == nil || !errors.Is(err, ErrDead) {
		t.Errorf("at once: %v", err)
	}
	ready(0)
	var s State
	until(t, "the spare has taken over", func() bool { s, err = l.Check(t.Context()); return err == nil })
	if s != (State{Restarts: 1}) {
		t.Errorf("%+v", s)
	}
	start(t, l, Exec, "cat")
	kill(t, all[1])
	until(t, "no third is started", func() bool {
		_, err = l.Check(t.Context())
		return errors.Is(err, ErrDead) && strings.Contains(err.Error(), "restart nodewatch")
	})
	if _, err := (Program{Client: l, Kind: Exec, Name: "cat"}).Start(t.Context(), []string{"/bin/cat"}, nil); !errors.Is(err, ErrDead) {
		t.Errorf("%v", err)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// A hung launcher is reported, not replaced, and used again once it responds.
func TestALauncherThatHangs(t *testing.T) {
	l := spawned(t)
	l.late = answerWithin
	pid := launchers(t, os.Getpid())[0]
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	for range 2 {
		if _, err := l.Check(t.Context()); !errors.Is(err, ErrHung) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
	// Requests to a hung launcher are refused at once and not queued, because they would
	// all be executed later.
	for range 1000 {
		if _, err := (Program{Client: l, Kind: Exec, Name: "cat"}).Start(t.Context(), []string{"/bin/cat"}, nil); !errors.Is(err, ErrHung) {
			t.Fatalf("%v", err)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	l.late = patience
	var s State
	var err error
	until(t, "it is used again", func() bool { s, err = l.Check(t.Context()); return err == nil })
	if s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
	start(t, l, Exec, "cat")
}

// A program whose launcher hangs just after the request is not waited for.
func TestAStartWithoutAnAnswer(t *testing.T) {
	l := spawned(t)
	l.late = answerWithin
	pid := launchers(t, os.Getpid())[0]
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	ran := filepath.Join(t.TempDir(), "ran")
	p := Program{Client: l, Kind: Exec, Name: "touch"}
	if _, _, err := p.Run(t.Context(), []string{"/bin/sh", "-c", "sleep 1000; touch " + ran}, nil, nil); !errors.Is(err, ErrHung) {
		t.Errorf("%v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	until(t, "it is killed as soon as it was started", func() bool { s, err := l.Check(t.Context()); return err == nil && s == State{} })
}

// However the daemon ends, no process that it started outlives it.
func TestNothingOutlivesTheDaemon(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", asDaemon, "echo $$; exec sleep 1000", "sleep 1000 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 2 {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
	}
	launchers(t, cmd.Process.Pid)
	all := below(cmd.Process.Pid)
	if len(all) < 5 {
		t.Fatalf("only %v: want two launchers, two programs and a sleep", all)
	}
	kill(t, cmd.Process.Pid)
	_ = cmd.Wait()
	for _, pid := range all {
		until(t, fmt.Sprintf("%d has ended", pid), func() bool { return !alive(pid) })
	}
}

// A program that starts as many others as possible leaves enough tasks for the
// daemon's own programs.
func TestAForkBombLeavesProcesses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be a user of its own for whom the limit counts")
	}
	// A user without other processes, different in each run: ended processes count
	// until they are reaped, which is late if process 1 is not a real init.
	user := 1<<20 + os.Getpid()
	cmd := exec.Command("/proc/self/exe", asDaemon,
		"(for i in $(seq 300); do sleep 1000 & done) 2>/dev/null; echo full; read x", "read x; sleep 1000 & echo up; read x")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	cmd.Dir = "/"
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
		until(t, "all has ended", func() bool { return tasks(user) == 0 })
	}()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
	}()
	said := func(want string) {
		t.Helper()
		if got := within(t, want, lines); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	said("full")
	most := tasks(user)
	if _, err := in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	said("up") // the other program has started another process
	most = max(most, tasks(user))
	if limit := int(table()[Exec].tasks); most < limit/2 || most > limit+20 {
		t.Errorf("%d tasks; the limit is %d", most, limit)
	}
	t.Logf("%d tasks at most", most)
}

// tasks returns the number of tasks of a user, including threads.
func tasks(user int) (n int) {
	files, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, file := range files {
		raw, _ := os.ReadFile(file)
		text := string(raw)
		if strings.Contains(text, fmt.Sprintf("\nUid:\t%d\t", user)) && !strings.Contains(text, "\nState:\tZ") {
			if m := regexp.MustCompile(`\nThreads:\t(\d+)`).FindStringSubmatch(text); m != nil {
				threads, _ := strconv.Atoi(m[1])
				n += threads
			}
		}
	}
	return n
}
