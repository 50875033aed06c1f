// Package launcher starts every program that nodewatch runs, in a process of its
// own: an exec that does not return freezes a whole Go program, not only a
// goroutine, and the daemon must never be that program.
//
//	daemon ──socket── launcher ──fork── helper ──exec── the program
//
// The daemon asks over a Unix socket and passes the program's pipes with the
// request, so that the launcher relays no data. For each program the launcher
// starts a helper, which is this same binary. The helper limits itself to what
// its row of the table allows and then becomes the program: an exec that hangs
// holds up that helper alone. A second launcher waits, started by the first, so
// that the daemon does not fork when the first one dies.
//
// Commands other than the daemon use Local: the same code in their own process.
package launcher

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The commands by which the binary starts itself; the program's main function
// hands them to Serve and Become.
const (
	ServeCommand  = "launcher"
	HelperCommand = "helper"
)

// A Kind is a row of the table: one kind of program.
type Kind string

// The kinds of programs.
const (
	Probe Kind = "probe"          // this same binary, for reads that may never return
	Ceph  Kind = "nodewatch-ceph" // asks the cluster
	Exec  Kind = "exec"           // an operator's program, for reports
)

// limits are what a program of one kind gets. It has nothing that is not listed here.
type limits struct {
	caps     []uintptr // capabilities, of those that nodewatch has
	env      []string  // environment
	pass     []string  // variables of nodewatch's own environment that it also gets
	tasks    uint64    // RLIMIT_NPROC: tasks of nodewatch's user, the daemon's threads included, beyond which it cannot start more
	files    uint64    // RLIMIT_NOFILE
	fileSize uint64    // RLIMIT_FSIZE, in bytes
	oom      int       // oom_score_adj: the kernel ends it before the daemon
	nice     int
	most     int // how many of one name there may be, those that were left behind included
}

// TasksMax of systemd/nodewatch.service is 512. Operators' programs can take half
// of it, so that the probe and nodewatch-ceph can still be started, and those two
// leave 128 to the daemon and the launcher, which need about 60 with every source
// hung. The limit counts per user and does not hold root.
//
// RLIMIT_AS is not set: what Go and librados reserve is a multiple of what they
// use. The unit's MemoryMax bounds memory, and oom decides who pays.
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

// Capabilities are all that some program gets: what the launcher keeps.
func Capabilities() []uintptr {
	var all []uintptr
	for _, r := range table() {
		all = append(all, r.caps...)
	}
	return all
}

// The bounds of a launcher: children at a time, those that were left behind
// included, and the bytes of a message.
const (
	maxChildren = 64
	maxMessage  = 64 << 10
)

// A request is what the launcher is asked. A start comes with three file
// descriptors: the program's standard input, output and error.
type request struct {
	ID   uint64   `json:"id"`
	Do   string   `json:"do"` // ping, start, kill
	Kind Kind     `json:"kind,omitempty"`
	Argv []string `json:"argv,omitempty"` // empty: the probe, which is this same binary
	Env  []string `json:"env,omitempty"`  // added to the row's
}

// An event is what the launcher says.
type event struct {
	ID     uint64         `json:"id"`
	What   string         `json:"what"` // pong, forked, executed, ended
	PID    int            `json:"pid,omitempty"`
	Code   int            `json:"code,omitempty"`
	Signal syscall.Signal `json:"signal,omitempty"`
	Error  *failure       `json:"error,omitempty"` // it could not be started
}

// A failure is an error that keeps its number over a socket or a pipe.
type failure struct {
	Text  string        `json:"text"`
	Errno syscall.Errno `json:"errno"`
}

func (f *failure) err() error { return fmt.Errorf("%s: %w", f.Text, f.Errno) }

// An ExitError is how a program ended otherwise than with exit code 0.
type ExitError struct {
	Code   int            // -1 if a signal ended it
	Signal syscall.Signal // 0 if it exited
}

// Error implements error.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return "signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// ExitCode is the exit code, and -1 if a signal ended the program.
func (e *ExitError) ExitCode() int { return e.Code }
