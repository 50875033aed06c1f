package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodewatch/nodewatch/internal/watch"
	"github.com/nodewatch/nodewatch/pkg/report"
	"github.com/nodewatch/nodewatch/pkg/statefile"
)

// held locks a directory like another process.
func held(t *testing.T, dir string, h statefile.Holder) *statefile.Lock {
	t.Helper()
	l, err := statefile.Acquire(dir, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestASecondDaemonReportsToNobody(t *testing.T) {
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(first.Close)
	dir := t.TempDir()
	held(t, dir, statefile.Holder{PID: os.Getpid(), Addresses: []string{first.URL}})
	c := claimState(t.Context(), dir, statefile.Holder{PID: os.Getpid()})
	if !c.silent || c.dir != "" || c.problem == nil || !strings.Contains(c.problem.Error(), "this one does not report") {
		t.Errorf("got %+v", c)
	}
}

// A holder that has ended, or that does not respond at its address, is replaced. Its
// files are copied, not shared, and the next daemon that gets the lock adopts them.
func TestAHolderThatIsDeadIsReplaced(t *testing.T) {
	ended := exec.Command("sleep", "600") // a zombie, because it is not reaped before the end
	if err := func() error {
		if err := ended.Start(); err != nil {
			return err
		}
		return ended.Process.Kill()
	}(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ended.Wait() })
	dir := t.TempDir()
	hub, err := statefile.In(dir, "hub")
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Save([]string{"waiting"}); err != nil {
		t.Fatal(err)
	}
	old := held(t, dir, statefile.Holder{PID: ended.Process.Pid, Addresses: []string{"http://127.0.0.1:1/"}})
	c := claimState(t.Context(), dir, statefile.Holder{PID: os.Getpid()})
	if c.silent || c.dir != filepath.Join(dir, takeover) || c.lock == nil || c.problem == nil ||
		!strings.Contains(c.problem.Error(), "in its place") {
		t.Fatalf("got %+v", c)
	}
	own, err := statefile.In(c.dir, "hub")
	if err != nil {
		t.Fatal(err)
	}
	var waits []string
	if err := own.Load(&waits); err != nil || len(waits) != 1 {
		t.Errorf("its own queue holds %q, %v", waits, err)
	}
	if err := own.Save([]string{"waiting", "more"}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(old.Close(), c.lock.Close()); err != nil {
		t.Fatal(err)
	}
	next := claimState(t.Context(), dir, statefile.Holder{PID: os.Getpid()})
	if next.dir != dir || next.problem != nil {
		t.Fatalf("got %+v", next)
	}
	t.Cleanup(func() { _ = next.lock.Close() })
	if err := hub.Load(&waits); err != nil || len(waits) != 2 {
		t.Errorf("the adopted queue holds %q, %v", waits, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, takeover)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", takeover, err)
	}
}

// Daemons that hang in succession take over from each other, within bounds; the files
// of the last are adopted, and files still in use are not touched.
func TestWhoHasTakenOverMayHangToo(t *testing.T) {
	t.Parallel() // the test mostly waits
	ended := exec.Command("sleep", "600")
	if err := errors.Join(ended.Start(), ended.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ended.Wait() })
	dead := statefile.Holder{PID: ended.Process.Pid}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "reporter-hub.json"), "0")
	locks := []*statefile.Lock{held(t, dir, dead)}
	at := dir
	for n := range maxTakeovers {
		c := claimState(t.Context(), dir, dead)
		if at = filepath.Join(at, takeover); c.dir != at || c.lock == nil || c.silent {
			t.Fatalf("daemon %d: %+v", n+2, c)
		}
		put(t, filepath.Join(at, "reporter-hub.json"), strconv.Itoa(n+1))
		locks = append(locks, c.lock)
	}
	if c := claimState(t.Context(), dir, dead); c.dir != "" || c.silent || c.problem == nil ||
		!strings.Contains(c.problem.Error(), "saves no state") {
		t.Errorf("one more: %+v", c)
	}

	// The first has ended, and the last works: the next one does not report.
	works := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(works.Close)
	if err := errors.Join(locks[0].Close(), locks[maxTakeovers].Note(statefile.Holder{PID: os.Getpid(),
		Addresses: []string{works.URL}})); err != nil {
		t.Fatal(err)
	}
	if c := claimState(t.Context(), dir, dead); !c.silent || !strings.Contains(c.problem.Error(), "this one does not report") {
		t.Errorf("beside one that works: %+v", c)
	}

	// All but the last have ended: the files that it uses stay.
	for _, l := range locks[1:maxTakeovers] {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := adopt(dir); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(filepath.Join(at, "reporter-hub.json")); err != nil || string(raw) != strconv.Itoa(maxTakeovers) {
		t.Errorf("%q, %v", raw, err)
	}

	// All have ended: the files of the last are adopted.
	if err := locks[maxTakeovers].Close(); err != nil {
		t.Fatal(err)
	}
	c := claimState(t.Context(), dir, dead)
	if c.dir != dir || c.problem != nil {
		t.Fatalf("%+v", c)
	}
	t.Cleanup(func() { _ = c.lock.Close() })
	if raw, err := os.ReadFile(filepath.Join(dir, "reporter-hub.json")); err != nil || string(raw) != strconv.Itoa(maxTakeovers) {
		t.Errorf("%q, %v", raw, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, takeover)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", takeover, err)
	}
}

