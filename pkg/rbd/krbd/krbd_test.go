package krbd

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/qemu"
)

// readings is everything that this package reads of a host's krbd.
type readings struct {
	Mapped  []rbd.Mapped  `json:"mapped"`
	IO      []rbd.IO      `json:"io"`
	Pending []rbd.Pending `json:"pending"`
}

func readAll(t *testing.T, sys fs.FS) readings {
	t.Helper()
	var saw readings
	var errs [3]error
	saw.Mapped, errs[0] = readMapped(sys)
	saw.IO, errs[1] = readIO(sys)
	saw.Pending, errs[2] = ReadPending(sys)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return saw
}

// Files that are never opened: config_info may contain the secret, reading monmap
// while its client is removed is CVE-2026-68153, refresh sends a request to the
// cluster.
var forbidden = []string{"config_info", "monmap", "refresh", "monc", "osdmap"}

// A guard fails the test if a forbidden file is opened.
type guard struct {
	fstest.MapFS
	t *testing.T
}

func (g guard) Open(name string) (fs.File, error) {
	if slices.Contains(forbidden, path.Base(name)) {
		g.t.Errorf("%s was opened", name)
	}
	return g.MapFS.Open(name)
}

func (g guard) ReadFile(name string) ([]byte, error) {
	if slices.Contains(forbidden, path.Base(name)) {
		g.t.Errorf("%s was read", name)
	}
	return g.MapFS.ReadFile(name)
}

func TestCaptures(t *testing.T) {
	for _, scenario := range scenarios {
		t.Run(scenario, func(t *testing.T) {
			sys := fixture(t, scenario)
			saw := readAll(t, guard{sys, t})
			golden(t, filepath.Join(scenario, "want.json"), saw)
			if b, _ := json.Marshal(saw); strings.Contains(string(b), "AQAAA") {
				t.Error("the secret of config_info is in the result")
			}
			_, onDisk := writeTree(t, sys)
			if diff := cmp.Diff(saw, readAll(t, onDisk)); diff != "" {
				t.Errorf("a real directory tells something else (-map +directory):\n%s", diff)
			}
		})
	}
}

// In the captured storm two reads were sent repeatedly.
func TestCapturedStormShowsItsAttempts(t *testing.T) {
	pending, err := ReadPending(fixture(t, "endless-crc-retry"))
	if err != nil {
		t.Fatal(err)
	}
	attempts := map[string]int{}
	for _, p := range pending {
		for _, r := range p.Requests {
			if r.Ops == "read" {
				attempts[r.Image()] = r.Attempts
			}
		}
	}
	want := map[string]int{"1016ce9ab808": 668, "1018b972e385": 576}
	if diff := cmp.Diff(want, attempts); diff != "" {
		t.Errorf("attempts by image (-want +got):\n%s", diff)
	}
}

// Only a plain number is a device.
func TestForeignNames(t *testing.T) {
	sys := two()
	for _, name := range []string{"07", "+7", "-1", "x", "7 ", "99999999999999999999"} {
		sys[devicesDir+"/"+name+"/size"] = &fstest.MapFile{Data: []byte("1\n")}
	}
	if saw := readAll(t, sys); len(saw.Mapped) != 2 || len(saw.IO) != 2 {
		t.Errorf("got %d devices and %d counters, want 2", len(saw.Mapped), len(saw.IO))
	}
}

func TestNoModule(t *testing.T) {
	for name, sys := range map[string]fs.FS{"nothing": fstest.MapFS{}, "no module": hostfs.FS(t.TempDir())} {
		if saw := readAll(t, sys); len(saw.Mapped)+len(saw.IO)+len(saw.Pending) > 0 {
			t.Errorf("%s: got %+v, want nothing", name, saw)
		}
		if nbd, err := qemu.ReadServed(sys); len(nbd) > 0 || err != nil {
			t.Errorf("%s: got %v, %v from ReadServed, want nothing", name, nbd, err)
		}
	}
}

// The /sys of this machine can be read like any other.
func TestThisMachine(t *testing.T) {
	if _, err := os.Stat("/sys/block"); err != nil {
		t.Skip("this machine has no /sys: ", err)
	}
	sys := hostfs.FS("/sys")
	if _, err := readMapped(sys); err != nil {
		t.Error(err)
	}
	if _, err := readIO(sys); err != nil {
		t.Error(err)
	}
}
