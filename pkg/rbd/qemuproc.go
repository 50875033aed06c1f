package rbd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Bounds on what is read of /proc.
const (
	qemuProcessesMax = 4096
	qemuFDsMax       = 16384
	procFileSize     = 1 << 20 // mountinfo of a host with thousands of mounts
)

// A Process is a QEMU's process.
type Process struct {
	PID     int
	Start   uint64 // clock ticks after boot: field 22 of /proc/PID/stat; with PID it names the process for good
	Comm    string // /proc/PID/comm, at most 15 bytes: kvm, qemu-kvm, qemu-system-x86
	VM      string // by its cgroup: Proxmox's VMID, or the name in libvirt's scope; empty: not said
	Libvirt bool   // its cgroup is one of libvirt's
}

// ListQEMU lists QEMU's processes, by PID, from a file system rooted at /proc. It
// reads comm, cgroup and stat only, none of which waits for the process; never
// its memory (cmdline, maps). A process that ends while it is read is left out.
func ListQEMU(proc fs.FS) ([]Process, error) {
	pids, err := procPIDs(proc)
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, pid := range pids {
		if p, ok := qemuProcess(proc, pid); ok && len(list) < qemuProcessesMax {
			list = append(list, p)
		}
	}
	return list, nil
}

// procPIDs returns the processes there are, in ascending order.
func procPIDs(proc fs.FS) ([]int, error) {
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil, fmt.Errorf("rbd: /proc: %w", err)
	}
	var pids []int
	for _, e := range entries {
		if name := e.Name(); guestDigits(name) {
			if pid, err := strconv.Atoi(name); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	slices.Sort(pids)
	return pids, nil
}

func qemuProcess(proc fs.FS, pid int) (Process, bool) {
	dir := strconv.Itoa(pid) + "/"
	comm, err := procRead(proc, dir+"comm", 64)
	if err != nil || !qemuComm(strings.TrimSuffix(string(comm), "\n")) {
		return Process{}, false
	}
	start, err := procStart(proc, pid)
	if err != nil {
		return Process{}, false
	}
	p := Process{PID: pid, Start: start, Comm: guestText(strings.TrimSuffix(string(comm), "\n"))}
	if cgroup, err := procRead(proc, dir+"cgroup", procFileSize); err == nil {
		p.VM, p.Libvirt = qemuScope(cgroup)
	}
	return p, true
}

// qemuComm tells whether a comm is a QEMU's: the name of its binary, of which the
// kernel keeps 15 bytes.
func qemuComm(comm string) bool {
	return comm == "kvm" || comm == "qemu-kvm" || comm == "qemu" || strings.HasPrefix(comm, "qemu-system-")
}

// errProcEnded says that a process is gone or a zombie.
var errProcEnded = fmt.Errorf("the process has ended: %w", fs.ErrNotExist)

// procStart returns when a process started, in clock ticks after boot. The comm
// in stat may hold any sign, so fields are counted from its last parenthesis.
func procStart(proc fs.FS, pid int) (uint64, error) {
	data, err := procRead(proc, strconv.Itoa(pid)+"/stat", 4096)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return 0, errors.New("rbd: /proc/PID/stat: too few fields")
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, errProcEnded
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// ReadCommandLine returns /proc/PID/cmdline. Only inside the probe: the read takes
// the process's mmap lock and may fault its pages in, so it can wait for ever for
// a QEMU that is stuck; and what it returns may hold keys, so only what
// ParseCommandLine makes of it may leave the probe. One longer than 1 MiB is an
// error, as half an option is worse than none.
func ReadCommandLine(proc fs.FS, pid int) ([]byte, error) {
	data, err := procRead(proc, strconv.Itoa(pid)+"/cmdline", qemuArgsSize)
	if err != nil {
		return nil, fmt.Errorf("rbd: command line of process %d: %w", pid, err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("rbd: command line of process %d: %w", pid, errProcEnded)
	}
	return data, nil
}

// ReadQEMU reads the Guest of a process. Only inside the probe, as
// ReadCommandLine. It makes sure that the PID is still that process's. The Guest
// holds what could be read even when the error is of ParseCommandLine.
func ReadQEMU(proc fs.FS, p Process) (Guest, error) {
	data, err := ReadCommandLine(proc, p.PID)
	if err != nil {
		return Guest{}, err
	}
	start, err := procStart(proc, p.PID)
	if err == nil && start != p.Start {
		err = errProcEnded
	}
	if err != nil {
		return Guest{}, fmt.Errorf("rbd: process %d: %w", p.PID, err)
	}
	g, err := ParseCommandLine(data)
	return g.of(p), err
}

// of fills in what the process tells of its guest.
func (g Guest) of(p Process) Guest {
	g.Kind, g.PID, g.Libvirt = "vm", p.PID, p.Libvirt
	if g.ID == "" && !p.Libvirt {
		g.ID = p.VM
	}
	switch {
	case g.Name != "":
	case p.Libvirt:
		g.Name = p.VM
	case g.ID != "":
		g.Name = "vm" + g.ID
	}
	if g.Name == "" {
		g.Name = p.Comm + " " + strconv.Itoa(p.PID)
	}
	return g
}

// An Opened is which disks a process has open.
type Opened struct {
	PID     int      `json:"pid"`
	Devices []string `json:"devices,omitempty"` // the paths of rbd, nbd and device mapper devices, sorted
	Err     string   `json:"err,omitempty"`     // why they are not known, for people
}

// ReadOpened returns the devices that each of the processes has open, from the links
// in /proc/PID/fd: among them those that were plugged in after it started, which its
// command line lacks. It takes no lock of the process's. It needs capabilities that
// only the probe has. A process that has ended is left out.
func ReadOpened(proc fs.FS, processes []Process) []Opened {
	var list []Opened
	for _, p := range processes[:min(len(processes), qemuProcessesMax)] {
		o := Opened{PID: p.PID}
		var err error
		if o.Devices, err = openDevices(proc, p); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			o.Err = guestReason(err)
		}
		list = append(list, o)
	}
	return list
}

// openDevices returns the devices that one process has open.
func openDevices(proc fs.FS, p Process) ([]string, error) {
	dir := strconv.Itoa(p.PID) + "/fd"
	entries, err := fs.ReadDir(proc, dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries[:min(len(entries), qemuFDsMax)] {
		target, err := fs.ReadLink(proc, dir+"/"+e.Name())
		if err != nil && errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		if err == nil && qemuIsDisk(target) {
			found = append(found, guestText(target))
		}
	}
	if start, err := procStart(proc, p.PID); err != nil || start != p.Start {
		return nil, errProcEnded // the files may be another process's
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func qemuIsDisk(path string) bool {
	name, ok := strings.CutPrefix(path, "/dev/")
	if !ok {
		return false
	}
	d := guestPathDisk(path)
	return d.Client == KRBD || d.Client == NBD || strings.HasPrefix(name, "dm-") || strings.HasPrefix(name, "mapper/")
}

// procRead reads a file of at most limit bytes whole; a longer one is an error.
func procRead(proc fs.FS, name string, limit int64) ([]byte, error) {
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
