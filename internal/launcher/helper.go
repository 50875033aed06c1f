package launcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// statusFD is where a helper reports its progress: one byte once it runs, then
// nothing if the program has replaced it, or a failure as JSON.
const statusFD = 3

// Become is the helper: it limits this process to what the row args[0] allows, and
// executes the program args[1:] in its place; without a program, this same binary as
// the probe. It returns an exit code only if that fails.
func Become(args []string) int {
	// Capabilities, niceness and the parent-death signal belong to a thread, and
	// exec keeps those of the thread that calls it.
	runtime.LockOSThread()
	if _, err := unix.FcntlInt(statusFD, unix.F_SETFD, unix.FD_CLOEXEC); err != nil || len(args) == 0 {
		fmt.Fprintln(os.Stderr, "nodewatch: helper is for internal use by nodewatch")
		return 2
	}
	f := become(args)
	raw, err := json.Marshal(f)
	if err == nil {
		_, _ = unix.Write(statusFD, raw) // the launcher may have ended
	}
	return 126
}

func become(args []string) *failure {
	r, known := table()[Kind(args[0])]
	argv := args[1:]
	if !known {
		return &failure{fmt.Sprintf("unknown kind of program %q", args[0]), unix.EINVAL}
	}
	path := "/proc/self/exe"
	if len(argv) == 0 {
		argv = []string{os.Args[0], "probe"}
	} else {
		path = argv[0]
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return failed("parent-death signal", err)
	}
	// A launcher that ended earlier no longer reads this.
	if _, err := unix.Write(statusFD, []byte{'r'}); err != nil {
		return failed("launcher", err)
	}
	if err := r.limit(); err != nil {
		return err
	}
	return failed(path, syscall.Exec(path, argv, os.Environ()))
}

func failed(what string, err error) *failure {
	errno := unix.EINVAL
	errors.As(err, &errno)
	return &failure{what, errno}
}

// limit limits this thread, and the process, to what the row allows.
func (r limits) limit() *failure {
	if err := r.yield(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return failed("no_new_privs", err)
	}
	if err := r.bound(); err != nil {
		return failed("capabilities", err)
	}
	for _, l := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, r.files}, {unix.RLIMIT_FSIZE, r.fileSize},
		{unix.RLIMIT_NPROC, r.tasks}, // last, because this process may need another thread until here
	} {
		if err := lower(l.resource, l.most); err != nil {
			return failed("resource limit "+strconv.Itoa(l.resource), err)
		}
	}
	return nil
}

// yield raises the OOM score and the niceness. It lowers neither, which would need a
// capability: nodewatch itself may have been started with higher values.
func (r limits) yield() *failure {
	const file = "/proc/self/oom_score_adj"
	raw, err := os.ReadFile(file)
	if err != nil {
		return failed("oom_score_adj", err)
	}
	if score, err := strconv.Atoi(strings.TrimSpace(string(raw))); err != nil || score < r.oom {
		if err := os.WriteFile(file, []byte(strconv.Itoa(r.oom)), 0); err != nil {
			return failed("oom_score_adj", err)
		}
	}
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return failed("niceness", err)
	}
	if nice := 20 - priority; nice < r.nice { // the system call returns 1 to 40
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, r.nice); err != nil {
			return failed("niceness", err)
		}
	}
	return nil
}

// lower sets both limits of a resource, but never above the current hard limit.
func lower(resource int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Prlimit(0, resource, nil, &now); err != nil {
		return err
	}
	most = min(most, now.Max)
	return unix.Prlimit(0, resource, &unix.Rlimit{Cur: most, Max: most}, nil)
}

// bound drops every capability that the row does not list. The launcher has limited
// this process to those of the row, but root would regain all others with the exec
// unless they are removed from the bounding set.
func (r limits) bound() error {
	have, err := permittedSet()
	if err != nil {
		return err
	}
	keep := have & setOf(r.caps)
	if have&(1<<unix.CAP_SETPCAP) != 0 {
		for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
			if !slices.Contains(r.caps, c) {
				if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
					return err
				}
			}
		}
	}
	return capset(keep, keep, keep)
}
