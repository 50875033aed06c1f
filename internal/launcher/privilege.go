package launcher

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setOf returns a set of capabilities as a bit mask.
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

// permittedSet returns this thread's permitted capabilities (capget(2)).
func permittedSet() (uint64, error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return 0, err
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32, nil
}

// capData are the three sets in capset(2)'s format.
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

// keepOnly limits every thread to the permitted capabilities in the set; none are
// inheritable. A build with cgo can do so for the current thread only.
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

// GiveUp drops, on every thread, the capabilities that only programs get, and lets no
// program inherit the others. Every thread must be able to run, so it must be called at
// the start, before a thread can sleep in the kernel, and after Spawn, because the
// launcher needs the capabilities.
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

// clearAmbient prevents programs from inheriting the capabilities that systemd gave
// nodewatch: it clears the ambient set on every thread and keeps the capabilities of
// this process (prctl(2), PR_CAP_AMBIENT).
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

// LockMemory locks nodewatch's memory: a process that must page itself in from a
// stalled disk is useless. Pages are locked when they are first touched, because Go
// reserves far more than it uses (mlockall(2), MCL_ONFAULT).
func LockMemory() error {
	return unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
}
