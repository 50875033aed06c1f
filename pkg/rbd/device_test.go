package rbd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// guestFakeLinks implements readlink from a table.
func guestFakeLinks(links map[string]string) func(string, []byte) (int, error) {
	return func(name string, buf []byte) (int, error) {
		target, ok := links[name]
		if !ok {
			return 0, unix.EINVAL
		}
		if !strings.HasPrefix(name, "/dev/") {
			return 0, errors.New(name + " is not ours to look at")
		}
		return copy(buf, target), nil
	}
}

func TestGuestNode(t *testing.T) {
	links := guestFakeLinks(map[string]string{
		"/dev/rbd/p/i":      "../../rbd0", // links as udev creates them
		"/dev/rbd/p/j":      "/dev/rbd1",
		"/dev/disk/by-id/x": "../../vg/lv",
		"/dev/vg/lv":        "../dm-3",
		"/dev/out":          "/mnt/nfs/disk",
		"/dev/up":           "../mnt/nfs/disk",
		"/dev/fd":           "/proc/self/fd",
		"/dev/loop":         "loop",
		"/dev/long":         strings.Repeat("x", 600),
		"/dev/dir":          "mapper",
	})
	for path, want := range map[string]string{
		"/dev/rbd7": "/dev/rbd7", "/dev/rbd/p/i": "/dev/rbd0", "/dev/rbd/p/j": "/dev/rbd1", "/dev/disk/by-id/x": "/dev/dm-3",
		"/dev/dir/a": "/dev/mapper/a", "/dev/../dev/rbd7": "/dev/rbd7", "/dev/mapper/../rbd7": "/dev/rbd7",
		"/dev/out": "", "/dev/up": "", "/dev/fd/3": "", "/dev/loop": "", "/dev/out/../rbd7": "/dev/rbd7",
		"/dev": "", "/dev/": "", "/mnt/nfs": "", "/dev/../mnt/nfs": "", "rbd0": "", "": "",
		"/dev/long": "/dev/long", "/dev/" + strings.Repeat("a/", 4000): "",
	} {
		if got, ok := guestNode(path, links); got != want || ok != (want != "") {
			t.Errorf("%.60s: got %q, %v, want %q", path, got, ok, want)
		}
	}
}

// The devices of this machine.
func TestDeviceNumber(t *testing.T) {
	if _, _, ok := DeviceNumber("/dev/null"); ok {
		t.Error("a character device has a number of its own kind only")
	}
	if _, _, ok := DeviceNumber("/dev/none"); ok {
		t.Error("a device that is not there")
	}
	entries, err := filepath.Glob("/sys/block/*/dev")
	if err != nil || len(entries) == 0 {
		t.Skip("no block devices here:", err)
	}
	tried := 0
	for _, e := range entries {
		name := filepath.Base(filepath.Dir(e))
		data, err := os.ReadFile(e)
		if _, errDev := os.Lstat("/dev/" + name); err != nil || errDev != nil {
			continue
		}
		tried++
		major, minor, ok := DeviceNumber("/dev/" + name)
		wantMajor, wantMinor, _ := hostfs.ParseDev(strings.TrimSpace(string(data)))
		if !ok || major != wantMajor || minor != wantMinor {
			t.Errorf("%s: got %d:%d, %v, want %s", name, major, minor, ok, data)
		}
	}
	if tried == 0 {
		t.Skip("none of the block devices has a node in /dev")
	}
}
