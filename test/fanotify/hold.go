// Package fanotify holds the exec of a file or the opens of a directory's files, as an
// on-access scanner or a disk that does not answer does, so that tests can show what
// that does to nodewatch.
package fanotify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A Hold holds execs of one file, or opens of files in one directory. Should the test be killed, the kernel lets them
// all continue, as the mark ends with the process.
type Hold struct {
	group int
	end   *os.File // closed to end the goroutine
	ended chan struct{}
	held  chan int
	once  sync.Once
}

// Exec holds every exec of the file but the next few, which it lets pass. Only the
// file itself is marked: it must be the test's own. It skips the test where the
// kernel or the user's rights do not allow that.
func Exec(t testing.TB, file string, pass int) *Hold {
	t.Helper()
	return newHold(t, file, unix.FAN_OPEN_EXEC_PERM, pass)
}

// Opens holds every open of a file in the directory, but those of this process, until
// the Hold is released. The directory must be the test's own.
func Opens(t testing.TB, dir string) *Hold {
	t.Helper()
	return newHold(t, dir, unix.FAN_OPEN_PERM|unix.FAN_EVENT_ON_CHILD, 0)
}

func newHold(t testing.TB, path string, events uint64, pass int) *Hold {
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
	h := &Hold{group: group, end: end, ended: make(chan struct{}), held: make(chan int, 100)}
	go func() {
		defer close(h.ended)
		defer wake.Close()
		for h.events(int(wake.Fd())) {
			pass = h.answer(pass)
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

// answer lets as many execs pass as it is to, holds the others, and returns how
// many more are to pass.
func (h *Hold) answer(pass int) int {
	buf := make([]byte, 4096)
	n, err := unix.Read(h.group, buf)
	if err != nil {
		return pass
	}
	for in := bytes.NewReader(buf[:n]); in.Len() > 0; {
		var e unix.FanotifyEventMetadata
		if binary.Read(in, binary.NativeEndian, &e) != nil {
			return pass
		}
		_, _ = in.Seek(int64(e.Event_len)-int64(binary.Size(e)), 1)
		if own := int(e.Pid) == os.Getpid(); own || pass > 0 {
			if !own {
				pass--
			}
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
	return pass
}
