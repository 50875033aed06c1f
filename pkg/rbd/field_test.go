package rbd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/libvirt"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// guestField reads a recorded guest with replaced names and keys.
func guestField(t *testing.T, name string) rbd.Guest {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "field", name))
	if err != nil {
		t.Fatal(err)
	}
	var g rbd.Guest
	if strings.HasSuffix(name, ".xml") {
		g, err = libvirt.ParseDomain(data)
	} else {
		// Split at spaces: quotes enclose only JSON without spaces.
		line := strings.ReplaceAll(strings.TrimSpace(string(data)), "'", "")
		g, err = qemu.ParseCommandLine([]byte(strings.ReplaceAll(line, " ", "\x00")))
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return g
}

// Weak hints do not make a Linux guest a Windows guest, and are reported.
func TestFieldSystem(t *testing.T) {
	for _, c := range []struct{ file, system, by string }{
		{"27-linux-localtime.xml", "", guest.OSByLocalTime},
		{"36-osinfo-unknown-hyperv.xml", "windows", guest.OSByHyperV},
		{"47-incus-linux-vm.cmd", "", ""}, // Incus sets the clock of Windows guests to local time
		{"48-localtime-timezone.cmd", "", guest.OSByLocalTime},
		{"49-raw-qemu-cpu-last.cmd", "", ""},
	} {
		if g := guestField(t, c.file); g.OS != c.system || g.OSBy != c.by {
			t.Errorf("%s: got %q by %q, want %q by %q", c.file, g.OS, g.OSBy, c.system, c.by)
		}
	}
}

// Every image that a guest reads or writes is among its disks, with its limits.
func TestFieldDisks(t *testing.T) {
	for _, c := range []struct {
		file string
		want []rbd.Disk
	}{
		{"29-throttlefilter.xml", []rbd.Disk{{Target: "vdb", Client: rbd.LibRBD, Pool: "rbd", Image: "vm1",
			Throttle: &rbd.Throttle{IOPS: 400, BytesPerSec: 4000000}}}},
		{"33-mirror-to-krbd.xml", []rbd.Disk{
			{Target: "vda", Client: rbd.LibRBD, Pool: "rbd", Image: "source"},
			{Target: "vda", Client: rbd.KRBD, Pool: "rbd", Image: "dst", Path: "/dev/rbd/rbd/dst", Part: true},
		}},
		{"39-ablestack-ft-commandline.xml", []rbd.Disk{{
			Target: "ftctl-primary-parent-sda-bb", Client: rbd.KRBD, Pool: "rbd", Image: "0a1b-img", Path: "/dev/rbd/rbd/0a1b-img",
		}}},
		{"51-freebsd-datafile.cmd", []rbd.Disk{{Target: "virtio-disk0", Client: rbd.LibRBD, Pool: "p", Image: "data1"}}},
	} {
		if diff := cmp.Diff(c.want, guestField(t, c.file).Disks); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.file, diff)
		}
	}
}
