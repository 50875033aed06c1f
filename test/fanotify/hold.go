// Package fanotify holds the exec of a file or the opens of a directory's files, like
// an on-access scanner or a disk that does not respond, so that tests can show the
// effect on nodewatch.
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

// A Hold holds execs of one file, or opens of files in one directory. If the test is killed, the kernel lets all of
// them continue, because the mark ends with the process.
type Hold struct {
	group int
	by    string   // argument of the processes whose events are held; empty: of all processes
	pass  int      // number of their events that still pass
	end   *os.File // closed to end the goroutine
	ended chan struct{}
	held  chan int
	once  sync.Once
}

// Exec holds every exec of the file. Only that file is marked: it must belong to the
// test. Exec skips the test if the kernel or the user's rights do not allow this.
func Exec(t testing.TB, file string) *Hold {
	t.Helper()
	return newHold(t, file, unix.FAN_OPEN_EXEC_PERM, "", 0)
}

// ExecBy holds the execs of the file by processes with an argument, except for the first
// pass of them. A process that was just forked has the arguments of its parent.
func ExecBy(t testing.TB, file, by string, pass int) *Hold {
	t.Helper()
	return newHold(t, file, unix.FAN_OPEN_EXEC_PERM, by, pass)
}

// Opens holds every open of a file in the directory by other processes until the Hold
// is released. The directory must belong to the test.
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

// Held returns a channel that receives the process id of each held exec or open.
func (h *Hold) Held() <-chan int { return h.held }

// Release lets all of them continue, and stops holding.
func (h *Hold) Release() {
	h.once.Do(func() {
		_ = h.end.Close()
		<-h.ended
		_ = unix.Close(h.group)
	})
}

// events waits for events; false: the Hold has ended.
func (h *Hold) events(wake int) bool {
	for {
		list := []unix.PollFd{{Fd: int32(h.group), Events: unix.POLLIN}, {Fd: int32(wake)}}
		if _, err := unix.Poll(list, -1); errors.Is(err, unix.EINTR) {
			continue
		}
		return list[1].Revents == 0
	}
}

// answer responds to the pending events.
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
			default: // more events than the test receives
			}
		}
		_ = unix.Close(int(e.Fd)) // the response names it; a held one needs no close
	}
}

// passes reports whether an event of the process passes.
func (h *Hold) passes(pid int) bool {
	if pid == os.Getpid() {
		return true
	}
	if h.by != "" {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // a process that has just ended need not be held
		if !slices.Contains(strings.Split(string(raw), "\x00"), h.by) {
			return true
		}
	}
	h.pass--
	return h.pass >= 0
}
