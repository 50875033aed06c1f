package guest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

func TestPathDisk(t *testing.T) {
	const fsid = "6f1b7c4e-2d0a-4f55-8a39-1c1f0a6d2b90"
	for path, want := range map[string]rbd.Disk{
		"/dev/rbd0":              {Client: rbd.KRBD},
		"/dev/rbd12p3":           {Client: rbd.KRBD},
		"/dev/rbd/p/i":           {Client: rbd.KRBD, Pool: "p", Image: "i"},
		"/dev/rbd/p/n/i@s":       {Client: rbd.KRBD, Pool: "p", Namespace: "n", Image: "i", Snapshot: "s"},
		"/dev/rbd/p/i-part2":     {Client: rbd.KRBD, Pool: "p", Image: "i"},
		"/dev/rbd/p/i-partition": {Client: rbd.KRBD, Pool: "p", Image: "i-partition"},
		"/dev/rbd/p":             {Client: rbd.KRBD},
		"/dev/rbd/p/n/x/i":       {Client: rbd.KRBD},
		"/dev/rbd-pve/" + fsid + "/p/vm-101-disk-0":   {Client: rbd.KRBD, Pool: "p", Image: "vm-101-disk-0"},
		"/dev/rbd-pve/" + fsid + "/p/n/vm-1-disk-0@s": {Client: rbd.KRBD, Pool: "p", Namespace: "n", Image: "vm-1-disk-0", Snapshot: "s"},
		"/dev/rbd-pve/" + fsid:                        {},
		"/dev/nbd4":                                   {Client: rbd.NBD},
		"/dev/nbd4p1":                                 {Client: rbd.NBD},
		"/dev/nbd":                                    {},
		"/dev/rbdx":                                   {},
		"/dev/rbd1p":                                  {},
		"/dev/rbd1x2":                                 {},
		"/dev/sda":                                    {},
		"/mnt/dev/rbd0":                               {},
		"dev/rbd0":                                    {},
		"rbd:p/i:key=PLANTED":                         {},
		"nbd://u:PLANTED@192.0.2.1/x":                 {},
		"":                                            {},
	} {
		if path != "" && path[0] == '/' {
			want.Path = path
		}
		if diff := cmp.Diff(want, PathDisk(path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// A krbd path names an image. The image's specification, as rbd(8) writes it, yields
// the same image when used in a path.
func FuzzPathDisk(f *testing.F) {
	for _, s := range []string{"/dev/rbd0p1", "/dev/rbd/p/n/i@s", "/dev/rbd-pve/f/p/i-part1", "/dev/nbd0", "rbd:p/i:key=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		d := PathDisk(path)
		if d.Path != "" && d.Path != path || d.Path == "" && d != (rbd.Disk{}) {
			t.Fatalf("got %+v", d)
		}
		if d.Image == "" {
			return
		}
		again := PathDisk("/dev/rbd/" + rbd.Spec(d.Pool, d.Namespace, d.Image, d.Snapshot) + "-part1")
		again.Path = d.Path
		if d != again {
			t.Fatalf("got %+v, then %+v", d, again)
		}
	})
}
