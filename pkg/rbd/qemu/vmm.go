package qemu

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// What counts as a guest's process:
//
// Its name is that of a virtual machine monitor (vmmComm), or of one with the
// guest's name in it, as libvirt and other managers can set it; or, as QEMU can give
// itself any name (-name guest=NAME,process=OTHER), it has another name but is in a
// cgroup that Proxmox or libvirt makes, or KVM runs a machine for it, and its first
// argument is a virtual machine monitor's path (vmmProgram). And its command line describes a machine:
// a program that only bears the name does not count, nor does a QEMU without a machine,
// which libvirt starts to ask what QEMU can do.
//
// As any user can give a process any name and any arguments, one more thing must
// speak for it: its users are root or system accounts; or it is in a cgroup that
// Proxmox or libvirt makes, which takes root; or KVM runs a machine for it, by
// what it has open or by one of the kernel's threads for it (procMachineOwner).

// vmmComm reports whether a comm, of which the kernel keeps 15 bytes, is that of a
// program that runs virtual machines. Wrappers rename the program that they start
// (NixOS: .qemu-system-x86_64-wrapped), and managers put the guest's name into it
// (libvirt: qemu:NAME, others: kvm.NAME).
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

// cloudHypervisorComm reports whether a comm is cloud-hypervisor's, or that of one that
// a wrapper has put a dot before.
func cloudHypervisorComm(comm string) bool {
	return comm == "cloud-hyperviso" || comm == ".cloud-hypervis"
}

// vmmProgram reports whether a program, by its path, is a virtual machine monitor.
func vmmProgram(name string) bool {
	name = path.Base(name)
	return vmmComm(name[:min(len(name), commMax)])
}

// commMax is how many bytes of a process's name the kernel keeps (TASK_COMM_LEN).
const commMax = 15

// ordinaryUsers reports whether one of the users is neither root nor a system account:
// those are below 1000, and between people's and nobody (Debian's libvirt-qemu, 64055;
// systemd's dynamic users).
func ordinaryUsers(users []uint64) bool {
	return slices.ContainsFunc(users, func(u uint64) bool {
		return u >= 1000 && u < 60514 || u >= 65534
	})
}

// errNotGuest says that a process of such a name is no guest's.
var errNotGuest = errors.New("rbd: not a virtual machine")

// vmmShells are interpreters: one that runs a script called kvm only waits for a
// virtual machine, which is a process of its own.
var vmmShells = []string{"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox", "env", "perl", "ruby", "sudo", "timeout", "nice"}

// vmmShell reports whether the first argument is an interpreter's.
func vmmShell(arg string) bool {
	name := path.Base(arg)
	return slices.Contains(vmmShells, name) || strings.HasPrefix(name, "python")
}
