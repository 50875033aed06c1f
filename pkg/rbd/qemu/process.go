package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// procFileSize is the maximum size of one file of /proc, in bytes: the mountinfo of a
// host with thousands of mounts.
const procFileSize = 1 << 20

// A Process is a process that runs a virtual machine, or exports disks to one.
type Process struct {
	PID     int
	Start   uint64 // clock ticks after boot: field 22 of /proc/PID/stat; with PID it identifies the process uniquely
	Comm    string // /proc/PID/comm, at most 15 bytes: kvm, qemu-kvm, qemu-system-x86
	VM      string // from its cgroup: Proxmox's VMID, or the name in libvirt's scope; empty if unknown
	Libvirt bool   // its cgroup is one of libvirt's
}

// procPIDs returns all PIDs, in ascending order.
func procPIDs(proc fs.FS) ([]int, error) {
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil, fmt.Errorf("rbd: /proc: %w", err)
	}
	var pids []int
	for _, e := range entries {
		if name := e.Name(); naming.Digits(name) {
			if pid, err := strconv.Atoi(name); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// errProcEnded reports that a process has ended or is a zombie.
var errProcEnded = fmt.Errorf("the process has ended: %w", fs.ErrNotExist)

// A procStat is the content of /proc/PID/stat, or of a thread's stat. The kernel
// generates it without waiting for the process.
type procStat struct {
	comm   string
	state  byte   // R, S, D, T, ...
	start  uint64 // clock ticks after boot
	ticks  uint64 // CPU time in user and kernel mode
	kernel bool   // a kernel thread
}

// procKernelThread is PF_KTHREAD (include/linux/sched.h).
const procKernelThread = 0x00200000

// procReadStat reads NAME/stat of a process or a thread. The comm in it may contain
// any character, so fields are counted from its last parenthesis. A zombie is an
// error.
func procReadStat(proc fs.FS, name string) (procStat, error) {
	data, err := procRead(proc, name+"/stat", 4096)
	if err != nil {
		return procStat{}, err
	}
	from, to := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if from < 0 || to < from {
		return procStat{}, errors.New("rbd: /proc/PID/stat: no name")
	}
	var fields [20][]byte
	n := 0
	for field := range bytes.FieldsSeq(data[to+1:]) {
		if n == len(fields) {
			break
		}
		fields[n] = field
		n++
	}
	if n < len(fields) {
		return procStat{}, errors.New("rbd: /proc/PID/stat: too few fields")
	}
	s := procStat{comm: string(data[from+1 : to]), state: fields[0][0]}
	if s.state == 'Z' || s.state == 'X' {
		return procStat{}, errProcEnded
	}
	flags, _, _ := hostfs.Uint(fields[6])
	user, _, _ := hostfs.Uint(fields[11])
	system, _, _ := hostfs.Uint(fields[12])
	start, _, ok := hostfs.Uint(fields[19])
	if !ok {
		return procStat{}, errors.New("rbd: /proc/PID/stat: no start")
	}
	s.kernel, s.ticks, s.start = flags&procKernelThread != 0, user+system, start
	return s, nil
}

// procStart returns when a process started, in clock ticks after boot.
func procStart(proc fs.FS, pid int) (uint64, error) {
	s, err := procReadStat(proc, strconv.Itoa(pid))
	return s.start, err
}

// procUsers returns the users in /proc/PID/status: real, effective, saved and
// filesystem user, as numbered in the initial user namespace.
func procUsers(proc fs.FS, pid int) ([]uint64, error) {
	data, err := procRead(proc, strconv.Itoa(pid)+"/status", 64<<10)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		rest, ok := strings.CutPrefix(line, "Uid:")
		if !ok {
			continue
		}
		var users []uint64
		for _, field := range strings.Fields(rest) {
			n, err := strconv.ParseUint(field, 10, 32)
			if err != nil {
				break
			}
			users = append(users, n)
		}
		return users, nil
	}
	return nil, errors.New("rbd: /proc/PID/status: no users")
}

// ReadCommandLine returns /proc/PID/cmdline. Call it only in the probe: the read
// takes the process's mmap lock and may fault its pages in, so it can wait
// indefinitely for a stuck QEMU. The result may contain keys, so only the result of
// ParseCommandLine may leave the probe. A command line longer than 1 MiB is an error,
// because a truncated option could be misread.
func ReadCommandLine(proc fs.FS, pid int) ([]byte, error) {
	data, err := procRead(proc, strconv.Itoa(pid)+"/cmdline", argsSize)
	if err != nil {
		return nil, fmt.Errorf("rbd: command line of process %d: %w", pid, err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("rbd: command line of process %d: %w", pid, errProcEnded)
	}
	return data, nil
}

// procCommandLine returns the arguments of a process, and checks that the PID still
// belongs to it.
func procCommandLine(proc fs.FS, p Process) ([]byte, error) {
	data, err := ReadCommandLine(proc, p.PID)
	if err != nil {
		return nil, err
	}
	start, err := procStart(proc, p.PID)
	if err == nil && start != p.Start {
		err = errProcEnded
	}
	if err != nil {
		return nil, fmt.Errorf("rbd: process %d: %w", p.PID, err)
	}
	return data, nil
}

// procRead reads a whole file of at most limit bytes; a longer one is an error.
func procRead(proc fs.FS, name string, limit int64) ([]byte, error) {
	if s, ok := proc.(hostfs.FS); ok {
		return s.ReadLimited(name, limit)
	}
	f, err := proc.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("longer than %d bytes", limit)
	}
	return data, nil
}
