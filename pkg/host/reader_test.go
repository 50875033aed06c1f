package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// tree returns a procfs from testdata.
func tree(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	proc := fstest.MapFS{}
	for _, file := range archive.Files {
		proc[file.Name] = &fstest.MapFile{Data: file.Data}
	}
	return proc
}

// denying is a procfs that returns an error for some of its files.
type denying struct {
	fs.FS
	deny map[string]error
}

func (d denying) Open(name string) (fs.File, error) {
	if err := d.deny[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return d.FS.Open(name)
}

// never is a procfs that fails the test when a file that may block is opened.
type never struct {
	fs.FS
	t *testing.T
}

func (n never) Open(name string) (fs.File, error) {
	for _, bad := range []string{"cmdline", "status", "environ", "maps", "fd", "io"} {
		if strings.HasSuffix(name, "/"+bad) && !strings.HasPrefix(name, "pressure") {
			n.t.Errorf("opened %s", name)
		}
	}
	return n.FS.Open(name)
}

func stormState() State {
	return State{
		Release: "6.1.0-56-amd64",
		BootID:  "3f0a1c52-6c0e-4a63-9f0b-4c5f4f0f3d11",
		Boot:    time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		CPUs:    2,
		Load:    [3]float64{78.20, 41.06, 12.01},
		IO: &Pressure{Some10: 99.35, Some60: 71.20, Full10: 98.06, Full60: 70.04,
			SomeTotal: 88242100 * time.Microsecond, FullTotal: 73273200 * time.Microsecond},
		CPU:    &Pressure{Some10: 3.10, Some60: 2.98, SomeTotal: 12 * time.Second},
		Memory: &Pressure{SomeTotal: 10 * time.Microsecond, FullTotal: 9 * time.Microsecond},
		Waiting: &Waiting{Total: 6, ByComm: map[string]int{
			"jbd2/rbd0-8": 1, "kworker/1:2H+rbd": 1, "CPU 0/KVM": 1, "worker": 2, "odd) R (name": 1,
		}},
		Softnet: Softnet{Dropped: 0xffffffff + 2, Squeezed: 0x1a},
		CephFS:  true,
		Version: "Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, " +
			"GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
	}
}

func TestReadStorm(t *testing.T) {
	got, err := NewReader(never{tree(t, "storm.txtar"), t}, Limits{}).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stormState(), got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestReadAbsent(t *testing.T) {
	got, err := NewReader(tree(t, "old.txtar"), Limits{}).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.IO != nil || got.CPU != nil || got.Memory != nil || got.Hung != nil || got.Waiting != nil || got.Errors != nil {
		t.Errorf("want no pressure, no count, no look and no error, got %+v", got)
	}
	if got.CephFS {
		t.Error("CephFS: want false for FUSE and for a directory of that name")
	}
	if want := (Softnet{Squeezed: 15}); got.Softnet != want {
		t.Errorf("softnet: want %+v, got %+v", want, got.Softnet)
	}
}

func TestReadHungCount(t *testing.T) {
	proc := tree(t, "old.txtar")
	proc["sys/kernel/hung_task_detect_count"] = &fstest.MapFile{Data: []byte("3\n")}
	got, err := NewReader(proc, Limits{}).Read(t.Context())
	if err != nil || got.Hung == nil || *got.Hung != 3 {
		t.Errorf("want 3 hung tasks, got %v, %v", got.Hung, err)
	}
}

func TestReadDenied(t *testing.T) {
	proc := denying{tree(t, "storm.txtar"), map[string]error{
		"pressure/io":       fs.ErrPermission,
		"pressure/cpu":      syscall.EOPNOTSUPP,
		"self/mounts":       fs.ErrPermission,
		"net/softnet_stat":  fs.ErrPermission,
		"version_signature": fs.ErrPermission,
	}}
	got, err := NewReader(proc, Limits{}).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"open version_signature: permission denied",
		"open pressure/io: permission denied",
		"open net/softnet_stat: permission denied",
		"open self/mounts: permission denied",
	}
	if diff := cmp.Diff(want, got.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestReadWithoutBase(t *testing.T) {
	for _, name := range []string{"sys/kernel/osrelease", "stat", "loadavg"} {
		proc := tree(t, "storm.txtar")
		delete(proc, name)
		_, err := NewReader(proc, Limits{}).Read(t.Context())
		if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "host: ") {
			t.Errorf("without %s: want an error that it does not exist, got %v", name, err)
		}
	}
}

func TestReadLong(t *testing.T) {
	proc := tree(t, "old.txtar")
	line := "tmpfs /run tmpfs rw 0 0\n"
	long := strings.Repeat(line, large/len(line)+1)
	proc["self/mounts"] = &fstest.MapFile{Data: []byte(long)}
	got, err := NewReader(proc, Limits{}).Read(t.Context())
	if err != nil || got.CephFS || len(got.Errors) != 1 {
		t.Errorf("want the mounts' length as an error, got %q, %v", got.Errors, err)
	}
	proc["self/mounts"] = &fstest.MapFile{Data: []byte("a:/ /mnt ceph rw 0 0\n" + long)}
	got, err = NewReader(proc, Limits{}).Read(t.Context())
	if err != nil || !got.CephFS || got.Errors != nil {
		t.Errorf("want CephFS found before the end, got %v, %q, %v", got.CephFS, got.Errors, err)
	}
}

// The state of the machine that runs the test must be readable without privileges.
func TestReadHere(t *testing.T) {
	got, err := NewReader(os.DirFS("/proc"), Limits{LoadPerCPU: 1e-9, IOPressure: 1e-9}).Read(context.Background())
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no procfs here:", err)
	}
	if err != nil || got.Errors != nil {
		t.Fatalf("errors %q, %v", got.Errors, err)
	}
	if _, err := got.Upstream(); err != nil || got.CPUs < 1 || got.Boot.Year() < 2020 || len(got.BootID) != 36 {
		t.Errorf("got %+v, %v", got, err)
	}
}
