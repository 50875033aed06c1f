package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The numbers of CPUs, of processes other than QEMU's (mostly kernel threads), and of
// threads per QEMU on a hypervisor.
const (
	hostCPUs    = 64
	hostOthers  = 600
	qemuThreads = 10
)

// proc creates the host's files as on this machine, and its processes.
func (h *hypervisor) proc(b testing.TB) {
	for _, name := range []string{"sys/kernel/osrelease", "sys/kernel/random/boot_id", "version", "net/softnet_stat", "pressure/cpu",
		"pressure/memory", "self/mounts"} {
		if raw, err := os.ReadFile("/proc/" + name); err == nil {
			h.file(b, "proc/"+name, string(raw))
		} else {
			b.Logf("this machine has no /proc/%s", name)
		}
	}
	var stat strings.Builder
	for cpu := range hostCPUs {
		fmt.Fprintf(&stat, "cpu%d 10132153 290696 3084719 46828483 16683 0 25195 0 175628 0\n", cpu)
	}
	h.file(b, "proc/stat", stat.String()+"btime 1769062477\nprocesses 86031\n")
	load, pressure := "24.31", "0.42"
	if h.storm {
		load, pressure = "680.31", "99.00"
	}
	h.file(b, "proc/loadavg", load+" "+load+" "+load+" 2/1650 5593\n")
	h.file(b, "proc/pressure/io", fmt.Sprintf("some avg10=%s avg60=%[1]s avg300=%[1]s total=1000\nfull avg10=%[1]s avg60=%[1]s avg300=%[1]s total=1000\n", pressure))
	for i := range h.guests {
		h.qemu(b, i)
	}
	for i := range hostOthers {
		h.process(b, 2+i, "kworker/0:1-eve", "0::/\n", "S", 1)
	}
}

// qemu creates the process of a guest whose disks are krbd devices, with Proxmox's
// command line.
func (h *hypervisor) qemu(b testing.TB, i int) {
	pid, vm := 10_000+100*i, 100+i
	state := "S"
	if h.storm {
		state = "D"
	}
	h.process(b, pid, "kvm", fmt.Sprintf("0::/qemu.slice/%d.scope\n", vm), state, qemuThreads)
	args := []string{
		"/usr/bin/kvm", "-id", fmt.Sprint(vm), "-name", fmt.Sprintf("vm%d,debug-threads=on", vm), "-no-shutdown",
		"-chardev", fmt.Sprintf("socket,id=qmp,path=/var/run/qemu-server/%d.qmp,server=on,wait=off", vm), "-mon",
		"chardev=qmp,mode=control",
		"-pidfile", fmt.Sprintf("/var/run/qemu-server/%d.pid", vm), "-daemonize", "-smp", "4,sockets=1,cores=4,maxcpus=4", "-nodefaults",
		"-cpu", "host,+kvm_pv_eoi,+kvm_pv_unhalt", "-m", "8192", "-device", "virtio-scsi-pci,id=scsihw0,bus=pci.0,addr=0x5",
	}
	h.link(b, fmt.Sprintf("proc/%d/fd/0", pid), "/dev/null")
	for n, id := 0, i; id < h.disks; n, id = n+1, id+h.guests {
		args = append(args,
			"-drive", fmt.Sprintf("file=/dev/rbd-pve/%s/rbd/%s,if=none,id=drive-scsi%d,cache=none,aio=io_uring,format=raw,detect-zeroes=on",
				hostFSID, h.image(id), n),
			"-device", fmt.Sprintf("scsi-hd,bus=scsihw0.0,scsi-id=%d,drive=drive-scsi%[1]d,id=scsi%[1]d,bootindex=100", n))
		h.link(b, fmt.Sprintf("proc/%d/fd/%d", pid, 20+n), fmt.Sprintf("/dev/rbd%d", id))
	}
	for fd := 1; fd < 20; fd++ {
		h.link(b, fmt.Sprintf("proc/%d/fd/%d", pid, fd), fmt.Sprintf("socket:[%d]", pid+fd))
	}
	h.file(b, fmt.Sprintf("proc/%d/cmdline", pid), strings.Join(args, "\x00")+"\x00")
}

// process creates the files that nodewatch reads of any process.
func (h *hypervisor) process(b testing.TB, pid int, comm, cgroup, state string, threads int) {
	dir := fmt.Sprintf("proc/%d/", pid)
	stat := func(id int) string {
		return fmt.Sprintf("%d (%s) %s 1 %d %d 0 -1 4194304 100 0 0 0 10 10 0 0 20 0 %d 0 %d 0 0 18446744073709551615%s\n",
			id, comm, state, pid, pid, threads, 5000+pid, strings.Repeat(" 0", 26))
	}
	h.file(b, dir+"comm", comm+"\n")
	h.file(b, dir+"cgroup", cgroup)
	h.file(b, dir+"stat", stat(pid))
	for i := range threads {
		h.file(b, fmt.Sprintf("%stask/%d/stat", dir, pid+i), stat(pid+i))
	}
}
