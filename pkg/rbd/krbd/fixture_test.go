package krbd

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

// scenarios are the directories of testdata, captured from real kernels.
var scenarios = []string{
	"mapped", "osds-frozen", "stuck-osd", "blocklisted", "endless-crc-retry", "write-loop",
	"layer2", "layer3+4", "linux-5.10", "linux-7.2",
}

// fixture returns the /sys from which a capture was taken.
func fixture(t testing.TB, scenario string) fstest.MapFS {
	t.Helper()
	sys := fstest.MapFS{"kernel/debug": {Mode: fs.ModeDir | 0o700}}
	dir := filepath.Join("testdata", scenario)
	for _, name := range []string{"sys-bus-rbd.txt", "sys-kernel-debug-ceph.txt"} {
		for head, text := range readSections(t, filepath.Join(dir, name)) {
			path, mode, _ := strings.Cut(head, " (")
			addFile(sys, strings.TrimPrefix(path, "/sys/"), text, strings.Contains(mode, "-w-------"))
		}
	}
	for head, text := range readSections(t, filepath.Join(dir, "sys-block-rbd.txt")) {
		link, path, _ := strings.Cut(head, " -> ")
		path = strings.TrimPrefix(path, "/sys/")
		sys[strings.TrimPrefix(link, "/sys/")] = linkTo("../" + path)
		sys[path+"/holders"] = directory
		for line := range strings.Lines(text) {
			attr, value, _ := strings.Cut(line, ": ")
			addFile(sys, path+"/"+attr, value, false)
		}
	}
	return sys
}

// readSections splits a capture at its "== PATH" lines.
func readSections(t testing.TB, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for i, section := range strings.Split("\n"+string(b), "\n== ") {
		if i == 0 {
			continue
		}
		head, text, _ := strings.Cut(section, "\n")
		sections[head] = strings.TrimSuffix(text, "\n") + "\n"
	}
	if len(sections) == 0 {
		t.Fatalf("%s has no section", file)
	}
	return sections
}

// addFile adds a file. A file below bus/rbd/devices is added at the target of that
// link.
func addFile(sys fstest.MapFS, path, text string, writeOnly bool) {
	if rest, ok := strings.CutPrefix(path, devicesDir+"/"); ok {
		id, attr, _ := strings.Cut(rest, "/")
		path = "devices/rbd/" + id + "/" + attr
		sys[devicesDir+"/"+id] = linkTo("../../../devices/rbd/" + id)
		sys["devices/rbd/"+id] = &fstest.MapFile{Mode: fs.ModeDir | 0o755, Sys: &syscall.Stat_t{Ino: uint64(id[0])}}
	}
	if writeOnly {
		sys[path] = &fstest.MapFile{Mode: 0o200}
		return
	}
	sys[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o444}
}

// writeTree writes sys to a new directory and returns it as a SysFS.
func writeTree(t testing.TB, sys fstest.MapFS) (root string, onDisk fs.FS) {
	t.Helper()
	root = t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(sys)) {
		write(t, filepath.Join(root, name), sys[name])
	}
	return root, hostfs.FS(root)
}

// directory returns a directory, linkTo a symbolic link.
var directory = &fstest.MapFile{Mode: fs.ModeDir | 0o755}

func linkTo(target string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

func write(t testing.TB, path string, f *fstest.MapFile) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	switch {
	case err != nil:
	case f.Mode.IsDir():
		err = os.MkdirAll(path, 0o755)
	case f.Mode&fs.ModeSymlink != 0:
		err = os.Symlink(string(f.Data), path)
	default:
		err = os.WriteFile(path, f.Data, f.Mode.Perm())
	}
	if err != nil {
		t.Fatal(err)
	}
}
