package qemu

import (
	"cmp"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// Limits on the processes of /proc that are kept.
const (
	processesMax = 4096
	procKnownMax = 32768
)

// procYoung is the number of reads in which a new process is read in full: it may
// still become another program, or be moved to another cgroup.
const procYoung = 3

// A processTable tracks the relevant processes of a host: those that run virtual
// machines, those that export disks to them, and those of containers. Of a known
// process it reads only stat.
type processTable struct {
	proc  fs.FS
	known map[int]*procEntry
	turn  int
}

// A procEntry is the stored knowledge about a process. Most processes are irrelevant:
// vm, server and container are empty.
type procEntry struct {
	Process
	vm        bool   // its name is a virtual machine monitor's, it is in a manager's cgroup, or KVM runs a machine for it
	ordinary  bool   // for vm: any user could have started it, so the name alone proves nothing
	server    bool   // its name is that of a program that exports disks
	container string // the container that it is in
	reads     int
	turn      int // number of the latest read that saw it
}

func newProcessTable(proc fs.FS) *processTable {
	return &processTable{proc: proc, known: map[int]*procEntry{}}
}

// read returns the relevant processes, by PID. It reads stat and, for new processes,
// cgroup and status, none of which waits for the process; never its memory (cmdline,
// maps). A process that ends meanwhile is omitted.
func (t *processTable) read() ([]*procEntry, error) {
	pids, err := procPIDs(t.proc)
	if err != nil {
		return nil, err
	}
	t.turn++
	var list []*procEntry
	machines := map[int]bool{}
	for _, pid := range pids {
		s, err := procReadStat(t.proc, strconv.Itoa(pid))
		if err != nil {
			continue
		}
		if s.kernel {
			if owner, ok := procMachineOwner(s.comm); ok {
				machines[owner] = true
			}
			continue
		}
		e := t.entry(pid, s)
		if e.vm || e.server || e.container != "" {
			list = append(list, e)
		}
	}
	for pid, e := range t.known {
		if e.turn != t.turn {
			delete(t.known, pid)
		}
	}
	for _, e := range list {
		if machines[e.PID] {
			e.ordinary = false
			e.vm = true
			delete(machines, e.PID)
		}
	}
	for pid := range machines { // it has another name
		if e := t.known[pid]; e != nil {
			e.vm = true
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *procEntry) int { return cmp.Compare(a.PID, b.PID) })
	return list, nil
}

// entry returns the entry of a process, and updates it if necessary.
func (t *processTable) entry(pid int, s procStat) *procEntry {
	e := t.known[pid]
	if e == nil || e.Start != s.start || e.Comm != naming.Text(s.comm) {
		e = &procEntry{Process: Process{PID: pid, Start: s.start, Comm: naming.Text(s.comm)}}
		if len(t.known) < procKnownMax {
			t.known[pid] = e
		}
	}
	if e.reads < procYoung {
		e.reads++
		t.look(e)
	}
	e.turn = t.turn
	return e
}

// look reads what identifies a process. On an error it leaves the entry unchanged: the
// process has ended, or will be read again.
func (t *processTable) look(e *procEntry) {
	cgroup, err := procRead(t.proc, strconv.Itoa(e.PID)+"/cgroup", procFileSize)
	if err == nil {
		e.VM, e.Libvirt = scopeOf(cgroup)
		e.container, _ = guestContainer(cgroup)
	}
	e.server, e.vm = serverComm(e.Comm), vmmComm(e.Comm) || e.VM != ""
	if !e.server && !e.vm {
		return
	}
	// Only a manager of virtual machines creates this cgroup, which requires root.
	if e.ordinary = false; e.VM == "" {
		users, err := procUsers(t.proc, e.PID)
		e.ordinary = err == nil && ordinaryUsers(users)
	}
}

// procMachineOwner returns the PID that owns a kernel thread of KVM: kvm-pit/PID for
// the timer of a PC, and kvm-nx-lpage-recovery-PID (up to Linux 6.12). No program can
// create a kernel thread (arch/x86/kvm/i8254.c, mmu/mmu.c).
func procMachineOwner(comm string) (pid int, ok bool) {
	number, ok := strings.CutPrefix(comm, "kvm-pit/")
	if !ok {
		number, ok = strings.CutPrefix(comm, "kvm-nx-lpage-recovery-")
	}
	if !ok || !naming.Digits(number) {
		return 0, false
	}
	pid, err := strconv.Atoi(number)
	return pid, err == nil
}
