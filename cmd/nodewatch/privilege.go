package main

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// permitted returns those of the given capabilities that this process may use.
func permitted(caps ...uintptr) []uintptr {
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

// permittedSet is this process's permitted capabilities, a bit each (capget(2)).
func permittedSet() (uint64, error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return 0, err
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32, nil
}

// dropAmbient sees to it that children do not inherit the capabilities that
// systemd gave nodewatch: the ambient set is cleared on every thread, what this
// process itself may do stays (prctl(2), PR_CAP_AMBIENT).
func dropAmbient() error {
	_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
	if errno != 0 && !errors.Is(errno, syscall.EINVAL) {
		return errno
	}
	return nil
}

// lockMemory keeps what is in memory there: a daemon that must page itself in
// from a stalled disk is of no use. Pages are locked as they are first touched,
// as Go reserves far more than it uses (mlockall(2), MCL_ONFAULT).
func lockMemory() error {
	return unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
}
