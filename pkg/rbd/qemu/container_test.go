package qemu

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

func TestContainers(t *testing.T) {
	p := fakeProc(t)
	p.Process(400, "lxc-start", "/lxc.monitor/105")
	p.Process(401, "init", "/lxc/105/ns/init.scope")
	p.Process(402, "cron", "/lxc/105/ns/system.slice/cron.service")
	p.Process(403, "postgres", "/lxc/106/ns")
	p.Process(404, "sh", "/lxc.payload.web/user.slice")
	p.Process(405, "nested", "/lxc/105/ns/lxc/7/ns")
	p.Process(390, "gone", "/lxc/106/ns") // its mounts cannot be read; 403's can
	p.Process(406, "gone", "/lxc/108/ns")
	p.File("401/mountinfo", strings.Join([]string{
		`700 600 251:16 / / rw,relatime shared:9 master:8 - ext4 /dev/rbd1 rw,stripe=16`,
		`701 700 0:50 / /proc rw - proc proc rw`,
		`702 700 251:32 / /srv/my\040data rw - ext4 /dev/rbd-pve/6f1b7c4e-2d0a-4f55-8a39-1c1f0a6d2b90/cpool/vm-105-disk-1 rw`,
		`703 700 251:16 /srv /mnt/again rw - ext4 /dev/rbd1 rw`,
		`704 700 253:3 / /srv/lvm rw - xfs /dev/mapper/pve-vm--105--disk--2 rw`,
		`705 700 0:61 / /net rw - nfs4 192.0.2.9:/export rw`,
		`broken`, `706 700 x:1 / / rw - ext4 /dev/rbd9 rw`, `707 700 251:48 / / rw ext4 /dev/rbd9 rw`, ``,
	}, "\n"))
	p.File("402/mountinfo", "1 1 251:99 / / rw - ext4 /dev/rbd9 rw\n") // not read: 401 is the first
	p.File("403/mountinfo", "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
	p.File("404/mountinfo", "1 1 251:64 / / rw - ext4 /dev/rbd4 rw\n")
	p.File("405/mountinfo", "1 1 251:80 / / rw - ext4 /dev/rbd5 rw\n")
	var partly guest.Partly
	r := NewProcesses(p, (&procAsker{proc: p}).asks(), procNoDevices)
	list, err := r.table.read()
	if err != nil {
		t.Fatal(err)
	}
	got := rbd.Guests{Guests: r.containers(list, &partly), Partly: partly.String()}
	want := rbd.Guests{
		Partly: "the mounts of 1 containers could not be read",
		Guests: []rbd.Guest{
			{Name: "ct105", ID: "105", Kind: "container", PID: 401, State: "running", OS: "linux", Disks: []rbd.Disk{
				{Target: "rootfs", Client: rbd.KRBD, Path: "/dev/rbd1", Major: 251, Minor: 16},
				{Target: "/srv/my data", Client: rbd.KRBD, Pool: "cpool", Image: "vm-105-disk-1", Major: 251, Minor: 32,
					Path: "/dev/rbd-pve/6f1b7c4e-2d0a-4f55-8a39-1c1f0a6d2b90/cpool/vm-105-disk-1"},
				{Target: "/srv/lvm", Path: "/dev/mapper/pve-vm--105--disk--2", Major: 253, Minor: 3},
			}},
			{Name: "ct106", ID: "106", Kind: "container", PID: 403, State: "running", OS: "linux", Disks: []rbd.Disk{
				{Target: "rootfs", Path: "/dev/sda1", Major: 8, Minor: 1}}},
			{Name: "web", ID: "web", Kind: "container", PID: 404, State: "running", OS: "linux", Disks: []rbd.Disk{
				{Target: "rootfs", Client: rbd.KRBD, Path: "/dev/rbd4", Major: 251, Minor: 64}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each device is listed once, with a number that is not 0, and reading the same
// mounts twice returns the same list.
func FuzzGuestMounts(f *testing.F) {
	f.Add([]byte("28 1 254:0 / /mnt/a rw,relatime - ext4 /dev/rbd0 rw,stripe=64\n24 1 0:5 / /dev rw - devtmpfs dev rw\n"))
	f.Add([]byte(`700 600 251:16 / / rw shared:9 master:8 - ext4 /dev/rbd1 rw` + "\n" + `1 1 7:1 / /a\040b\134 ro - ext4 /dev/loop1 ro`))
	f.Fuzz(func(t *testing.T, data []byte) {
		disks := guestMounts(data)
		seen := map[string]bool{}
		for _, d := range disks {
			key := fmt.Sprint(d.Major, " ", d.Minor)
			if d.Major == 0 {
				key = d.Path // btrfs
			}
			if seen[key] || key == "" {
				t.Fatalf("got %+v", d)
			}
			seen[key] = true
		}
		if bad := rbdtest.Bounded(rbd.Guest{Disks: disks}); bad != nil {
			t.Fatal(bad)
		}
		if again := guestMounts(append(append(data, '\n'), data...)); !cmp.Equal(disks, again) {
			t.Fatal(cmp.Diff(disks, again))
		}
	})
}
