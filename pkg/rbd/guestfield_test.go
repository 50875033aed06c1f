package rbd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// guestField reads a recorded guest, whose names and keys are replaced.
func guestField(t *testing.T, name string) Guest {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "guests", "field", name))
	if err != nil {
		t.Fatal(err)
	}
	var g Guest
	if strings.HasSuffix(name, ".xml") {
		g, err = ParseDomain(data)
	} else {
		// Split at spaces: quotes stand only around JSON without any.
		line := strings.ReplaceAll(strings.TrimSpace(string(data)), "'", "")
		g, err = ParseCommandLine([]byte(strings.ReplaceAll(line, " ", "\x00")))
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return g
}

// Weak hints make no Windows guest of a Linux one, and are told.
func TestFieldSystem(t *testing.T) {
	for _, c := range []struct{ file, system, by string }{
		{"27-linux-localtime.xml", "", osByLocalTime},
		{"36-osinfo-unknown-hyperv.xml", "windows", osByHyperV},
		{"47-incus-linux-vm.cmd", "", ""}, // Incus gives Windows a clock in local time
		{"48-localtime-timezone.cmd", "", osByLocalTime},
		{"49-raw-qemu-cpu-last.cmd", "", ""},
	} {
		if g := guestField(t, c.file); g.OS != c.system || g.OSBy != c.by {
			t.Errorf("%s: got %q by %q, want %q by %q", c.file, g.OS, g.OSBy, c.system, c.by)
		}
	}
}

// All that a guest reads and writes is among its disks, each with its limits.
func TestFieldDisks(t *testing.T) {
	for _, c := range []struct {
		file string
		want []Disk
	}{
		{"29-throttlefilter.xml", []Disk{{Target: "vdb", Client: LibRBD, Pool: "rbd", Image: "vm1", Throttle: &Throttle{IOPS: 400, BytesPerSec: 4000000}}}},
		{"33-mirror-to-krbd.xml", []Disk{
			{Target: "vda", Client: LibRBD, Pool: "rbd", Image: "source"},
			{Target: "vda", Client: KRBD, Pool: "rbd", Image: "dst", Path: "/dev/rbd/rbd/dst", Part: true},
		}},
		{"39-ablestack-ft-commandline.xml", []Disk{{
			Target: "ftctl-primary-parent-sda-bb", Client: KRBD, Pool: "rbd", Image: "0a1b-img", Path: "/dev/rbd/rbd/0a1b-img",
		}}},
		{"51-freebsd-datafile.cmd", []Disk{{Target: "virtio-disk0", Client: LibRBD, Pool: "p", Image: "data1"}}},
	} {
		if diff := cmp.Diff(c.want, guestField(t, c.file).Disks); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.file, diff)
		}
	}
}
