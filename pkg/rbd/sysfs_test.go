package rbd

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var (
	_ fs.ReadFileFS = sysFS("")
	_ fs.ReadDirFS  = sysFS("")
	_ fs.StatFS     = sysFS("")
	_ fs.ReadLinkFS = sysFS("")
)

func TestSysFS(t *testing.T) {
	_, sys := krbdOnDisk(t, krbdOneWithBlock())
	if err := fstest.TestFS(sys, krbdDevices+"/7", "devices/rbd/7/size", "block/rbd7"); err != nil {
		t.Error(err)
	}
	if link, err := fs.ReadLink(sys, "block/rbd7"); link != "../devices/rbd/7/block/rbd7" || err != nil {
		t.Errorf("got %q, %v", link, err)
	}
	if b, err := fs.ReadFile(sys, "block/rbd7/inflight"); string(b) != "4 5\n" || err != nil {
		t.Errorf("got %q, %v through a link", b, err)
	}
}

func TestSysFSErrors(t *testing.T) {
	root, sys := krbdOnDisk(t, krbdOne(nil))
	if _, err := fs.ReadFile(sys, "devices/none"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), root) {
		t.Errorf("got %v, want that %s/devices/none does not exist", err, root)
	}
	if _, err := fs.ReadFile(sys, "devices"); err == nil {
		t.Error("a directory was read as a file")
	}
	for _, name := range []string{"../etc", "/etc", "a//b", ""} {
		_, err1 := sys.Open(name)
		_, err2 := fs.ReadFile(sys, name)
		_, err3 := fs.ReadDir(sys, name)
		_, err4 := fs.Stat(sys, name)
		_, err5 := fs.ReadLink(sys, name)
		_, err6 := fs.Lstat(sys, name)
		for i, err := range []error{err1, err2, err3, err4, err5, err6} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%q: got error %v from the call %d, want that the name is invalid", name, err, i)
			}
		}
	}
}

func TestAttributesAreBounded(t *testing.T) {
	root := t.TempDir()
	sys := SysFS(root)
	buf := make([]byte, 100)
	for _, size := range []int{0, 1, 99, 100, 4095, 4096, sysfsMax - 1, sysfsMax, sysfsMax + 1} {
		want := bytes.Repeat([]byte("x"), size)
		if err := os.WriteFile(filepath.Join(root, "a"), want, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := fs.ReadFile(sys, "a")
		if ok := size < sysfsMax; ok != (err == nil) || ok && !bytes.Equal(b, want) {
			t.Errorf("%d bytes: got %d, %v from ReadFile", size, len(b), err)
		}
		for _, sys := range []fs.FS{sys, fstest.MapFS{"a": {Data: want}}} {
			b, err = sysfsRead(sys, "a", buf)
			if ok := size < len(buf); ok != (err == nil) || ok && !bytes.Equal(b, want) || !ok && !errors.Is(err, errSysfsLong) {
				t.Errorf("%d bytes: got %d, %v with a buffer of %d of %T", size, len(b), err, len(buf), sys)
			}
		}
	}
}

// A file in Go's poller waits indefinitely for a driver that says EAGAIN. What a SysFS
// opens is not in it, which shows in that it takes no deadline.
func TestOpenIsOutsideThePoller(t *testing.T) {
	f, err := SysFS("/sys").Open("kernel/uevent_seqnum")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this machine has no /sys: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.(*os.File).SetReadDeadline(time.Time{}); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("got %v in setting a deadline, want %v", err, os.ErrNoDeadline)
	}
}

// The /sys of this machine is read as any other.
func TestThisMachine(t *testing.T) {
	if _, err := os.Stat("/sys/block"); err != nil {
		t.Skip("this machine has no /sys: ", err)
	}
	sys := SysFS("/sys")
	if _, err := ReadMapped(sys); err != nil {
		t.Error(err)
	}
	if _, err := ReadIO(sys); err != nil {
		t.Error(err)
	}
	if _, err := ReadNBD(sys); err != nil {
		t.Error(err)
	}
}
