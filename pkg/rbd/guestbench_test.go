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
	r := NewProcesses(proc, a.ask, a.opened, procNumbers)
	b.ReportAllocs()
	for b.Loop() {
		if g, err := r.Read(b.Context()); err != nil || len(g.Guests) < 75 {
			b.Fatal(len(g.Guests), err)
		}
	}
}
