package launcher

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setOf is a set of capabilities, a bit each.
func setOf(caps []uintptr) (set uint64) {
	for _, c := range caps {
		set |= 1 << c
	}
	return set
}

// permitted returns those of the given capabilities that this thread may use.
func permitted(caps []uintptr) []uintptr {
	have, err := permittedSet()
	if err != nil {
		return nil
	}
	var list []uintptr
	for _, c := range caps {
		if have&(1<<c) != 0 {
			list = append(list, c)
		}
	}
	return list
}

// permittedSet is this thread's permitted capabilities (capget(2)).
func permittedSet() (uint64, error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return 0, err
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32, nil
}

// capData are three sets as capset(2) takes them.
func capData(effective, permitted, inheritable uint64) [2]unix.CapUserData {
	return [2]unix.CapUserData{
		{Effective: uint32(effective), Permitted: uint32(permitted), Inheritable: uint32(inheritable)},
		{Effective: uint32(effective >> 32), Permitted: uint32(permitted >> 32), Inheritable: uint32(inheritable >> 32)},
	}
}

// capset sets this thread's capabilities.
func capset(effective, permitted, inheritable uint64) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := capData(effective, permitted, inheritable)
	return unix.Capset(&head, &data[0])
}

// keepOnly leaves every thread the permitted capabilities of the set; none are
// inheritable. A build with cgo cannot: there it does so for this thread.
func keepOnly(set uint64) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := capData(set, set, 0)
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&data[0])), 0)
	switch errno {
	case 0:
		return nil
	case unix.ENOTSUP:
		return unix.Capset(&head, &data[0])
	}
	return errno
}

// GiveUp gives up, on every thread, the capabilities that only programs get, and lets
// no program inherit the others. Every thread must be able to run: it is for the start,
// before one can sleep in the kernel, and after Spawn, as the launcher needs them.
func GiveUp() error {
	if err := clearAmbient(); err != nil {
		return err
	}
	have, err := permittedSet()
	if err != nil {
		return err
	}
	return keepOnly(have &^ setOf(Capabilities()))
}

// clearAmbient sees to it that programs do not inherit the capabilities that
// systemd gave nodewatch: the ambient set is cleared on every thread, what this
// process itself may do stays (prctl(2), PR_CAP_AMBIENT).
func clearAmbient() error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
	switch errno {
	case 0, unix.EINVAL: // EINVAL: a kernel without an ambient set
		return nil
	case unix.ENOTSUP: // a build with cgo
		return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	}
	return errno
}

// LockMemory keeps what is in memory there: a process that must page itself in
// from a stalled disk is of no use. Pages are locked as they are first touched,
// as Go reserves far more than it uses (mlockall(2), MCL_ONFAULT).
func LockMemory() error {
	return unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
}
