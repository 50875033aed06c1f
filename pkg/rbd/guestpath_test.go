package rbd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGuestPathDisk(t *testing.T) {
	const fsid = "6f1b7c4e-2d0a-4f55-8a39-1c1f0a6d2b90"
	for path, want := range map[string]Disk{
		"/dev/rbd0":              {Client: KRBD},
		"/dev/rbd12p3":           {Client: KRBD},
		"/dev/rbd/p/i":           {Client: KRBD, Pool: "p", Image: "i"},
		"/dev/rbd/p/n/i@s":       {Client: KRBD, Pool: "p", Namespace: "n", Image: "i", Snapshot: "s"},
		"/dev/rbd/p/i-part2":     {Client: KRBD, Pool: "p", Image: "i"},
		"/dev/rbd/p/i-partition": {Client: KRBD, Pool: "p", Image: "i-partition"},
		"/dev/rbd/p":             {Client: KRBD},
		"/dev/rbd/p/n/x/i":       {Client: KRBD},
		"/dev/rbd-pve/" + fsid + "/p/vm-101-disk-0":   {Client: KRBD, Pool: "p", Image: "vm-101-disk-0"},
		"/dev/rbd-pve/" + fsid + "/p/n/vm-1-disk-0@s": {Client: KRBD, Pool: "p", Namespace: "n", Image: "vm-1-disk-0", Snapshot: "s"},
		"/dev/rbd-pve/" + fsid:                        {},
		"/dev/nbd4":                                   {Client: NBD},
		"/dev/nbd4p1":                                 {Client: NBD},
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
		if diff := cmp.Diff(want, guestPathDisk(path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

func TestImageVMID(t *testing.T) {
	for image, want := range map[string]string{
		"vm-101-disk-0": "101", "base-9000-disk-1": "9000", "vm-101-cloudinit": "101", "vm-101-state-before": "101",
		"vm-101": "", "vm--disk-0": "", "vm-x1-disk-0": "", "xvm-101-disk-0": "", "vm-12345678901-disk-0": "", "volume-101": "", "": "",
	} {
		if got, ok := ImageVMID(image); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v", image, got, ok)
		}
	}
}

// A path that is krbd's names an image whose specification, written as rbd(8)
// does, leads to the same image when it is in a path again.
func FuzzGuestPathDisk(f *testing.F) {
	for _, s := range []string{"/dev/rbd0p1", "/dev/rbd/p/n/i@s", "/dev/rbd-pve/f/p/i-part1", "/dev/nbd0", "rbd:p/i:key=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		d := guestPathDisk(path)
		if d.Path != "" && d.Path != path || d.Path == "" && d != (Disk{}) {
			t.Fatalf("got %+v", d)
		}
		if d.Image == "" {
			return
		}
		again := guestPathDisk("/dev/rbd/" + Spec(d.Pool, d.Namespace, d.Image, d.Snapshot) + "-part1")
		again.Path = d.Path
		if d != again {
			t.Fatalf("got %+v, then %+v", d, again)
		}
	})
}
