package krbd

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// A vanishing removes one device: from the n-th access to any of its files on, they
// do not exist, or open ones cannot be read.
type vanishing struct {
	fstest.MapFS
	device string // its names
	left   *int
	read   bool // fail on read, not on open
}

func (v vanishing) gone(name string) bool {
	for _, word := range strings.Split(name, "/") {
		if word == v.device || word == "rbd"+v.device {
			*v.left--
			return *v.left < 0
		}
	}
	return false
}

func (v vanishing) Open(name string) (fs.File, error) {
	gone := v.gone(name)
	if gone && !v.read {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := v.MapFS.Open(name)
	if gone && err == nil {
		return removed{f}, nil
	}
	return f, err
}

func (v vanishing) ReadDir(name string) ([]fs.DirEntry, error) {
	if v.gone(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return v.MapFS.ReadDir(name)
}

func (v vanishing) Stat(name string) (fs.FileInfo, error) {
	if v.gone(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return v.MapFS.Stat(name)
}

// A removed is an open attribute of a device that was removed.
type removed struct{ fs.File }

func (removed) Read([]byte) (int, error) { return 0, syscall.ENODEV }

// two returns a host with the devices 7 and 8.
func two() fstest.MapFS {
	sys := oneWithBlock()
	for name, f := range maps.Clone(sys) {
		if strings.HasPrefix(name, "devices/rbd/7") || strings.HasPrefix(name, devicesDir) || name == "block/rbd7" {
			other := *f
			other.Data = []byte(strings.NewReplacer("rbd7", "rbd8", "rbd/7", "rbd/8").Replace(string(f.Data)))
			sys[strings.NewReplacer("rbd7", "rbd8", "rbd/7", "rbd/8", "devices/7", "devices/8").Replace(name)] = &other
		}
	}
	return sys
}

// A device that is removed at any moment of the reading is reported in full or not at
// all, and other devices are not affected.
func TestDeviceGoesAway(t *testing.T) {
	all := readAll(t, two())
	if len(all.Mapped) != 2 || len(all.IO) != 2 {
		t.Fatalf("got %+v, want two devices", all)
	}
	moments := 0
	for _, read := range []bool{false, true} {
		for after := 0; ; after++ {
			left := after
			sys := vanishing{two(), "8", &left, read}
			mapped, err1 := readMapped(sys)
			io, err2 := readIO(sys)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatalf("after %d looks (in reading: %t): %v", after, read, err)
			}
			want := readings{Mapped: all.Mapped[:len(mapped)], IO: all.IO[:len(io)]}
			if diff := cmp.Diff(want, readings{Mapped: mapped, IO: io}); diff != "" || len(mapped) == 0 || len(io) == 0 {
				t.Fatalf("after %d looks (in reading: %t): %d devices, %d counters (-want +got):\n%s", after, read, len(mapped),
					len(io), diff)
			}
			if left >= 0 { // it existed all the time
				break
			}
			moments++
		}
	}
	if moments < 40 {
		t.Errorf("only %d moments: the device is not looked at as often as that", moments)
	}
}

// A device's block device may appear a little later.
func TestNoBlockDeviceYet(t *testing.T) {
	sys := two()
	delete(sys, "block/rbd8")
	saw := readAll(t, sys)
	if len(saw.Mapped) != 2 || len(saw.IO) != 1 {
		t.Fatalf("got %d devices and %d counters, want 2 and 1", len(saw.Mapped), len(saw.IO))
	}
	if m := saw.Mapped[1]; m.Holders != nil || m.ReadOnly || m.Partly != "" {
		t.Errorf("got %+v, want nothing of a block device", m)
	}
}

// Denied access is an error, never an empty list.
func TestDenied(t *testing.T) {
	read := map[string]func(fs.FS) error{
		"ReadMapped":  func(sys fs.FS) error { _, err := readMapped(sys); return err },
		"ReadIO":      func(sys fs.FS) error { _, err := readIO(sys); return err },
		"ReadPending": func(sys fs.FS) error { _, err := ReadPending(sys); return err },
		"ReadServed":  func(sys fs.FS) error { _, err := qemu.ReadServed(sys); return err },
	}
	tests := []struct{ name, path string }{
		{"ReadMapped", devicesDir}, {"ReadMapped", "/pool"}, {"ReadMapped", "/pool_ns"}, {"ReadMapped", "/client_id"},
		{"ReadIO", devicesDir}, {"ReadIO", "/stat"}, {"ReadIO", "/inflight"},
		{"ReadPending", debugfs}, {"ReadPending", "/osdc"},
		{"ReadServed", "block"}, {"ReadServed", "/pid"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.path, func(t *testing.T) {
			sys := two()
			sys["block/nbd0/pid"] = &fstest.MapFile{Data: []byte("12\n")}
			addFile(sys, debugfs+"/"+testFSID+".client4123/osdc", "REQUESTS 0 homeless 0\n", false)
			err := read[tt.name](brokenFS{sys, map[string]error{tt.path: syscall.EACCES}})
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("got error %v, want one of permission", err)
			}
			if !strings.HasPrefix(fmt.Sprint(err), "rbd: ") {
				t.Errorf("got error %v, want one that names the package", err)
			}
		})
	}
}

// Denied access to parts of the block device is reported, and the device stays.
func TestBlockDeviceDenied(t *testing.T) {
	for want, denied := range map[string][]string{
		"unreadable: ro, holders": {"/ro", "/holders"}, "unreadable: holders": {"/uuid"}, "unreadable: ro": {"/ro"},
	} {
		errs := map[string]error{}
		for _, name := range denied {
			errs[name] = syscall.EACCES
		}
		got, err := readMapped(brokenFS{oneWithBlock(), errs})
		if err != nil || len(got) != 1 || got[0].Partly != want {
			t.Errorf("%q: got %+v, %v, want %q", denied, got, err, want)
		}
	}
}
