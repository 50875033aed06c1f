package hostfs

import (
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
	_ fs.ReadFileFS = FS("")
	_ fs.ReadDirFS  = FS("")
	_ fs.StatFS     = FS("")
	_ fs.ReadLinkFS = FS("")
)

// smallTree returns a /sys with a device and a link to it, on a real directory.
func smallTree(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "devices/7"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "devices/7/size"), []byte("4 5\n"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("devices/7", filepath.Join(root, "device")); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestFS(t *testing.T) {
	sys := FS(smallTree(t))
	if err := fstest.TestFS(sys, "devices/7/size"); err != nil {
		t.Error(err)
	}
	if link, err := fs.ReadLink(sys, "device"); link != "devices/7" || err != nil {
		t.Errorf("got %q, %v", link, err)
	}
	if b, err := fs.ReadFile(sys, "device/size"); string(b) != "4 5\n" || err != nil {
		t.Errorf("got %q, %v through a link", b, err)
	}
}

func TestFSErrors(t *testing.T) {
	root := smallTree(t)
	sys := FS(root)
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

// A file in Go's poller waits indefinitely for a driver that returns EAGAIN. A file
// opened by an FS is not in the poller: it does not support deadlines.
func TestOpenIsOutsideThePoller(t *testing.T) {
	f, err := FS("/sys").Open("kernel/uevent_seqnum")
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
