// Package fanotify holds the exec of a file or the opens of a directory's files, as an
// on-access scanner or a disk that does not answer does, so that tests can show what
// that does to nodewatch.
package fanotify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A Hold holds execs of one file, or opens of files in one directory. Should the test be killed, the kernel lets them
// all continue, as the mark ends with the process.
type Hold struct {
	group int
	by    string   // an argument of the processes whose events are held; empty: of all
	pass  int      // how many of their events are still to pass
	end   *os.File // closed to end the goroutine
	ended chan struct{}
	held  chan int
	once  sync.Once
}

// Exec holds every exec of the file. Only the file itself is marked: it must be the
// test's own. It skips the test where the kernel or the user's rights do not allow that.
func Exec(t testing.TB, file string) *Hold {
	t.Helper()
	return newHold(t, file, unix.FAN_OPEN_EXEC_PERM, "", 0)
}

// ExecBy holds the execs of the file by processes with this argument, until then, but the
// first few of them. A process that was just forked has the arguments of its parent.
func ExecBy(t testing.TB, file, by string, pass int) *Hold {
	t.Helper()
	return newHold(t, file, unix.FAN_OPEN_EXEC_PERM, by, pass)
}

// Opens holds every open of a file in the directory, but those of this process, until
// the Hold is released. The directory must be the test's own.
func Opens(t testing.TB, dir string) *Hold {
	t.Helper()
	return newHold(t, dir, unix.FAN_OPEN_PERM|unix.FAN_EVENT_ON_CHILD, "", 0)
}

func newHold(t testing.TB, path string, events uint64, by string, pass int) *Hold {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("holding an exec or an open needs root: fanotify's permission events")
	}
	group, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		t.Skipf("fanotify_init: %v: this kernel or container has no fanotify", err)
	}
	if err != nil {
		t.Fatalf("fanotify_init: %v", err)
	}
	if err := unix.FanotifyMark(group, unix.FAN_MARK_ADD, events, unix.AT_FDCWD, path); err != nil {
		_ = unix.Close(group)
		if errors.Is(err, unix.EINVAL) {
			t.Skip("this kernel has no permission events (CONFIG_FANOTIFY_ACCESS_PERMISSIONS)")
		}
		t.Fatalf("fanotify_mark %s: %v", path, err)
	}
	wake, end, err := os.Pipe()
	if err != nil {
		_ = unix.Close(group)
		t.Fatal(err)
	}
	h := &Hold{group: group, by: by, pass: pass, end: end, ended: make(chan struct{}), held: make(chan int, 100)}
	go func() {
		defer close(h.ended)
		defer wake.Close()
		for h.events(int(wake.Fd())) {
			h.answer()
		}
	}()
	t.Cleanup(h.Release)
	return h
}

// Held receives the process id of each exec or open that is held.
func (h *Hold) Held() <-chan int { return h.held }

// Release lets all of them continue, and holds no more.
func (h *Hold) Release() {
	h.once.Do(func() {
		_ = h.end.Close()
		<-h.ended
		_ = unix.Close(h.group)
	})
}

// events waits for events, and reports whether there are any before the end.
func (h *Hold) events(wake int) bool {
	for {
		list := []unix.PollFd{{Fd: int32(h.group), Events: unix.POLLIN}, {Fd: int32(wake)}}
		if _, err := unix.Poll(list, -1); errors.Is(err, unix.EINTR) {
			continue
		}
		return list[1].Revents == 0
	}
}

// answer answers the events that there are.
func (h *Hold) answer() {
	buf := make([]byte, 4096)
	n, err := unix.Read(h.group, buf)
	if err != nil {
		return
	}
	for in := bytes.NewReader(buf[:n]); in.Len() > 0; {
		var e unix.FanotifyEventMetadata
		if binary.Read(in, binary.NativeEndian, &e) != nil {
			return
		}
		_, _ = in.Seek(int64(e.Event_len)-int64(binary.Size(e)), 1)
		if h.passes(int(e.Pid)) {
			var out bytes.Buffer
			_ = binary.Write(&out, binary.NativeEndian, unix.FanotifyResponse{Fd: e.Fd, Response: unix.FAN_ALLOW})
			_, _ = unix.Write(h.group, out.Bytes())
		} else {
			select {
			case h.held <- int(e.Pid):
			default: // more than anybody asks for
			}
		}
		_ = unix.Close(int(e.Fd)) // the answer names it; one that is held needs none
	}
}

// passes reports whether what the process does is let through.
func (h *Hold) passes(pid int) bool {
	if pid == os.Getpid() {
		return true
	}
	if h.by != "" {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // one that has just ended is held for nothing
		if !slices.Contains(strings.Split(string(raw), "\x00"), h.by) {
			return true
		}
	}
	h.pass--
	return h.pass >= 0
}
