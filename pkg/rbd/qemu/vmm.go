package qemu

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// The criteria for a guest's process:
//
// Its name is that of a virtual machine monitor (vmmComm), or of one combined with the guest's name,
// as libvirt and other managers can set it. Because QEMU can use any name (-name
// guest=NAME,process=OTHER), a process with another name also counts if it is in a cgroup of Proxmox
// or libvirt, or KVM runs a machine for it, and its first argument is a virtual machine monitor's path
// (vmmProgram). In addition, its command line must describe a machine: this excludes a program that
// only has the name, and a QEMU without a machine, which libvirt starts to query QEMU's features.
//
// Because any user can set any process name and arguments, one more condition is
// required: its users are root or system accounts; or it is in a cgroup of Proxmox or
// libvirt, which only root can create; or KVM runs a machine for it, according to its
// open files or a kernel thread for it (procMachineOwner).

// vmmComm reports whether a comm, of which the kernel keeps 15 bytes, is that of a
// program that runs virtual machines. Wrappers rename the program that they start
// (NixOS: .qemu-system-x86_64-wrapped), and managers add the guest's name (libvirt:
// qemu:NAME, others: kvm.NAME).
func vmmComm(comm string) bool {
	name := strings.TrimPrefix(comm, ".")
	if name == "kvm" || name == "qemu" || name == "kvm-wrapped" || cloudHypervisorComm(comm) {
		return true
	}
	for _, prefix := range []string{"qemu-system-", "qemu-kvm", "kvm-spice", "kvm.", "kvm:", "qemu.", "qemu:"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// cloudHypervisorComm reports whether a comm is cloud-hypervisor's, with or without a
// wrapper's leading dot.
func cloudHypervisorComm(comm string) bool {
	return comm == "cloud-hyperviso" || comm == ".cloud-hypervis"
}

// vmmProgram reports whether a program, by its path, is a virtual machine monitor.
func vmmProgram(name string) bool {
	name = path.Base(name)
	return vmmComm(name[:min(len(name), commMax)])
}

// commMax is the number of bytes of a process's name that the kernel keeps
// (TASK_COMM_LEN).
const commMax = 15

// ordinaryUsers reports whether one of the users is neither root nor a system account.
// System accounts are below 1000, or between regular users and nobody (Debian's
// libvirt-qemu, 64055; systemd's dynamic users).
func ordinaryUsers(users []uint64) bool {
	return slices.ContainsFunc(users, func(u uint64) bool {
		return u >= 1000 && u < 60514 || u >= 65534
	})
}

// errNotGuest reports that a process with a guest's name does not run a guest.
var errNotGuest = errors.New("rbd: not a virtual machine")

// vmmShells are interpreters: one that runs a script named kvm only waits for a
// virtual machine, which is a separate process.
var vmmShells = []string{"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox", "env", "perl", "ruby", "sudo", "timeout", "nice"}

// vmmShell reports whether the first argument is an interpreter's.
func vmmShell(arg string) bool {
	name := path.Base(arg)
	return slices.Contains(vmmShells, name) || strings.HasPrefix(name, "python")
}
