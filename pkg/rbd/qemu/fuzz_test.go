package qemu

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

// The result for any configuration file of QEMU is bounded and the same each time; an
// option in it means the same as on the command line; and values of secret options are
// in neither the Guest nor the error.
func FuzzReadConfiguration(f *testing.F) {
	f.Add(string(rbdtest.File(f, "field/09-fcqemu.cfg")), "vms/db1")
	f.Add("[drive \"a\"]\n  file = \"rbd:p/i@s:id=x\"\n[rtc]\n  base = \"localtime\"\n", "p/n/i@s")
	f.Add("[device\n= = =\n[]\n[drive]\nfile=/dev/rbd0\n", "")
	f.Fuzz(func(t *testing.T, text, image string) {
		read := func(config string) (rbd.Guest, string) {
			c, err := readLine(joinArgs("-readconfig", "/c"), func(string) ([]byte, error) { return []byte(config), nil })
			if c == nil {
				return rbd.Guest{}, fmt.Sprint(err)
			}
			return c.guest, fmt.Sprint(err, c.err())
		}
		g, fault := read(text)
		if bad := rbdtest.Bounded(g); bad != nil {
			t.Fatal(bad)
		}
		if again, same := read(text); !cmp.Equal(g, again) || same != fault {
			t.Fatal("not the same twice")
		}
		if len(fault) > 500 {
			t.Fatalf("a long error: %s", fault)
		}
		if image == "" || strings.ContainsAny(image, "\x00\n\"=,[]#:\\{}") || strings.TrimSpace(image) != image {
			return // has a special meaning in one of the two
		}
		filed, _ := read(fmt.Sprintf("[drive \"d\"]\n  file = \"rbd:%s\"\n  if = \"virtio\"\n[secret \"s\"]\n  data = \"PLANTED\"\n[drive \"e\"]\n  file = \"rbd:%s:key=PLANTED\"\n", image, image))
		typed, _ := ParseCommandLine(joinArgs("-drive", "id=d,if=virtio,file=rbd:"+image, "-drive", "id=e,file=rbd:"+image+":key=PLANTED"))
		if diff := cmp.Diff(typed.Disks, filed.Disks); diff != "" {
			t.Fatalf("(-command line +configuration)\n%s", diff)
		}
		if got := fmt.Sprintf("%+v", filed); strings.Contains(got, rbdtest.Planted) && !strings.Contains(image, rbdtest.Planted) {
			t.Fatalf("a secret: %s", got)
		}
	})
}

// The result for any command line of cloud-hypervisor is bounded and the same each time,
// and a given disk is found whatever precedes it.
func FuzzParseCloudHypervisor(f *testing.F) {
	f.Add([]byte("cloud-hypervisor\x00--disk\x00path=/dev/rbd9\x00vhost_user=true,socket=/run/a.sock\x00--kernel\x00/k\x00"))
	f.Add([]byte("cloud-hypervisor\x00--disk=path=/dev/rbd0,id=root\x00--api-socket=/s"))
	f.Add([]byte("\x00--disk\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := parseCloudHypervisor(data)
		if bad := rbdtest.Bounded(g); bad != nil {
			t.Fatal(bad)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Fatalf("a long error: %v", err)
		}
		if again, _ := parseCloudHypervisor(data); !cmp.Equal(g, again) {
			t.Fatal("not the same twice")
		}
		more, more2 := parseCloudHypervisor(append(slices.Clone(data), "\x00--disk\x00path=/dev/rbd77\x00"...))
		last := func() bool { return len(more.Disks) > 0 && more.Disks[len(more.Disks)-1].Path == "/dev/rbd77" }
		if err == nil && more2 == nil && len(g.Disks) < rbd.MaxDisks && !last() {
			t.Fatalf("the disk behind it is lost: %+v", more.Disks)
		}
	})
}

// The result for any command line of a program that exports disks is bounded and the same
// each time; it contains no secret; and qemu-nbd's export is found however its options
// are combined.
func FuzzParseExports(f *testing.F) {
	f.Add("qemu-nbd", []byte("qemu-nbd\x00-rc/dev/nbd0\x00-f\x00raw\x00rbd:p/i"), "r")
	f.Add("rbd-nbd", []byte("rbd-nbd\x00--id\x00admin\x00map\x00p/i@s\x00--device=/dev/nbd1"), "-nvt")
	f.Add("qemu-storage-da", []byte("x\x00--blockdev\x00driver=rbd,pool=p,image=i,node-name=n\x00--export\x00nbd,id=e,node-name=n\x00--nbd-server\x00addr.path=/s"), "")
	f.Fuzz(func(t *testing.T, comm string, data []byte, flags string) {
		list := parseExports(comm, data)
		if len(list) > rbd.MaxDisks {
			t.Fatalf("%d exports", len(list))
		}
		for _, e := range list {
			if bad := rbdtest.Bounded(rbd.Guest{Disks: []rbd.Disk{e.Disk}}); bad != nil || len(e.Path) > 3*naming.MaxText {
				t.Fatal(bad, e)
			}
		}
		if again := parseExports(comm, data); !cmp.Equal(list, again) {
			t.Fatal("not the same twice")
		}
		if strings.Trim(flags, "rsndvtAL") != "" {
			return // not options without a value
		}
		for _, args := range [][]string{{"-" + flags + "c/dev/nbd7"}, {"-" + flags + "c", "/dev/nbd7"},
			{"--persistent", "--connect=/dev/nbd7"}, {"--connect", "/dev/nbd7", "--fork"}} {
			got := parseExports("qemu-nbd", joinArgs(append(args, "-f", "raw", "rbd:p/i:key=PLANTED")...))
			if want := []rbd.Export{{Path: "/dev/nbd7", Disk: rbd.Disk{Client: rbd.LibRBD, Pool: "p", Image: "i"}}}; !cmp.Equal(want, got) {
				t.Fatalf("%q: got %+v", args, got)
			}
		}
	})
}

// A line of mountinfo in the kernel's format is parsed correctly; no other line yields a
// mount without a mount point; and the mount of a path is found.
func FuzzMountinfo(f *testing.F) {
	f.Add("36 35 252:16 / /srv/data rw,noatime shared:1 - ext4 /dev/rbd1 rw", "/srv/data", uint32(252), uint32(16))
	f.Add("612 566 43:0 / / rw - ext4 /dev/nbd0 rw", "/var/run/a b", uint32(0), uint32(1))
	f.Add(" - ", "/", uint32(1<<31), uint32(0))
	f.Fuzz(func(t *testing.T, line, point string, major, minor uint32) {
		m := &procMounts{}
		if mount, ok := procParseMount(line); ok {
			if mount.kind == "" || len(mount.point) > 3*naming.MaxText {
				t.Fatalf("got %+v", mount)
			}
			m.list = append(m.list, mount)
		}
		if !strings.HasPrefix(point, "/") || strings.HasSuffix(point, "/") || naming.Text(point) != point {
			return
		}
		escaped := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(point)
		got, ok := procParseMount(fmt.Sprintf("1 2 %d:%d / %s rw - xfs /dev/rbd1 rw", major, minor, escaped))
		if want := (procMount{point: point, major: major, minor: minor, kind: "xfs", source: "/dev/rbd1"}); !ok || got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		m.list = append(m.list, procMount{point: "/", kind: "ext4"}, got)
		if on, ok := m.of(point + "/disk.raw"); !ok || on != got && !strings.HasPrefix(on.point, naming.RunPath(point)) {
			t.Fatalf("%s/disk.raw is on %+v", point, on)
		}
	})
}
