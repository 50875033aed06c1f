package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

func fakeProc(t testing.TB) rbdtest.Proc {
	p := rbdtest.Proc{MapFS: fstest.MapFS{}}
	p.Process(1, "systemd", "/init.scope")
	p.Process(2, "kvm-nx-lpage-re", "/")
	p.Process(233, "kvm", "/qemu.slice/101.scope")
	p.Process(241, "kvm", "/qemu.slice/102.scope")
	p.Process(249, "kvm", "/qemu.slice/103.scope")
	p.Process(900, "qemu-system-x86", `/machine.slice/machine-qemu\x2d1\x2dvm\x2d201.scope/libvirt/emulator`)
	for pid, vm := range map[string]string{"233": "101", "241": "102", "249": "103"} {
		p.MapFS[pid+"/cmdline"] = &fstest.MapFile{Data: rbdtest.File(t, "vm"+vm+".cmdline")}
	}
	p.MapFS["900/cmdline"] = &fstest.MapFile{Data: rbdtest.File(t, "vm201-libvirt.cmdline")}
	p.File("self", "")
	p.File("meminfo", "MemTotal: 1 kB\n")
	return p
}

func TestProcessTable(t *testing.T) {
	p := fakeProc(t)
	p.Process(910, "kvm", "/")
	p.File("910/stat", "910 (kvm) Z 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 91000 0 0\n") // a zombie
	p.Process(911, "kvm", "/")
	p.File("911/stat", "911 (kvm) S 1 1\n") // no such kernel
	p.Process(913, "qemu-kvm", "/a")
	p.File("913/stat", "913 (q) Z 7 (x) S 1 231 231 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 4 0 55 1\n")
	p.Process(914, "qemu-kvm", "/a")
	delete(p.MapFS, "914/cgroup")
	delete(p.MapFS, "915/stat") // it ended
	var got []Process
	list, err := newProcessTable(p).read()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		got = append(got, e.Process)
	}
	want := []Process{
		{PID: 233, Start: 23300, Comm: "kvm", VM: "101"},
		{PID: 241, Start: 24100, Comm: "kvm", VM: "102"},
		{PID: 249, Start: 24900, Comm: "kvm", VM: "103"},
		{PID: 900, Start: 90000, Comm: "qemu-system-x86", VM: "vm-201", Libvirt: true},
		{PID: 914, Start: 91400, Comm: "qemu-kvm"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// procOnly allows opening only the named files of processes.
type procOnly struct {
	fs.FS
	allowed map[string]bool
}

func (p procOnly) Open(name string) (fs.File, error) {
	if _, file, ok := strings.Cut(name, "/"); ok && !p.allowed[file] {
		return nil, fmt.Errorf("%s was opened: it may wait indefinitely", name)
	}
	return p.FS.Open(name)
}

// Listing succeeds although it can open only files that do not wait for the process.
func TestListReadsNothingThatWaits(t *testing.T) {
	safe := procOnly{fakeProc(t), map[string]bool{"comm": true, "cgroup": true, "stat": true, "status": true, "mountinfo": true}}
	got, err := newProcessTable(safe).read()
	if err != nil || len(got) != 4 {
		t.Errorf("got %d processes, %v", len(got), err)
	}
}

func TestReadGuest(t *testing.T) {
	p := fakeProc(t)
	d, err := ReadGuest(p, p, Process{PID: 233, Start: 23300, VM: "101"})
	if g := d.Guest; err != nil || g.Name != "vm101" || g.ID != "101" || g.PID != 233 || g.Kind != "vm" || len(g.Disks) != 1 {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := ReadGuest(p, p, Process{PID: 233, Start: 7}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another process of that PID: got %v", err)
	}
	if _, err := ReadGuest(p, p, Process{PID: 5, Start: 7}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such process: got %v", err)
	}
	p.File("233/cmdline", "")
	if _, err := ReadGuest(p, p, Process{PID: 233, Start: 23300}); !errors.Is(err, errProcEnded) {
		t.Errorf("a process without memory: got %v", err)
	}
	p.File("233/cmdline", strings.Repeat("PLANTED", 200_000))
	if _, err := ReadGuest(p, p, Process{PID: 233, Start: 23300}); err == nil || strings.Contains(err.Error(), rbdtest.Planted) {
		t.Errorf("a long command line: got %v", err)
	}
}

func TestGuestOfProcess(t *testing.T) {
	for _, c := range []struct {
		p        Process
		g        rbd.Guest
		name, id string
	}{
		{Process{PID: 9, Comm: "kvm", VM: "101"}, rbd.Guest{}, "vm101", "101"},
		{Process{PID: 9, Comm: "kvm", VM: "101"}, rbd.Guest{Name: "db1", ID: "101"}, "db1", "101"},
		{Process{PID: 9, Comm: "kvm", VM: "web", Libvirt: true}, rbd.Guest{}, "web", ""},
		{Process{PID: 9, Comm: "kvm"}, rbd.Guest{}, "kvm 9", ""},
	} {
		if g := guestOf(c.g, c.p); g.Name != c.name || g.ID != c.id || g.PID != 9 {
			t.Errorf("%+v: got %+v", c.p, g)
		}
	}
}

func TestQEMUScope(t *testing.T) {
	for _, c := range []struct {
		cgroup, vm string
		libvirt    bool
	}{
		{"0::/qemu.slice/101.scope\n", "101", false},
		{"12:devices:/qemu.slice/101.scope\n0::/\n", "101", false},
		{"0::/../../qemu.slice/101.scope\n", "101", false},
		{"0::/qemu.slice/x.scope\n", "", false},
		{"0::/user.slice/101.scope\n", "", false},
		{`0::/machine.slice/machine-qemu\x2d12\x2dinstance\x2d00000a1f.scope/libvirt` + "\n", "instance-00000a1f", true},
		{"5:cpu:/machine/qemu-3-web.libvirt-qemu/emulator\n", "web", true},
		{"0::/machine.slice/machine-lxc\\x2d12\\x2dc1.scope\n", "", false},
		{"0::/machine.slice/qemu-3-web\n", "", false},
		{`0::/machine.slice/machine-qemu\x2d12\x2`, "", false},
		{"no cgroup", "", false},
		{"", "", false},
	} {
		if vm, libvirt := scopeOf([]byte(c.cgroup)); vm != c.vm || libvirt != c.libvirt {
			t.Errorf("%q: got %q, %v", c.cgroup, vm, libvirt)
		}
	}
}

func TestReadOpened(t *testing.T) {
	p := fakeProc(t)
	for fd, target := range map[string]string{
		"0": "/dev/null", "3": "anon_inode:[eventfd]", "11": "/dev/rbd0", "12": "/dev/rbd0", "13": "/dev/rbd12p1",
		"14": "socket:[10854]", "15": "/dev/dm-3", "16": "/dev/nbd1", "17": "/dev/rbd0 (deleted)", "18": "/mnt/rbd0",
	} {
		p.Link("233/fd/"+fd, target)
	}
	p.Link("241/fd/3", "/dev/rbd1")
	p.Link("249/fd/3", "/dev/rbd1")
	got := ReadOpened(procDenied{p.MapFS, "249/fd"}, []Process{{PID: 233, Start: 23300}, {PID: 7}, {PID: 241, Start: 1},
		{PID: 249, Start: 24900}})
	want := []Opened{
		{PID: 233, Disks: []rbd.Disk{{Path: "/dev/dm-3"}, {Path: "/dev/nbd1"}, {Path: "/dev/rbd0"}, {Path: "/dev/rbd12p1"}}},
		{PID: 249, Denied: true, Err: "permission denied"}, // 7 has ended, and 241 is another process now
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// procDenied denies listing a directory.
type procDenied struct {
	fstest.MapFS
	dir string
}

func (p procDenied) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == p.dir {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return p.MapFS.ReadDir(name)
}

// procAsker counts the queries of each process.
type procAsker struct {
	proc  fs.FS
	asked map[int]int
	fails map[int]error
	stuck error // open devices by process
}

// asks returns the asker in the role of the probe.
func (a *procAsker) asks() Asks {
	return Asks{
		Guest: a.ask, Opened: a.opened,
		Exports: func(_ context.Context, p Process) ([]rbd.Export, error) { return ReadExports(a.proc, p) },
		Systems: func(_ context.Context, vmids []string) (map[string]string, error) {
			return ReadSystems(a.proc, vmids), nil
		},
	}
}

// procNoDevices is a host without network block and loop devices.
func procNoDevices() ([]ServedDevice, error) { return nil, nil }

func (a *procAsker) opened(_ context.Context, of []Process) ([]Opened, error) {
	list := ReadOpened(a.proc, of)
	for i := range list {
		list[i].Disks = guest.FillNumbers(list[i].Disks, procNumbers)
	}
	return list, a.stuck
}

func (a *procAsker) ask(_ context.Context, p Process) (Description, error) {
	a.asked[p.PID]++
	if err := a.fails[p.PID]; err != nil {
		return Description{}, err
	}
	d, err := ReadGuest(a.proc, a.proc, p)
	d.Guest.Disks = guest.FillNumbers(d.Guest.Disks, procNumbers)
	return d, err
}

// procNumbers are the device numbers of the lab's links.
func procNumbers(path string) (major, minor uint32, ok bool) {
	switch path {
	case "/dev/rbd0", "/dev/rbd-pve/33b862db-5e43-43fb-927c-e4b2e2132a65/rbd/vm-101-disk-0":
		return 254, 0, true
	case "/dev/rbd1", "/dev/rbd/rbd/vm-102-disk-0":
		return 254, 16, true
	case "/dev/rbd2":
		return 254, 32, true
	}
	return 0, 0, false
}

func TestProcesses(t *testing.T) {
	p := fakeProc(t)
	p.Process(500, "init", "/lxc/105/ns/init.scope")
	p.File("500/mountinfo", "1 1 254:48 / / rw - ext4 /dev/rbd3 rw\n")
	p.Link("233/fd/11", "/dev/rbd0") // another name than on the command line
	p.Link("233/fd/12", "/dev/rbd2") // plugged in later
	a := &procAsker{proc: p, asked: map[int]int{}, fails: map[int]error{249: errors.New("rbd: the probe is stuck")}}
	r := NewProcesses(p, a.asks(), procNoDevices)
	got, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rbdtest.Golden(t, "processes", got)

	// Known open files stay known while queries fail.
	a.stuck = fmt.Errorf("%w: busy", ErrNotAsked)
	var stuck rbd.Guests
	for range openedEvery {
		if stuck, err = r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got.Guests, stuck.Guests); diff != "" {
			t.Error(diff)
		}
	}
	if !strings.Contains(stuck.Partly, "disks plugged in after the start are unknown: not asked yet: busy") {
		t.Error(stuck.Partly)
	}
	a.stuck = nil

	// Each was queried once, except the failed one, which was not retried at once.
	for range askAgain - 1 - openedEvery {
		if _, err := r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[int]int{233: 1, 241: 1, 249: 1, 900: 1}, a.asked); diff != "" {
		t.Error(diff)
	}
	a.fails = nil
	got, err = r.Read(t.Context())
	if err != nil || got.Partly != "" || a.asked[249] != 2 {
		t.Errorf("got %q, %v, asked %d times", got.Partly, err, a.asked[249])
	}

	// The PID now belongs to another process: it is queried.
	p.File("233/stat", strings.Replace(string(p.MapFS["233/stat"].Data), "23300", "23301", 1))
	if _, err := r.Read(t.Context()); err != nil || a.asked[233] != 2 {
		t.Errorf("%v, asked %d times", err, a.asked[233])
	}
}

// After the deadline no process is queried, and that is reported; the next reading
// continues.
func TestProcessesOutOfTime(t *testing.T) {
	p := fakeProc(t)
	a := &procAsker{proc: p, asked: map[int]int{}}
	r := NewProcesses(p, a.asks(), procNoDevices)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := r.Read(over)
	if err != nil || len(got.Guests) != 4 || len(a.asked) != 0 || got.Partly != "vm101, vm102, vm103 and 1 more: not asked yet" {
		t.Errorf("got %+v, %v, asked %v", got, err, a.asked)
	}
	if got, err = r.Read(t.Context()); err != nil || got.Partly != "" || len(a.asked) != 4 {
		t.Errorf("got %q, %v, asked %v", got.Partly, err, a.asked)
	}
}

// If no process could be queried because the probe was busy, the next reading
// queries: ten minutes without the guests' disks would be too long.
func TestProcessesNotAsked(t *testing.T) {
	p := fakeProc(t)
	a := &procAsker{proc: p, asked: map[int]int{}}
	busy := true
	asks := a.asks()
	asks.Guest = func(ctx context.Context, of Process) (Description, error) {
		if busy {
			return Description{}, fmt.Errorf("%w: busy", ErrNotAsked)
		}
		return a.ask(ctx, of)
	}
	r := NewProcesses(p, asks, procNoDevices)
	got, err := r.Read(t.Context())
	if err != nil || len(got.Guests) != 4 || !strings.HasSuffix(got.Partly, ": not asked yet: busy") {
		t.Errorf("busy: got %+v, %v", got, err)
	}
	busy = false
	if got, err = r.Read(t.Context()); err != nil || got.Partly != "" || len(a.asked) != 4 {
		t.Errorf("got %q, %v, asked %v", got.Partly, err, a.asked)
	}
}

// A partly unreadable command line is not queried again, and its readable part is
// used.
func TestProcessesPartOfACommandLine(t *testing.T) {
	p := fakeProc(t)
	p.File("233/cmdline", string(rbdtest.File(t, "vm101.cmdline"))+"-blockdev\x00{\"PLANTED\x00")
	a := &procAsker{proc: p, asked: map[int]int{}}
	r := NewProcesses(p, a.asks(), procNoDevices)
	for range 2 * askAgain {
		got, err := r.Read(t.Context())
		want := "vm101: QEMU command line: 1 options could not be read: -blockdev no. 1: not JSON"
		if err != nil || got.Partly != want || len(got.Guests[0].Disks) != 1 {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	if a.asked[233] != 1 {
		t.Errorf("asked %d times", a.asked[233])
	}
}

func TestProcessesNoProc(t *testing.T) {
	r := NewProcesses(os.DirFS("/nowhere"), Asks{}, procNoDevices)
	if _, err := r.Read(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestQEMUSleeper is not a test by itself: TestReadGuestForReal runs it as a process
// that waits until its input is closed.
func TestQEMUSleeper(t *testing.T) {
	if os.Getenv("QEMU_SLEEPER") != "" {
		io.Copy(io.Discard, os.Stdin)
	}
}

// On this machine's /proc, a process named kvm is found and its command line read.
func TestReadGuestForReal(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exe := t.TempDir() + "/kvm"
	if err := os.Symlink(self, exe); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run", "^TestQEMUSleeper$", "--", "-name", "vm9")
	cmd.Env = append(os.Environ(), "QEMU_SLEEPER=1")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	proc := os.DirFS("/proc")
	list, err := newProcessTable(proc).read()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.PID != cmd.Process.Pid {
			continue
		}
		d, err := ReadGuest(os.DirFS("/"), proc, e.Process)
		if g := d.Guest; err != nil || g.PID != e.PID || g.Name != "vm9" || e.Start == 0 {
			t.Errorf("got %+v, %v", d, err)
		}
		if o := ReadOpened(proc, []Process{e.Process}); len(o) != 1 || o[0].Err != "" {
			t.Errorf("got %+v", o)
		}
		return
	}
	t.Errorf("process %d is not among %+v", cmd.Process.Pid, list)
}

// A cgroup file yields at most one VM, with a bounded name; a VMID is a number.
func FuzzQEMUScope(f *testing.F) {
	f.Add("0::/qemu.slice/101.scope\n")
	f.Add(`0::/machine.slice/machine-qemu\x2d1\x2dvm201.scope/libvirt/emulator`)
	f.Add("12:devices:/machine/qemu-3-web.libvirt-qemu\n")
	f.Add("0::/lxc/105/ns/lxc/200\n1:name=systemd:/lxc.payload.c1\n")
	f.Fuzz(func(t *testing.T, cgroup string) {
		vm, libvirt := scopeOf([]byte(cgroup))
		if !libvirt && vm != "" && !naming.Digits(vm) || len(vm) > 3*naming.MaxText {
			t.Fatalf("got %q", vm)
		}
		id, ok := guestContainer([]byte(cgroup))
		if ok == (id == "") || strings.Contains(id, "/") || len(id) > 3*naming.MaxText {
			t.Fatalf("got %q, %v", id, ok)
		}
		// A following line of another controller changes nothing.
		if again, lv := scopeOf([]byte(strings.TrimSuffix(cgroup, "\n") + "\n9:pids:/\n")); again != vm || lv != libvirt {
			t.Fatalf("got %q, then %q", vm, again)
		}
	})
}