func TestDying(t *testing.T) {
	if dying(os.Getpid()) {
		t.Error("this process is said to be dying")
	}
	sleeps := exec.Command("sleep", "600")
	if err := sleeps.Start(); err != nil {
		t.Fatal(err)
	}
	if err := sleeps.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for late := time.After(patience); !dying(sleeps.Process.Pid); { // a zombie, because it is not reaped
		select {
		case <-late:
			t.Fatal("a process that was killed is not said to be dying")
		case <-time.After(time.Millisecond):
		}
	}
	_ = sleeps.Wait()
	if dying(sleeps.Process.Pid) {
		t.Error("a process that is not there is said to be dying: it would have released its lock")
	}
}

func TestNoLockIsAProblemButReportersStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/null", filepath.Join(dir, "daemon.lock")); err != nil {
		t.Fatal(err)
	}
	if c := claimState(t.Context(), dir, statefile.Holder{}); c.silent || c.dir != dir || c.problem == nil {
		t.Errorf("got %+v", c)
	}
	if c := claimState(t.Context(), filepath.Join(dir, "none"), statefile.Holder{}); c.silent || c.dir != "" ||
		!errors.Is(c.problem, errNoStateDirectory) {
		t.Errorf("got %+v", c)
	}
}

// A state directory on a disk that hangs delays the reporters by stateDeadline, but
// neither the source that reports its state nor the loop that passes on Reports.
func TestAStateDirectoryThatHangsDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		release := make(chan struct{})
		made := 0
		o, err := newOutbox("node2", t.TempDir(), true, func(dir string) ([]watch.Delivery, error) {
			if dir != "" {
				<-release // reading the reporters' state
			}
			made++
			return nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		go o.start(ctx)
		o.take(report.Report{})
		if _, err := o.state(ctx); !errors.Is(err, watch.ErrHeld) {
			t.Errorf("at first: %v", err)
		}
		time.Sleep(stateDeadline)
		synctest.Wait()
		if _, err := o.state(ctx); err == nil || !strings.Contains(err.Error(), "does not respond") {
			t.Errorf("after %s: %v", stateDeadline, err)
		}
		if o.posting() == nil || made != 2 {
			t.Errorf("reporters have not started: made %d times", made)
		}
		if _, kept := o.judgeFile(); kept {
			t.Error("the judge keeps its state on the disk that hangs")
		}
		close(release) // the disk works again
		synctest.Wait()
		o.mu.Lock()
		lock := o.claimed.lock
		o.mu.Unlock()
		if lock == nil {
			t.Error("the lock that came late is not kept")
		}
		o.close(time.Second)
	})
}
