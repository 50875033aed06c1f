package qemu

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

func TestReadServed(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	got, err := ReadServed(fstest.MapFS{
		"block/nbd0/dev": file("43:0\n"), // not in use: no pid
		"block/nbd1/pid": file("4711\n"), "block/nbd1/dev": file("43:32\n"), "block/nbd1/nbd1p1/dev": file("43:33\n"),
		"block/nbd2/pid": file("?\n"), "block/nbd2/dev": file("43\n"),
		"block/nbd3/pid":                file("1\n"), // being removed: dev no longer exists
		"block/nbdx/pid":                file("1\n"),
		"block/loop0/dev":               file("7:0\n"), // not in use
		"block/loop1/loop/backing_file": file("/srv/a b.raw (deleted)\n"), "block/loop1/dev": file("7:1\n"),
		"block/loop2/loop/backing_file": file("\n"), "block/loop2/dev": file("7:2\n"), // being detached
		"block/loop3/loop/backing_file": file("/dev/rbd0\n"), "block/loop3/dev": file("7:3\n"), "block/loop3/loop3p2/dev": file("259:7\n"),
		"block/loop3/loop3x/dev": file("1:1\n"),
		"block/rbd0/stat":        file("0\n"),
		"block/sda/stat":         file("0\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []ServedDevice{
		{Device: "loop1", File: "/srv/a b.raw", Numbers: [][2]uint32{{7, 1}}},
		{Device: "loop3", File: "/dev/rbd0", Numbers: [][2]uint32{{7, 3}, {259, 7}}},
		{Device: "nbd1", PID: 4711, Numbers: [][2]uint32{{43, 32}, {43, 33}}},
		{Device: "nbd2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := ReadServed(fstest.MapFS{"block/loop0/loop/backing_file": file(strings.Repeat("x", 10_000)),
		"block/loop0/dev": file("7:0\n")}); err == nil {
		t.Error("a name longer than any is no error")
	}
}

// The devices of this machine can be read like any others.
func TestServedOfThisMachine(t *testing.T) {
	if _, err := ReadServed(hostfs.FS("/sys")); err != nil {
		t.Error(err)
	}
}
