package main

import (
	"os"
	"path/filepath"
)

// A hostPaths contains the paths of the kernel files that the daemon reads.
type hostPaths struct {
	sys  string // sysfs
	proc string // procfs
	kmsg string // device of the kernel log
}

// localPaths returns the paths of this machine. For tests, NODEWATCH_TEST_ROOT names
// a directory whose sys and proc replace /sys and /proc; the probe, a child, inherits
// it.
func localPaths() hostPaths {
	r := hostPaths{sys: "/sys", proc: "/proc", kmsg: "/dev/kmsg"}
	if dir := os.Getenv("NODEWATCH_TEST_ROOT"); dir != "" {
		r.sys, r.proc = filepath.Join(dir, "sys"), filepath.Join(dir, "proc")
	}
	return r
}
