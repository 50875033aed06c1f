package krbd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

func TestReadIO(t *testing.T) {
	tests := map[string]struct {
		stat, inflight string
		want           rbd.IO
	}{
		"11 fields": {"1 2 3 4 5 6 7 8 0 10 11", "9 9", rbd.IO{Reads: 1, ReadSectors: 3, ReadTicks: 4, Writes: 5, WriteSectors: 7,
			WriteTicks: 8, Ticks: 10}},
		"15 fields": {"1 2 3 4 5 6 7 8 1 10 11 12 13 14 15", "0 1", rbd.IO{Reads: 1, ReadSectors: 3, ReadTicks: 4, Writes: 5,
			WriteSectors: 7, WriteTicks: 8, Ticks: 10, Discards: 12, InFlightW: 1}},
		"17 fields, and of a kernel to come": {"       1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19", "       4        5", rbd.IO{
			Reads: 1, ReadSectors: 3, ReadTicks: 4, Writes: 5, WriteSectors: 7, WriteTicks: 8, Ticks: 10, Discards: 12, Flushes: 16,
			InFlightR: 4, InFlightW: 5,
		}},
		"largest": {strings.Repeat("18446744073709551615 ", 11), "1 0",
			rbd.IO{Reads: 1<<64 - 1, ReadSectors: 1<<64 - 1, ReadTicks: 1<<64 - 1, Writes: 1<<64 - 1, WriteSectors: 1<<64 - 1,
				WriteTicks: 1<<64 - 1, Ticks: 1<<64 - 1, InFlightR: 1}},
		"too large":     {strings.Repeat("18446744073709551616 ", 11), "1 0", rbd.IO{Partly: "unreadable: stat"}},
		"too few":       {"1 2 3 4 5 6 7 8 9 10", "1 0", rbd.IO{Partly: "unreadable: stat"}},
		"between":       {"1 2 3 4 5 6 7 8 9 10 11 12", "1 0", rbd.IO{Partly: "unreadable: stat"}},
		"negative":      {"1 2 3 4 5 6 7 8 -9 10 11", "1 0", rbd.IO{Partly: "unreadable: stat"}},
		"empty":         {"", "1 0", rbd.IO{Partly: "unreadable: stat"}},
		"half inflight": {"1 2 3 4 5 6 7 8 9 10 11", "1", rbd.IO{Partly: "unreadable: inflight"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sys := oneWithBlock()
			sys["devices/rbd/7/block/rbd7/stat"].Data = []byte(tt.stat + "\n")
			sys["devices/rbd/7/block/rbd7/inflight"].Data = []byte(tt.inflight + "\n")
			got, err := readIO(sys)
			tt.want.Device = "rbd7"
			if diff := cmp.Diff([]rbd.IO{tt.want}, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// sysfsOpen lists the files below root that this process has open.
func sysfsOpen(t *testing.T, root string) (paths []string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		path, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if rest, ok := strings.CutPrefix(path, root+"/"); ok && err == nil {
			paths = append(paths, rest)
		}
	}
	slices.Sort(paths)
	return paths
}

// Attributes stay open between readings, but only while their device exists.
func TestIOReaderKeepsFilesOpen(t *testing.T) {
	sys := two()
	sys["devices/rbd/7/block/rbd7/stat"].Data = []byte("1 2 3 4 5 6 7 8 0 10 11\n")
	root, onDisk := writeTree(t, sys)
	r := NewIOReader(onDisk)
	read := func() int {
		t.Helper()
		got, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	for range 3 {
		if n := read(); n != 2 {
			t.Fatalf("got %d devices, want 2", n)
		}
		want := []string{ // rbd7 has nothing in flight: inflight is not read
			"devices/rbd/7/block/rbd7/stat", "devices/rbd/8/block/rbd8/inflight", "devices/rbd/8/block/rbd8/stat",
		}
		if diff := cmp.Diff(want, sysfsOpen(t, root)); diff != "" {
			t.Fatalf("open (-want +got):\n%s", diff)
		}
	}
	if err := os.Remove(filepath.Join(root, devicesDir, "8")); err != nil {
		t.Fatal(err)
	}
	if n := read(); n != 1 {
		t.Errorf("got %d devices after one was unmapped, want 1", n)
	}
	if open := sysfsOpen(t, root); len(open) != 1 {
		t.Errorf("%q are open after one was unmapped, want one", open)
	}
	r.Close()
	if open := sysfsOpen(t, root); len(open) != 0 {
		t.Errorf("%q are open after Close", open)
	}
	if n := read(); n != 1 {
		t.Errorf("got %d devices after Close, want 1", n)
	}
	r.Close()
}

// An open attribute of a removed device cannot be read; that of the device that
// replaced it can.
func TestIOReaderReopens(t *testing.T) {
	root, onDisk := writeTree(t, oneWithBlock())
	r := NewIOReader(onDisk)
	defer r.Close()
	if _, err := r.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	stat := &r.devices[7].stat
	stat.close()
	fd, err := unix.Open(filepath.Join(root, "block"), unix.O_RDONLY|unix.O_CLOEXEC, 0) // reading a directory fails as well
	if err != nil {
		t.Fatal(err)
	}
	stat.fd = fd
	got, err := r.Read(t.Context())
	if err != nil || len(got) != 1 || got[0].Reads != 1 {
		t.Errorf("got %+v, %v, want the counters", got, err)
	}
	want := []string{"devices/rbd/7/block/rbd7/inflight", "devices/rbd/7/block/rbd7/stat"}
	if diff := cmp.Diff(want, sysfsOpen(t, root)); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
}

// With very many devices only some have their files kept open.
func TestIOReaderKeepsSoManyFilesOnly(t *testing.T) {
	root, onDisk := writeTree(t, fstest.MapFS{
		"devices/rbd/size": &fstest.MapFile{Data: []byte("1\n"), Mode: 0o444},
		"devices/rbd/stat": &fstest.MapFile{Data: []byte("1 2 3 4 5 6 7 8 0 10 11\n"), Mode: 0o444},
		devicesDir + "/0":  linkTo("../../../devices/rbd"),
		"block/rbd0":       linkTo("../devices/rbd"),
	})
	for i := 1; i < maxKept+10; i++ { // more names of the same links: new files would take longer than the test
		for _, name := range []string{devicesDir + "/", "block/rbd"} {
			if err := os.Link(root+"/"+name+"0", fmt.Sprint(root, "/", name, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := NewIOReader(onDisk)
	defer r.Close()
	got, err := r.Read(t.Context())
	if err != nil || len(got) != maxKept+10 {
		t.Fatalf("got %d devices, %v", len(got), err)
	}
	if open := len(sysfsOpen(t, root)); open != maxKept {
		t.Errorf("%d files are open, want %d", open, maxKept)
	}
}

// The parser accepts the output of this machine's kernel.
func TestStatOfThisMachine(t *testing.T) {
	files, _ := filepath.Glob("/sys/block/*/stat")
	if len(files) == 0 {
		t.Skip("this machine has no block device in /sys")
	}
	for _, file := range files {
		var io rbd.IO
		b, err := hostfs.Read(hostfs.FS("/"), strings.TrimPrefix(file, "/"), make([]byte, 4096))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseStat(b, &io); err != nil {
			t.Errorf("%s: %v: %q", file, err, b)
		}
		b, err = hostfs.Read(hostfs.FS("/"), strings.TrimPrefix(filepath.Dir(file), "/")+"/inflight", make([]byte, 4096))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := parseInFlight(b); err != nil {
			t.Errorf("%s: %v: %q", file, err, b)
		}
	}
}

// FuzzStat: parsed numbers, formatted again, equal the input.
func FuzzStat(f *testing.F) {
	f.Add("     183        1     1442       39       86      150    71068      739        0      200      829      130        0  1048580       51        0        0\n", "        0        0\n")
	f.Add("3 0 24 12 8 0 16384 405 1 24812 418\n", "        1        0\n")
	f.Add("1 2 3", "18446744073709551616 1")
	f.Fuzz(func(t *testing.T, stat, inflight string) {
		var io, again rbd.IO
		n, err := parseStat([]byte(stat), &io)
		if err == nil {
			text := fmt.Sprint(io.Reads, 0, io.ReadSectors, io.ReadTicks, io.Writes, 0, io.WriteSectors, io.WriteTicks, n, io.Ticks, 0,
				io.Discards, 0, 0, 0, io.Flushes, 0)
			m, err := parseStat([]byte(text), &again)
			if err != nil || m != n || again != io {
				t.Fatalf("%q gives %+v and %d, but %q gives %+v and %d, %v", stat, io, n, text, again, m, err)
			}
		} else if io != again {
			t.Fatalf("%q is an error but gives %+v", stat, io)
		}
		if r, w, err := parseInFlight([]byte(inflight)); err == nil {
			if r2, w2, err := parseInFlight(fmt.Append(nil, r, w)); r != r2 || w != w2 || err != nil {
				t.Fatalf("%q gives %d %d, and then %d %d, %v", inflight, r, w, r2, w2, err)
			}
		}
	})
}
