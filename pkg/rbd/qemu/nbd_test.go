package qemu

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
)

func TestReadNBD(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	got, err := ReadNBD(fstest.MapFS{
		"block/nbd0/dev": file("43:0\n"), // not in use: no pid
		"block/nbd1/pid": file("4711\n"), "block/nbd1/dev": file("43:32\n"),
		"block/nbd2/pid": file("?\n"), "block/nbd2/dev": file("43\n"),
		"block/nbd3/pid":  file("1\n"), // going away: no dev any more
		"block/nbdx/pid":  file("1\n"),
		"block/rbd0/stat": file("0\n"),
		"block/sda/stat":  file("0\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []NBDDevice{{Device: "nbd1", PID: 4711, Major: 43, Minor: 32}, {Device: "nbd2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The network block devices of this machine are read as any others.
func TestNBDOfThisMachine(t *testing.T) {
	if _, err := ReadNBD(hostfs.FS("/sys")); err != nil {
		t.Error(err)
	}
}
