package qemu

import (
	"fmt"
	"os"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/rbdtest"
)

// The size of the incident's node: 65 QEMUs and 10 containers among 1,000 processes.
func BenchmarkProcesses(b *testing.B) {
	p := fakeProc(b)
	line := rbdtest.File(b, "vm101.cmdline")
	for i := range 1000 {
		pid := 1000 + i
		switch {
		case i < 65:
			p.Process(pid, "kvm", fmt.Sprintf("/qemu.slice/%d.scope", pid))
			p.File(fmt.Sprintf("%d/cmdline", pid), string(line))
			p.Link(fmt.Sprintf("%d/fd/3", pid), "/dev/rbd0")
		case i < 75:
			p.Process(pid, "init", fmt.Sprintf("/lxc/%d/ns", pid))
			p.File(fmt.Sprintf("%d/mountinfo", pid), "1 1 254:0 / / rw - ext4 /dev/rbd0 rw\n")
		default:
			p.Process(pid, "worker", "/system.slice/x.service")
		}
	}
	dir := b.TempDir()
	if err := os.CopyFS(dir, p); err != nil {
		b.Fatal(err)
	}
	proc := os.DirFS(dir)
	a := &procAsker{proc: proc, asked: map[int]int{}}
	r := NewProcesses(proc, a.asks(), procNoDevices)
	b.ReportAllocs()
	for b.Loop() {
		if g, err := r.Read(b.Context()); err != nil || len(g.Guests) < 75 {
			b.Fatal(len(g.Guests), err)
		}
	}
}

// Reads 300 QEMUs among 1,000 other processes, with realistic numbers of files and
// threads, from a tree like /proc, including the probe's reads.
func BenchmarkProcesses300(b *testing.B) {
	p := fakeProc(b)
	line := rbdtest.File(b, "vm101.cmdline")
	for i := range 1300 {
		pid := 1000 + 100*i
		if i >= 300 {
			p.Process(pid, "worker", "/system.slice/x.service")
			continue
		}
		p.Process(pid, "kvm", fmt.Sprintf("/qemu.slice/%d.scope", pid))
		p.File(fmt.Sprintf("%d/cmdline", pid), string(line))
		p.File(fmt.Sprintf("%d/mountinfo", pid), "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
		for fd := range 60 {
			p.Link(fmt.Sprintf("%d/fd/%d", pid, 3+fd), fmt.Sprintf("socket:[%d]", 1000+fd))
		}
		p.Link(fmt.Sprintf("%d/fd/70", pid), fmt.Sprintf("/dev/rbd%d", i))
		for thread := range 12 {
			name := fmt.Sprintf("%d/task/%d/", pid, pid+thread)
			p.File(name+"comm", fmt.Sprintf("CPU %d/KVM\n", thread))
			p.File(name+"schedstat", "1 1 1\n")
			p.File(name+"stat", string(p.MapFS[fmt.Sprintf("%d/stat", pid)].Data))
		}
	}
	dir := b.TempDir()
	if err := os.CopyFS(dir, p); err != nil {
		b.Fatal(err)
	}
	proc := hostfs.FS(dir)
	a := &procAsker{proc: proc, asked: map[int]int{}}
	r := NewProcesses(proc, a.asks(), procNoDevices)
	read := func() {
		if g, err := r.Read(b.Context()); err != nil || len(g.Guests) < 300 {
			b.Fatal(len(g.Guests), err)
		}
	}
	for range openedEvery {
		read() // the first readings do more
	}
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
}
