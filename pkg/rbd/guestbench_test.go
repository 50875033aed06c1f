package rbd

import (
	"fmt"
	"os"
	"testing"
)

// A reading of 650 domains that are known, over a pipe.
func BenchmarkLibvirtRead(b *testing.B) {
	f := newVirtFake()
	for i := range 650 {
		vm := virtFakeVM(fmt.Sprint("vm", i), int32(i+1), fmt.Sprintf("/dev/rbd%d", i))
		vm.uuid = byte(i%251 + 1)
		f.domains = append(f.domains, vm)
	}
	l := f.reader()
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		if g, err := l.Read(b.Context()); err != nil || len(g.Guests) != 650 {
			b.Fatal(len(g.Guests), err)
		}
	}
}

// The incident's own size: 65 QEMUs and 10 containers among 1,000 processes.
func BenchmarkProcesses(b *testing.B) {
	p := qemuFakeProc(b)
	line := guestFile(b, "qemu/vm101.cmdline")
	for i := range 1000 {
		pid := 1000 + i
		switch {
		case i < 65:
			p.process(pid, "kvm", fmt.Sprintf("/qemu.slice/%d.scope", pid))
			p.file(fmt.Sprintf("%d/cmdline", pid), string(line))
			p.link(fmt.Sprintf("%d/fd/3", pid), "/dev/rbd0")
		case i < 75:
			p.process(pid, "init", fmt.Sprintf("/lxc/%d/ns", pid))
			p.file(fmt.Sprintf("%d/mountinfo", pid), "1 1 254:0 / / rw - ext4 /dev/rbd0 rw\n")
		default:
			p.process(pid, "worker", "/system.slice/x.service")
		}
	}
	dir := b.TempDir()
	if err := os.CopyFS(dir, p); err != nil {
		b.Fatal(err)
	}
	proc := os.DirFS(dir)
	a := &procAsker{proc: proc, asked: map[int]int{}}
	r := NewProcesses(proc, a.asks(), procNoNBD)
	b.ReportAllocs()
	for b.Loop() {
		if g, err := r.Read(b.Context()); err != nil || len(g.Guests) < 75 {
			b.Fatal(len(g.Guests), err)
		}
	}
}

// A reading of 300 QEMUs among 1,000 other processes, with the files and threads that
// they have, from a tree as /proc is; what the probe reads is counted in.
func BenchmarkProcesses300(b *testing.B) {
	p := qemuFakeProc(b)
	line := guestFile(b, "qemu/vm101.cmdline")
	for i := range 1300 {
		pid := 1000 + 100*i
		if i >= 300 {
			p.process(pid, "worker", "/system.slice/x.service")
			continue
		}
		p.process(pid, "kvm", fmt.Sprintf("/qemu.slice/%d.scope", pid))
		p.file(fmt.Sprintf("%d/cmdline", pid), string(line))
		p.file(fmt.Sprintf("%d/mountinfo", pid), "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
		for fd := range 60 {
			p.link(fmt.Sprintf("%d/fd/%d", pid, 3+fd), fmt.Sprintf("socket:[%d]", 1000+fd))
		}
		p.link(fmt.Sprintf("%d/fd/70", pid), fmt.Sprintf("/dev/rbd%d", i))
		for thread := range 12 {
			name := fmt.Sprintf("%d/task/%d/", pid, pid+thread)
			p.file(name+"comm", fmt.Sprintf("CPU %d/KVM\n", thread))
			p.file(name+"schedstat", "1 1 1\n")
			p.file(name+"stat", string(p.MapFS[fmt.Sprintf("%d/stat", pid)].Data))
		}
	}
	dir := b.TempDir()
	if err := os.CopyFS(dir, p); err != nil {
		b.Fatal(err)
	}
	proc := SysFS(dir)
	a := &procAsker{proc: proc, asked: map[int]int{}}
	r := NewProcesses(proc, a.asks(), procNoNBD)
	read := func() {
		if g, err := r.Read(b.Context()); err != nil || len(g.Guests) < 300 {
			b.Fatal(len(g.Guests), err)
		}
	}
	for range openedEvery {
		read() // the first readings ask more
	}
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
}
