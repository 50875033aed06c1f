package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

// fieldRead reads the guests of a /proc as the daemon and its probe do.
func fieldRead(t *testing.T, p rbdtest.Proc, devices ...ServedDevice) rbd.Guests {
	t.Helper()
	a := &procAsker{proc: p, asked: map[int]int{}}
	got, err := NewProcesses(p, a.asks(), func() ([]ServedDevice, error) { return devices, nil }).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Containers, files on a file system on krbd, stacks of devices, and a virtual
// machine monitor that is not QEMU.
func TestFieldProcesses(t *testing.T) {
	raw, err := os.ReadFile("testdata/field/processes.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []rbdtest.Process
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	mapped := rbdtest.Mapped(10)
	stack := func(i int, h rbd.Holder) { mapped[i].Holders = append(mapped[i].Holders, h) }
	for i := range 7 { // separate devices below the stacks
		mapped = append(mapped, rbd.Mapped{ID: 20 + i, Device: fmt.Sprint("rbd", 20+i), Major: 252, Minor: uint32(320 + 16*i), Pool: "p",
			Image: fmt.Sprint("s", i)})
	}
	stack(10, rbd.Holder{Device: "bcache0", Major: 251, Minor: 0})
	stack(11, rbd.Holder{Device: "dm-1", Name: "rbd_fc", Major: 253, Minor: 1})
	stack(12, rbd.Holder{Device: "dm-2", Name: "rbd_vdo", Major: 253, Minor: 2})
	stack(13, rbd.Holder{Device: "dm-3", Name: "crypt-volume-1", Major: 253, Minor: 3})
	stack(14, rbd.Holder{Device: "dm-4", Name: "vg--rbd-vm1", Major: 253, Minor: 4})
	stack(15, rbd.Holder{Device: "md127", Major: 9, Minor: 127})
	stack(16, rbd.Holder{Device: "drbd1000", Major: 147, Minor: 1000})
	got := fieldRead(t, rbdtest.NewProc(t, list...))
	want := map[string]string{
		"rbd0": "ct105", "rbd1": "web", "rbd2": "one-11", "rbd3": "default_vm1", "rbd5": "mail1", "rbd6": "ct108", "rbd7": "proj_db",
		"rbd9":  "cloud-hyperviso 2008",
		"rbd20": "bc1", "rbd21": "fc", "rbd22": "vdo", "rbd23": "osbrick", "rbd24": "lv", "rbd25": "md", "rbd26": "drbd",
	}
	if diff := cmp.Diff(want, rbdtest.Uses(mapped, got.Guests)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, g := range got.Guests {
		if g.Name == "guest7" && g.Disks[0] != (rbd.Disk{Target: "virtio", Client: rbd.LibRBD, Pool: "vms", Image: "guest7"}) {
			t.Errorf("got %+v", g)
		}
		if g.Name == "one-12" && g.Disks[0].Client != rbd.NBD {
			t.Errorf("got %+v", g)
		}
	}
}

// Disks in a configuration file, which is read from the host's root directory if QEMU
// has changed its own.
func TestFieldConfigurationFile(t *testing.T) {
	line, err := os.ReadFile("testdata/field/09-fcqemu.cmd")
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("testdata/field/09-fcqemu.cfg")
	if err != nil {
		t.Fatal(err)
	}
	p := rbdtest.NewProc(t, rbdtest.Process{PID: 7, Comm: "kvm.slurmtest13", Cgroup: "0::/system.slice/fc-qemu.service\n",
		Cmd: strings.Fields(string(line))})
	check := func(what string, host rbdtest.Proc) {
		d, err := ReadGuest(host, p, Process{PID: 7, Start: 700, Comm: "kvm.slurmtest13"})
		var names []string
		for _, disk := range d.Guest.Disks {
			names = append(names, fmt.Sprintf("%s %s %s/%s", disk.Target, disk.Client, disk.Pool, disk.Image))
		}
		want := []string{"virtio0 librbd rbd.hdd/slurmtest13.root", "virtio1 librbd rbd.hdd/slurmtest13.swap",
			"virtio2 librbd rbd.hdd/slurmtest13.tmp", "virtio3 librbd rbd.hdd/slurmtest13.cidata"}
		if diff := cmp.Diff(want, names); diff != "" || err != nil || d.Err != "" || d.Guest.Name != "slurmtest13" ||
			strings.Contains(fmt.Sprintf("%+v", d), rbdtest.Planted) {
			t.Errorf("%s: %v %+v\n%s", what, err, d, diff)
		}
	}
	host := rbdtest.Proc{MapFS: fstest.MapFS{"run/qemu.slurmtest13.cfg": {Data: config}}}
	check("root not seen", host)
	p.Link("7/root", "/srv/vm/slurmtest13")
	check("root changed", host)

	d, err := ReadGuest(rbdtest.Proc{MapFS: fstest.MapFS{}}, p, Process{PID: 7, Start: 700})
	if err != nil || d.Guest.Name != "slurmtest13" || !strings.Contains(d.Err, "-readconfig no. 1") {
		t.Errorf("no such file: got %+v, %v", d, err)
	}
	d, err = ReadGuest(rbdtest.Proc{MapFS: fstest.MapFS{"run/qemu.slurmtest13.cfg": {Mode: os.ModeNamedPipe}}}, p,
		Process{PID: 7, Start: 700})
	if err != nil || len(d.Guest.Disks) != 0 || !strings.Contains(d.Err, "not a file") {
		t.Errorf("a pipe: got %+v, %v", d, err)
	}
}

// A name that any user could have chosen proves nothing, nor does a program without a
// machine. A machine run by KVM is proof, whichever user started it.
func TestFieldWhatCountsAsAGuest(t *testing.T) {
	vm := []string{"qemu-system-x86_64", "-name", "x", "-drive", "file=rbd:p/i,if=virtio"}
	user, nobody, system, dynamic := "Uid:\t1000\t1000\t1000\t1000\n", "Uid:\t65534\t65534\t65534\t65534\n",
		"Uid:\t64055\t64055\t64055\t64055\n", "Uid:\t61184\t61184\t61184\t61184\n"
	for _, c := range []struct {
		what, comm, cgroup, status string
		cmd, fds                   []string
		timer, guest               bool
	}{
		{"root's", "qemu-system-x86", "0::/a\n", "Uid:\t0\t0\t0\t0\n", vm, nil, false, true},
		{"a system account's", "qemu-system-x86", "0::/a\n", system, vm, nil, false, true},
		{"a dynamic user's", "qemu-system-x86", "0::/a\n", dynamic, vm, nil, false, true},
		{"a user's", "qemu-system-x86", "0::/user.slice/a\n", user, vm, nil, false, false},
		{"nobody's", "kvm", "0::/a\n", nobody, vm, []string{"/dev/rbd0"}, false, false},
		{"set-user-ID, a user's", "kvm", "0::/a\n", "Uid:\t1000\t0\t0\t0\n", vm, nil, false, false},
		{"a user's, run by KVM", "qemu-system-x86", "0::/user.slice/a\n", user, vm, []string{"/dev/kvm", "anon_inode:kvm-vm"}, false, true},
		{"nobody's, run by KVM", "kvm.x", "0::/a\n", nobody, vm, []string{"anon_inode:kvm-vm"}, false, true},
		{"nobody's, with KVM's timer", "kvm.x", "0::/a\n", nobody, vm, nil, true, true},
		{"a user's in libvirt's scope", "qemu-kvm", `0::/machine.slice/machine-qemu\x2d1\x2dx.scope` + "\n",
			"Uid:\t9869\t9869\t9869\t9869\n", vm, nil, false, true},
		{"a user's in a scope of his own", "qemu-kvm", `0::/user.slice/user-1000.slice/user@1000.service/machine-qemu\x2d1\x2dx.scope` +
			"\n", user, vm, nil, false, false},
		{"a wrapped one", ".qemu-system-x8", "0::/a\n", "", vm, nil, false, true},
		{"with libvirt's process name", "qemu:db01", "0::/a\n", "", vm, nil, false, true},
		{"a wrapped kvm", ".kvm-wrapped", "0::/a\n", "", vm, nil, false, true},
		{"a wrapped cloud-hypervisor", ".cloud-hypervis", "0::/a\n", "", []string{"cloud-hypervisor", "--disk", "path=/dev/rbd9"}, nil,
			false, true},
		{"cloud-hypervisor's help", "cloud-hyperviso", "0::/a\n", "", []string{"cloud-hypervisor", "--help"}, nil, false, false},
		{"with another manager's", "kvm.db01", "0::/a\n", "", vm, nil, false, true},
		{"asked what it can do", "qemu-system-x86", "0::/a\n", system,
			[]string{"qemu", "-S", "-no-user-config", "-nodefaults", "-machine", "none,accel=kvm:tcg", "-daemonize"}, nil, false, false},
		{"a script that waits", "kvm", "0::/a\n", "", []string{"/bin/bash", "/usr/bin/kvm", "-name", "x"}, nil, false, false},
		{"only the name", "kvm", "0::/a\n", "", []string{"kvm", "1000"}, nil, false, false},
		{"an emulator of programs", "qemu-x86_64", "0::/a\n", "", vm, nil, false, false},
		{"of any name, in libvirt's scope", "foo", `0::/machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator` + "\n", user,
			[]string{"/usr/bin/qemu-system-x86_64", "-name", "guest=web,process=foo"}, nil, false, true},
		{"of any name, in Proxmox's scope", "web", "0::/qemu.slice/101.scope\n", "",
			[]string{"/usr/bin/kvm", "-id", "101", "-name", "web,process=web"}, nil, false, true},
		{"of any name, with KVM's timer", "foo", "0::/system.slice/vm.service\n", system,
			[]string{"qemu-system-x86_64", "-name", "guest=web,process=foo", "-m", "1G"}, nil, true, true},
		{"of any name, and without a sign of KVM", "foo", "0::/system.slice/vm.service\n", system,
			[]string{"qemu-system-x86_64", "-name", "guest=web,process=foo", "-m", "1G"}, nil, false, false},
		{"the TPM of a guest in its scope", "swtpm", `0::/machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator` + "\n", system,
			[]string{"/usr/bin/swtpm", "socket", "--ctrl", "type=unixio,path=/x", "-m", "x", "-name", "x"}, nil, false, false},
		{"another machine monitor with KVM's timer", "firecracker", "0::/a\n", "", []string{"firecracker", "--id", "x", "--api-sock", "/x"},
			nil, true, false},
		{"the guest's agent", "qemu-ga", "0::/a\n", "", vm, nil, false, false},
		{"the image tool", "qemu-img", "0::/a\n", "", vm, nil, false, false},
	} {
		p := rbdtest.NewProc(t, rbdtest.Process{PID: 50, Comm: c.comm, Cgroup: c.cgroup, Cmd: c.cmd, FDs: c.fds})
		if c.status != "" {
			p.File("50/status", "Name:\tx\n"+c.status)
		}
		if c.timer {
			p.File("60/stat", "60 (kvm-pit/50) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0\n")
		}
		if got := fieldRead(t, p); len(got.Guests) != 1 == c.guest {
			t.Errorf("%s: got %+v", c.what, got.Guests)
		}
	}
}

// Kernel threads of KVM other than its timer also prove that a program with any name runs
// a machine; the first argument shows which program it is.
func TestMachineOfAnyName(t *testing.T) {
	p := rbdtest.NewProc(t,
		rbdtest.Process{PID: 50, Comm: "microvm@web", Cgroup: "0::/a\n",
			Cmd: []string{"/nix/store/x/bin/qemu-system-x86_64", "-name", "web,process=microvm@web", "-M", "microvm"},
			FDs: []string{"/dev/rbd0"}},
		rbdtest.Process{PID: 51, Comm: "microvm@db", Cgroup: "0::/a\n", Cmd: []string{"microvm@db", "-name", "db", "-M", "microvm"}},
	)
	for _, pid := range []string{"50", "51"} {
		p.File("6"+pid+"/stat", "6"+pid+" (kvm-nx-lpage-recovery-"+pid+") S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0\n")
	}
	if got := fieldRead(t, p); len(got.Guests) != 1 || got.Guests[0].Name != "web" || len(got.Guests[0].Disks) != 1 || got.Partly != "" {
		t.Errorf("got %+v", got)
	}
	a := &procAsker{proc: p, asked: map[int]int{}, fails: map[int]error{50: ErrNotAsked, 51: ErrNotAsked}}
	if got, err := NewProcesses(p, a.asks(), procNoDevices).Read(t.Context()); err != nil || len(got.Guests) != 0 {
		t.Errorf("not asked yet: got %+v, %v", got, err)
	}
}

// Loop devices, and network block devices below a file system, lead to the devices
// with their data.
func TestFieldLoops(t *testing.T) {
	mount := "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 252:16 / /srv/images rw - xfs /dev/rbd1 rw\n3 1 43:33 / /srv/nbd rw - ext4 /dev/nbd1p1 rw\n5 1 43:128 / /srv/nbd4 rw - ext4 /dev/nbd4 rw\n4 1 7:4 / /srv/loop rw - ext4 /dev/loop4 rw\n"
	guest := func(pid int, name, disk string) rbdtest.Process {
		return rbdtest.Process{PID: pid, Comm: "kvm", Cgroup: "0::/a\n", MountInfo: mount,
			Cmd: []string{"kvm", "-name", name, "-drive", "if=virtio,file=" + disk}}
	}
	number := func(major, minor uint32) [][2]uint32 { return [][2]uint32{{major, minor}} }
	devices := []ServedDevice{
		{Device: "loop0", File: "/srv/images/a.raw", Numbers: number(7, 0)},
		{Device: "loop1", File: "/dev/rbd2", Numbers: [][2]uint32{{7, 1}, {259, 1}}},
		{Device: "loop2", File: "/var/lib/snapd/x.snap", Numbers: number(7, 2)},
		{Device: "loop3", File: "/dev/loop0", Numbers: number(7, 3)},
		{Device: "loop4", File: "/srv/images/fs.raw", Numbers: number(7, 4)},
		{Device: "loop5", File: "/srv/loop/on-loop4.raw", Numbers: number(7, 5)},
		{Device: "loop6", File: "/dev/loop7", Numbers: number(7, 6)}, {Device: "loop7", File: "/dev/loop6", Numbers: number(7, 7)},
		{Device: "nbd1", PID: 11, Numbers: [][2]uint32{{43, 32}, {43, 33}}},
		{Device: "nbd3", PID: 12, Numbers: number(43, 96)}, {Device: "nbd4", PID: 13, Numbers: number(43, 128)},
	}
	p := rbdtest.NewProc(t,
		rbdtest.Process{PID: 1, Comm: "systemd", Cgroup: "0::/init.scope\n", MountInfo: mount},
		rbdtest.Process{PID: 11, Comm: "rbd-nbd", Cgroup: "0::/a\n", Cmd: []string{"rbd-nbd", "map", "vms/db1"}},
		rbdtest.Process{PID: 12, Comm: "qemu-nbd", Cgroup: "0::/a\n", Cmd: []string{"qemu-nbd", "-c/dev/nbd3", "/dev/loop1"}},
		rbdtest.Process{PID: 13, Comm: "rbd-nbd", Cgroup: "0::/a\n", Cmd: []string{"rbd-nbd", "map", "--device", "/dev/nbd4", "vms/db1"}},
		guest(29, "file on nbd", "/srv/nbd4/x.qcow2"),
		guest(20, "file", "/dev/loop0"), guest(21, "device", "/dev/loop1p1"), guest(22, "snap", "/dev/loop2"),
		guest(23, "loop on loop", "/dev/loop3"),
		guest(24, "file on loop", "/srv/loop/x.qcow2"), guest(25, "loop on file on loop", "/dev/loop5"), guest(26, "round", "/dev/loop6"),
		guest(27, "file on nbd", "/srv/nbd/x.qcow2"), guest(28, "nbd on loop", "/dev/nbd3"),
		rbdtest.Process{PID: 30, Comm: "systemd", Cgroup: "0::/lxc/105/ns\n",
			MountInfo: "1 0 7:0 / / rw - ext4 /dev/loop0 rw\n2 1 259:1 / /data rw - ext4 /dev/loop1p1 rw\n"},
		rbdtest.Process{PID: 31, Comm: "kvm", Cgroup: "0::/a\n", FDs: []string{"/dev/loop4"}, Cmd: []string{"kvm", "-name", "plugged in"}},
	)
	got := fieldRead(t, p, devices...)
	mapped := rbdtest.Mapped(4)
	want := map[string]string{
		"rbd1": "ct105 file file on loop loop on file on loop loop on loop plugged in",
		"rbd2": "ct105 device nbd on loop",
	}
	if diff := cmp.Diff(want, rbdtest.Uses(mapped, got.Guests)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, g := range got.Guests {
		switch d := g.Disks[0]; g.Name {
		case "file on nbd":
			if d.Client != rbd.NBD || d.Image != "db1" || path.Base(d.Path) != "x.qcow2" {
				t.Errorf("got %+v", g)
			}
		case "loop on loop":
			if d.Via != "/dev/loop3" || d.Path != "/srv/images/a.raw" {
				t.Errorf("got %+v", g)
			}
		case "file":
			if d.Via != "/dev/loop0" || d.Path != "/srv/images/a.raw" {
				t.Errorf("got %+v", g)
			}
		}
	}

	// Without the mounts the reading is partial; disks that need no mount are found.
	bare := rbdtest.Proc{MapFS: maps.Clone(p.MapFS)}
	delete(bare.MapFS, "1/mountinfo")
	got = fieldRead(t, bare, devices...)
	if uses := rbdtest.Uses(mapped, got.Guests); !strings.Contains(uses["rbd2"], "device") || strings.Contains(uses["rbd1"], "file file") ||
		!strings.Contains(got.Partly, "loop devices") {
		t.Errorf("got %q, %v", got.Partly, uses)
	}
	if got := fieldRead(t, bare, devices[1], devices[8]); strings.Contains(got.Partly, "loop devices") {
		t.Errorf("without a file on a file system: got %q", got.Partly)
	}

	// The mounts are read again only after a change of the loop devices.
	r := NewProcesses(p, (&procAsker{proc: p, asked: map[int]int{}}).asks(), func() ([]ServedDevice, error) { return devices, nil })
	for _, last := range []string{"rbd1", "rbd1", "rbd3"} {
		got, err := r.Read(t.Context())
		if err != nil || !strings.Contains(rbdtest.Uses(mapped, got.Guests)[last], "file on loop") {
			t.Errorf("%s: %v %+v", last, err, rbdtest.Uses(mapped, got.Guests))
		}
		p.File("1/mountinfo", strings.ReplaceAll(mount, "252:16", "252:48"))
		if last == "rbd1" && r.turn == 2 {
			devices = append(slices.Clone(devices), ServedDevice{Device: "loop8", File: "/x", Numbers: number(7, 8)})
		}
	}
}

// A process that becomes a virtual machine, as a wrapper does, counts as one from
// then on.
func TestWrapperBecomesAGuest(t *testing.T) {
	p := rbdtest.NewProc(t, rbdtest.Process{PID: 50, Comm: "kvm", Cgroup: "0::/a\n",
		Cmd: []string{"/bin/sh", "/usr/bin/kvm", "-name", "x"}})
	a := &procAsker{proc: p, asked: map[int]int{}}
	r := NewProcesses(p, a.asks(), procNoDevices)
	if got, err := r.Read(t.Context()); err != nil || len(got.Guests) != 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	p.Process(50, "qemu-system-x86", "/a")
	p.File("50/cmdline", "qemu-system-x86_64\x00-name\x00x\x00")
	if got, err := r.Read(t.Context()); err != nil || len(got.Guests) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
}

// The processes behind network block devices and sockets, and their disks.
func TestFieldExports(t *testing.T) {
	server := func(pid int, comm string, args ...string) rbdtest.Process {
		return rbdtest.Process{PID: pid, Comm: comm, Cgroup: "0::/a\n", Cmd: append([]string{"x"}, args...)}
	}
	guest := func(pid int, name string, args ...string) rbdtest.Process {
		return rbdtest.Process{PID: pid, Comm: "kvm", Cgroup: "0::/a\n", Cmd: append([]string{"kvm", "-name", name}, args...)}
	}
	got := fieldRead(t, rbdtest.NewProc(t,
		server(10, "rbd-nbd", "--id", "admin", "--keyring", "/etc/k", "map", "--device", "/dev/nbd0", "vms/db1@snap"),
		server(11, "rbd-nbd", "map", "--exclusive", "vms/ns/db2", "--key=PLANTED"),
		server(12, "qemu-nbd", "-c", "/dev/nbd2", "-f", "raw", "rbd:vms/db3:key=PLANTED"),
		server(13, "qemu-nbd", "--connect=/dev/nbd3", "/var/x.qcow2"),
		server(17, "qemu-nbd", "-c/dev/nbd4", "-f", "raw", "/dev/rbd4"),
		server(18, "qemu-nbd", "-vrnc", "/dev/nbd5", "--", "rbd:vms/db18"),
		server(19, "qemu-nbd", "-P1", "--read-only", "-tc/dev/nbd6", "rbd:vms/db19"),
		server(40, "qemu-nbd", "-t", "-e2", "-k/run/n/40.sock", "--image-opts", "driver=rbd,pool=vms,image=db40"),
		server(41, "rbd-nbd", "-i", "admin", "--device=/dev/nbd7", "map", "vms/db41"),
		guest(50, "l", "-drive", "file=/dev/nbd4,if=virtio"),
		guest(51, "m", "-drive", "file=/dev/nbd5,if=virtio"),
		guest(52, "n", "-drive", "file=/dev/nbd6p1,if=virtio"),
		guest(53, "o", "-drive", "file=nbd:unix:/run/n/40.sock,if=virtio"),
		guest(54, "p", "-drive", "file=/dev/nbd7,if=virtio"),
		server(14, "qemu-storage-da", "--blockdev", "driver=rbd,pool=vms,image=db5,node-name=n5,key-secret=PLANTED", "--blockdev",
			`{"driver":"host_device","filename":"/dev/rbd6","node-name":"n6"}`,
			"--export", "type=vhost-user-blk,id=e5,addr.type=unix,addr.path=/run/qsd/5.sock,node-name=n5,writable=on",
			"--export", `{"type":"vhost-user-blk","id":"e6","node-name":"n6","addr":{"type":"unix","path":"/var/run/qsd/6.sock"}}`,
			"--nbd-server", "addr.type=unix,addr.path=/run/qsd/nbd.sock", "--export", "nbd,id=e7,node-name=n5,name=d"),
		server(15, ".qemu-storage-d", "--blockdev", "driver=host_device,filename=/dev/rbd8,node-name=n8", "--export",
			"type=fuse,id=e8,node-name=n8,mountpoint=/run/qsd/8.raw"),
		server(16, ".qemu-nbd-wrapp", "-A", "-f", "raw", "--socket=/run/n/9.sock", "rbd:vms/db9"),
		guest(28, "i", "-drive", "file=/run/qsd/8.raw,if=virtio"),
		guest(29, "j", "-drive", "file=nbd+unix:///d?socket=/run/n/9.sock,if=virtio", "-drive",
			"file=nbd://u:PLANTED@192.0.2.1/x,if=virtio"),
		guest(30, "k", "-chardev", "socket,id=c5,path=/run/qsd/5.sock", "-device", "vhost-user-scsi-pci,chardev=c5,id=v5"),
		guest(20, "a", "-drive", "file=/dev/nbd0,if=virtio"),
		guest(21, "b", "-drive", "file=/dev/nbd1p1,if=virtio"),
		guest(22, "c", "-drive", "file=/dev/nbd2,if=virtio"),
		guest(23, "d", "-drive", "file=/dev/nbd3,if=virtio"),
		guest(24, "e", "-chardev", "socket,id=c5,path=/run/qsd/5.sock", "-device", "vhost-user-blk-pci,chardev=c5,id=v5",
			"-chardev", `{"backend":"socket","id":"c6","path":"/run/qsd/6.sock"}`, "-device",
			`{"driver":"vhost-user-blk-pci","chardev":"c6","id":"v6"}`),
		guest(25, "f", "-drive", "file=nbd:unix:/run/qsd/nbd.sock:exportname=d,if=virtio"),
		guest(26, "g", "-blockdev", `{"driver":"nbd","server":{"type":"unix","path":"/run/qsd/nbd.sock"},"export":"d","node-name":"x"}`),
		guest(27, "h", "-drive", "file=/dev/nbd9,if=virtio"),
	), ServedDevice{Device: "nbd0", PID: 10}, ServedDevice{Device: "nbd1", PID: 11}, ServedDevice{Device: "nbd2", PID: 12},
		ServedDevice{Device: "nbd3", PID: 13}, ServedDevice{Device: "nbd9", PID: 99})
	if strings.Contains(fmt.Sprintf("%+v", got), rbdtest.Planted) {
		t.Error("a key was kept")
	}
	want := map[string][]string{
		"a": {"rbd-nbd vms/db1@snap /dev/nbd0"}, "b": {"rbd-nbd vms/ns/db2 /dev/nbd1p1"}, "c": {"librbd vms/db3 /dev/nbd2"},
		"d": {" / /var/x.qcow2"},
		"e": {"librbd vms/db5 /run/qsd/5.sock", "krbd / /dev/rbd6"}, "f": {"librbd vms/db5 /run/qsd/nbd.sock"},
		"g": {"librbd vms/db5 /run/qsd/nbd.sock"}, "h": {" / /dev/nbd9"},
		"i": {"krbd / /dev/rbd8"}, "j": {"librbd vms/db9 /run/n/9.sock"}, "k": {"librbd vms/db5 /run/qsd/5.sock"},
		"l": {"krbd / /dev/rbd4"}, "m": {"librbd vms/db18 /dev/nbd5"}, "n": {"librbd vms/db19 /dev/nbd6p1"},
		"o": {"librbd vms/db40 /run/n/40.sock"}, "p": {"rbd-nbd vms/db41 /dev/nbd7"},
	}
	found := map[string][]string{}
	for _, g := range got.Guests {
		for _, d := range g.Disks {
			found[g.Name] = append(found[g.Name], fmt.Sprintf("%s %s %s", d.Client,
				rbd.Spec(d.Pool, d.Namespace, d.Image, d.Snapshot), d.Path))
		}
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Disks that only the process's open files show: a manager's link in its runtime
// directory, a disk plugged in after the start, a disk in an unreadable configuration
// file, and a krbd device below an open device.
func TestFieldOpened(t *testing.T) {
	mount := func(line string) string { return "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n" + line + "\n" }
	mapped := rbdtest.Mapped(8)
	mapped[5].Holders = []rbd.Holder{{Device: "rbd5p1", Major: 252, Minor: 81}}
	mapped[7].Holders = []rbd.Holder{{Device: "dm-7", Name: "vg-lv", Major: 253, Minor: 7}}
	got := fieldRead(t, rbdtest.NewProc(t,
		rbdtest.Process{PID: 80, Comm: "kvm", Cgroup: "0::/a\n", UID: 64055, FDs: []string{"/dev/kvm", "/dev/rbd0"},
			Cmd: []string{"kvm", "-name", "test1.debtest.local,debug-threads=off", "-drive",
				"file=/run/ganeti/instance-disks/test1.debtest.local:0,format=raw,if=none,id=disk-fafd85a6"}},
		rbdtest.Process{PID: 82, Comm: "kvm", Cgroup: "0::/qemu.slice/300.scope\n", FDs: []string{"/dev/rbd6"},
			Cmd: []string{"kvm", "-id", "300", "-name", "web300,debug-threads=on"}},
		rbdtest.Process{PID: 88, Comm: "qemu-system-x86", Cgroup: "0::/a\n", UID: 999, FDs: []string{"/dev/rbd3 (deleted)"},
			Cmd: []string{"qemu-system-x86_64", "-S", "-name", "v1", "-cpu", "host,hv_passthrough", "-nodefaults", "-readconfig",
				"/var/snap/lxd/common/lxd/logs/v1/qemu.conf"}},
		rbdtest.Process{PID: 89, Comm: "qemu-system-x86", Cgroup: "0::/a\n", UID: 999,
			Cmd: []string{"qemu-system-x86_64", "-name", "v2", "-cpu", "host,hv_passthrough", "-readconfig", "/run/incus/v2/qemu.conf"}},
		rbdtest.Process{PID: 90, Comm: "qemu-system-x86", Cgroup: "0::/a\n", FDs: []string{"/srv/a/disk.qcow2", "/srv/a/qemu.log"},
			MountInfo: mount("2 1 252:81 / /srv/a rw - xfs /dev/rbd5p1 rw"),
			Cmd:       []string{"q", "-name", "partition", "-drive", "file=/srv/a/disk.qcow2,if=virtio"}},
		rbdtest.Process{PID: 91, Comm: "qemu-system-x86", Cgroup: "0::/a\n", FDs: []string{"/srv/b/disk.raw"},
			MountInfo: mount("2 1 0:44 /vms /srv/b rw - btrfs /dev/rbd2 rw,subvol=/vms"),
			Cmd:       []string{"q", "-name", "btrfs", "-drive", "file=/srv/b/disk.raw,if=virtio"}},
		rbdtest.Process{PID: 92, Comm: "qemu-system-x86", Cgroup: "0::/a\n",
			MountInfo: mount("2 1 253:7 / /srv/c rw - ext4 /dev/mapper/vg-lv rw"),
			Cmd:       []string{"q", "-name", "volume", "-drive", "file=/srv/c/disk.raw,if=virtio"}},
		rbdtest.Process{PID: 93, Comm: "qemu-system-x86", Cgroup: "0::/a\n",
			MountInfo: mount("2 1 252:16 / /srv rw - ext4 /dev/rbd1 rw\n3 2 8:2 / /srv/d rw - ext4 /dev/sda2 rw"),
			Cmd:       []string{"q", "-name", "below", "-drive", "file=/srv/d/disk.raw,if=virtio"}},
		rbdtest.Process{PID: 94, Comm: "systemd", Cgroup: "0::/lxc.payload/old/init.scope\n",
			MountInfo: "1 0 252:64 / / rw - ext4 /dev/rbd4 rw\n"},
	))
	want := map[string]string{"rbd0": "test1.debtest.local", "rbd6": "web300", "rbd3": "v1", "rbd5": "partition", "rbd2": "btrfs",
		"rbd7": "volume", "rbd4": "old"}
	if diff := cmp.Diff(want, rbdtest.Uses(mapped, got.Guests)); diff != "" {
		t.Errorf("%+v\n%s", got, diff)
	}
	for _, g := range got.Guests {
		if g.OS == "windows" || g.OSBy != "" {
			t.Errorf("%s is perhaps Windows by %s", g.Name, g.OSBy)
		}
	}
	if !strings.Contains(got.Partly, "v1, v2: ") || strings.Contains(got.Partly, "qemu.conf") {
		t.Errorf("a configuration file that cannot be read is not told: %q", got.Partly)
	}
}

// Processes as platforms start them, with the guest that each shows.
func TestProcessForms(t *testing.T) {
	const uuid = "fe1d472c-1eb9-52e3-a84a-d6390ac9d37b"
	root := "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
	for _, c := range []struct {
		what string
		p    rbdtest.Process
		want string // NAME ID OS, and its devices
	}{
		{"Kata Containers, a volume plugged in", rbdtest.Process{Comm: "qemu-system-x86",
			Cgroup: "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-aa.scope\n", FDs: []string{"/dev/rbd1", "/dev/kvm"},
			Cmd: []string{"/opt/kata/bin/qemu-system-x86_64", "-name", "sandbox-1f,debug-threads=on", "-uuid", uuid, "-machine", "q35",
				"-kernel", "/opt/kata/vmlinux"}}, "sandbox-1f " + uuid + " linux rbd1"},
		{"cloud-hypervisor, Windows", rbdtest.Process{Comm: "cloud-hyperviso", Cgroup: "0::/a\n",
			Cmd: []string{"cloud-hypervisor", "--cpus", "boot=4,kvm_hyperv=on", "--disk", "path=/dev/rbd2", "path=/dev/rbd3,readonly=on",
				"--firmware", "/x"}}, "cloud-hyperviso 50  windows rbd2 rbd3"},
		{"cloud-hypervisor, Hyper-V off", rbdtest.Process{Comm: "cloud-hyperviso", Cgroup: "0::/a\n",
			Cmd: []string{"cloud-hypervisor", "--cpus=boot=4,kvm_hyperv=off", "--disk=path=/dev/rbd2", "--kernel", "/x"}},
			"cloud-hyperviso 50   rbd2"},
		{"cloud-hypervisor by its socket", rbdtest.Process{Comm: "cloud-hyperviso", Cgroup: "0::/a\n",
			Cmd: []string{"cloud-hypervisor", "--api-socket", "/run/x.sock"}, FDs: []string{"/dev/rbd4"}}, "cloud-hyperviso 50   rbd4"},
		{"Nova in a container, cgroup v1", rbdtest.Process{Comm: "qemu-kvm",
			Cgroup: "4:cpuset:/machine.slice/machine-qemu\\x2d7\\x2dinstance\\x2d00000a1f.scope/vcpu0\n", UID: 42436,
			Cmd: []string{"/usr/libexec/qemu-kvm", "-name", "guest=instance-00000a1f,debug-threads=on", "-uuid", uuid, "-blockdev",
				`{"driver":"host_device","filename":"/dev/rbd5","node-name":"s"}`}},
			"instance-00000a1f " + uuid + "  rbd5"},
		{"a session's QEMU that KVM runs", rbdtest.Process{Comm: "qemu-system-x86", Cgroup: "0::/user.slice/user-1000.slice/x.scope\n",
			UID: 1000, FDs: []string{"anon_inode:kvm-vm", "/dev/rbd6"}, Cmd: []string{"qemu-system-x86_64", "-name", "box"}}, "box   rbd6"},
		{"a user namespace's QEMU without KVM", rbdtest.Process{Comm: "qemu-system-x86", Cgroup: "0::/a\n", UID: 100000,
			FDs: []string{"/dev/rbd6"}, Cmd: []string{"qemu-system-x86_64", "-name", "box"}}, ""},
		{"openSUSE's wrapper", rbdtest.Process{Comm: "qemu-kvm-wrappe", Cgroup: "0::/a\n",
			Cmd: []string{"/bin/sh", "/usr/bin/qemu-kvm", "-name", "x"}}, ""},
		{"a file of the host's in a separate mount namespace", rbdtest.Process{Comm: "qemu-kvm", Cgroup: "0::/a\n",
			MountInfo: root + "9 1 252:112 / /run/kubevirt-private/vmi-disks/d rw - ext4 /dev/rbd7 rw\n",
			FDs:       []string{"/run/kubevirt-private/vmi-disks/d/disk.img"},
			Cmd: []string{"/usr/libexec/qemu-kvm", "-name", "guest=default_vm9,debug-threads=on", "-uuid", uuid, "-blockdev",
				`{"driver":"file","filename":"/var/run/kubevirt-private/vmi-disks/d/disk.img","node-name":"s"}`}},
			"default_vm9 " + uuid + "  rbd7"},
		{"an LXD container of a project", rbdtest.Process{Comm: "init", Cgroup: "0::/lxc.payload.dev_web/init.scope\n",
			MountInfo: "1 0 252:0 /rootfs / rw - ext4 /dev/rbd0 rw\n"}, "dev_web dev_web linux rbd0"},
		{"a Proxmox container, cgroup v1", rbdtest.Process{Comm: "init",
			Cgroup: "1:name=systemd:/lxc/107/ns/init.scope\n2:cpu:/lxc/107/ns\n", MountInfo: "1 0 252:16 / / rw - ext4 /dev/rbd1 rw\n"},
			"ct107 107 linux rbd1"},
	} {
		c.p.PID = 50
		got := fieldRead(t, rbdtest.NewProc(t, c.p))
		line := ""
		for _, g := range got.Guests {
			line = g.Name + " " + g.ID + " " + g.OS
			for _, device := range slices.Sorted(maps.Keys(rbdtest.Uses(rbdtest.Mapped(8), got.Guests))) {
				line += " " + device
			}
		}
		if line != c.want {
			t.Errorf("%s: got %q, want %q: %+v", c.what, line, c.want, got)
		}
	}
}

// A value in QEMU's configuration file is parsed the same in every notation.
func TestConfigurationForms(t *testing.T) {
	for text, want := range map[string][]rbd.Disk{
		"[drive \"a\"]\n  file = \"/dev/rbd0\"\n":                                                                                                   {{Target: "a", Client: rbd.KRBD, Path: "/dev/rbd0"}},
		"# [drive \"b\"]\n\n\t[drive  \"a\"]  # the root\r\n\tfile\t= \"rbd:p/i\" # key\r\n":                                                        {{Target: "a", Client: rbd.LibRBD, Pool: "p", Image: "i"}},
		"[drive]\n  file = \"/dev/rbd1\"\n  if = \"virtio\"\n  index = \"2\"\n":                                                                     {{Target: "virtio2", Client: rbd.KRBD, Path: "/dev/rbd1"}},
		"[drive \"a\"]\n  file = \"rbd:p/i\"\n[device \"sda\"]\n  driver = \"scsi-hd\"\n  drive = \"a\"\n":                                          {{Target: "sda", Client: rbd.LibRBD, Pool: "p", Image: "i"}},
		"[drive \"a\"]\n  file.driver = \"rbd\"\n  file.pool = \"p\"\n  file.image = \"i\"\n":                                                       {{Target: "a", Client: rbd.LibRBD, Pool: "p", Image: "i"}},
		"[chardev \"c\"]\n  backend = \"socket\"\n  path = \"/run/v.sock\"\n[device \"v\"]\n  driver = \"vhost-user-blk-pci\"\n  chardev = \"c\"\n": {{Target: "v", Path: "/run/v.sock"}},
		"[drive \"a\"\n": nil,
	} {
		c, err := readLine(joinArgs("-readconfig", "/c"), func(string) ([]byte, error) { return []byte(text), nil })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.guest.Disks); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// TestPrivateSleeper is not a test by itself: TestFieldLive runs it in a separate
// mount namespace, in which it creates a /dev, opens a device there and waits.
func TestPrivateSleeper(t *testing.T) {
	if os.Getenv("PRIVATE_SLEEPER") == "" {
		return
	}
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", "/dev", "tmpfs", 0, "")
	}
	if err == nil {
		err = unix.Mknod("/dev/rootdisk", unix.S_IFBLK|0o600, int(unix.Mkdev(252, 16)))
	}
	if err == nil {
		_, err = unix.Open("/dev/rootdisk", unix.O_PATH, 0) // it has no driver
	}
	fmt.Println("ready", err)
	io.Copy(io.Discard, os.Stdin)
}

// A disk whose name is only valid in the container of its process is identified by
// the number of the process's open device.
func TestFieldLive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make device nodes")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exe := t.TempDir() + "/kvm"
	if err := os.Symlink(self, exe); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run", "^TestPrivateSleeper$", "--", "-name", "default_vm-rbd", "-drive", "file=/dev/rootdisk,if=virtio",
		"-uuid", "fe1d472c-1eb9-52e3-a84a-d6390ac9d37b")
	cmd.Env = append(os.Environ(), "PRIVATE_SLEEPER=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); errors.Is(err, fs.ErrPermission) {
		t.Skip("no mount namespaces:", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready <nil>\n" {
		t.Skipf("no device nodes in a mount namespace: %s", line)
	}
	proc := hostfs.FS("/proc")
	asks := Asks{
		Guest: func(_ context.Context, p Process) (Description, error) {
			if p.PID != cmd.Process.Pid {
				return Description{NotGuest: true}, nil // somebody else's
			}
			return ReadGuest(hostfs.FS("/"), proc, p)
		},
		Opened:  func(_ context.Context, of []Process) ([]Opened, error) { return ReadOpened(proc, of), nil },
		Exports: func(context.Context, Process) ([]rbd.Export, error) { return nil, nil },
		Systems: func(context.Context, []string) (map[string]string, error) { return nil, nil },
	}
	got, err := NewProcesses(proc, asks, procNoDevices).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	uses := rbdtest.Uses(rbdtest.Mapped(2), got.Guests)
	if diff := cmp.Diff(map[string]string{"rbd1": "default_vm-rbd"}, uses); diff != "" {
		t.Errorf("%+v\n%s", got, diff)
	}
}
