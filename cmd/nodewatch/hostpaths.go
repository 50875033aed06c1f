package main

import (
	"os"
	"path/filepath"
)

// A hostPaths is where the daemon finds what it reads of the kernel.
type hostPaths struct {
	sys  string // sysfs
	proc string // procfs
	kmsg string // the device of the kernel log
}

// localPaths is the roots of this machine. For tests, NODEWATCH_TEST_ROOT names a
// directory whose sys and proc replace /sys and /proc; the probe, a child,
// has it from its parent.
func localPaths() hostPaths {
	r := hostPaths{sys: "/sys", proc: "/proc", kmsg: "/dev/kmsg"}
	if dir := os.Getenv("NODEWATCH_TEST_ROOT"); dir != "" {
		r.sys, r.proc = filepath.Join(dir, "sys"), filepath.Join(dir, "proc")
	}
	return r
}
