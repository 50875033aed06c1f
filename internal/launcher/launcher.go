// Package launcher starts every program that nodewatch runs, in a separate process:
// an exec that does not return freezes a whole Go program, not only a goroutine, and
// the daemon must never be that program.
//
//	daemon ──socket── launcher ──fork── helper ──exec── the program
//
// The daemon sends requests over a Unix socket and passes the program's pipes with
// them, so that the launcher relays no data. For each program the launcher starts a
// helper, which is this same binary. The helper limits itself to what its row of the
// table allows and then executes the program in its place: an exec that hangs blocks
// only that helper. The first launcher starts a second one as a spare, so that the
// daemon does not need to fork when the first one dies.
//
// Commands other than the daemon use Local: the same code in their own process.
package launcher

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The commands by which the binary starts itself; the program's main function passes
// them to Serve and Become.
const (
	ServeCommand  = "launcher"
	HelperCommand = "helper"
)

// A Kind is a row of the table: one kind of program.
type Kind string

// The kinds of programs.
const (
	Probe Kind = "probe"          // this same binary, for reads that may never return
	Ceph  Kind = "nodewatch-ceph" // queries the cluster
	Exec  Kind = "exec"           // an operator's program, for reports
)

// limits are the privileges and resources of one kind of program. Programs of that
// kind have no others.
type limits struct {
	caps     []uintptr // capabilities, if nodewatch has them
	env      []string  // environment
	pass     []string  // additional variables from nodewatch's own environment
	tasks    uint64    // RLIMIT_NPROC: number of tasks of nodewatch's user, including the daemon's threads, at which it cannot start more
	files    uint64    // RLIMIT_NOFILE
	fileSize uint64    // RLIMIT_FSIZE, in bytes
	oom      int       // oom_score_adj: the kernel kills it before the daemon
	nice     int
	most     int // maximum number of one name, including abandoned ones
}

// table returns the limits of each kind of program. TasksMax of
// systemd/nodewatch.service is 512. Operators' programs can use half of it, so that
// the probe and nodewatch-ceph can still be started, and those two leave 128 to the
// daemon and the launcher, which need about 60 if every source hangs. The limit
// counts per user and does not apply to root.
//
// RLIMIT_AS is not set: Go and librados reserve a multiple of the memory they use.
// The unit's MemoryMax limits memory, and oom decides which process is killed.
func table() map[Kind]limits {
	base := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/"}
	return map[Kind]limits{
		Probe: {
			caps: []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_SYS_PTRACE}, // debugfs; /proc/PID/fd and root of QEMUs
			env:  base, pass: []string{"NODEWATCH_TEST_ROOT"},
			tasks: 384, files: 256, fileSize: 0, oom: 500, most: 4,
		},
		Ceph: {env: base, tasks: 384, files: 1024, fileSize: 0, oom: 500, most: 1},
		Exec: {env: base, tasks: 256, files: 256, fileSize: 64 << 20, oom: 800, most: 1},
	}
}

// Capabilities returns the capabilities that any program gets, which are those that
// the launcher keeps.
func Capabilities() []uintptr {
	var all []uintptr
	for _, r := range table() {
		all = append(all, r.caps...)
	}
	return all
}

// The limits of a launcher: simultaneous children, including abandoned ones, and
// bytes per message.
const (
	maxChildren = 64
	maxMessage  = 64 << 10
)

// A request is a message to the launcher. A start comes with three file descriptors:
// the program's standard input, output and error.
type request struct {
	ID   uint64   `json:"id"`
	Do   string   `json:"do"` // ping, start, kill
	Kind Kind     `json:"kind,omitempty"`
	Argv []string `json:"argv,omitempty"` // empty: the probe, which is this same binary
	Env  []string `json:"env,omitempty"`  // in addition to the row's environment
}

// An event is a message from the launcher.
type event struct {
	ID     uint64         `json:"id"`
	What   string         `json:"what"` // pong, forked, executed, ended
	PID    int            `json:"pid,omitempty"`
	Code   int            `json:"code,omitempty"`
	Signal syscall.Signal `json:"signal,omitempty"`
	Error  *failure       `json:"error,omitempty"` // reason why the program could not be started
}

// A failure is an error that preserves its errno over a socket or a pipe.
type failure struct {
	Text  string        `json:"text"`
	Errno syscall.Errno `json:"errno"`
}

func (f *failure) err() error { return fmt.Errorf("%s: %w", f.Text, f.Errno) }

// An ExitError describes how a program ended, other than with exit code 0.
type ExitError struct {
	Code   int            // -1 if it was ended by a signal
	Signal syscall.Signal // 0 if it exited
}

// Error implements error.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return "signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// ExitCode returns the exit code, or -1 if the program was ended by a signal.
func (e *ExitError) ExitCode() int { return e.Code }
