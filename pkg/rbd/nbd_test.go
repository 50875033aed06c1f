package rbd

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
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

func TestSysfsDev(t *testing.T) {
	for text, want := range map[string][3]uint32{
		"254:16": {254, 16, 1}, "0:0": {0, 0, 1}, "4294967295:4294967295": {1<<32 - 1, 1<<32 - 1, 1},
		"": {}, "254": {}, "254:": {}, ":1": {}, "254:1x": {}, "4294967296:0": {}, "1:18446744073709551616": {}, "1:-1": {},
	} {
		major, minor, ok := sysfsDev(text)
		if got := [3]uint32{major, minor, map[bool]uint32{true: 1}[ok]}; got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
