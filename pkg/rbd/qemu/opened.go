package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/hostfs"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// openedFilesMax is the most open files of one process that are read.
const openedFilesMax = 16384

// An Opened is the open disks of a process.
type Opened struct {
	PID     int        `json:"pid"`
	Disks   []rbd.Disk `json:"disks,omitempty"`   // block devices, and files with the number of the block device of their file system; each once
	Machine bool       `json:"machine,omitempty"` // KVM runs a virtual machine for it
	Denied  bool       `json:"denied,omitempty"`  // access was denied
	Err     string     `json:"err,omitempty"`     // why they are unknown, for display
}

// ReadOpened returns the open disks of each of the processes, from the links in
// /proc/PID/fd and from its mountinfo. They include disks that were plugged in after
// its start, and devices whose names are only valid for the process (in a container,
// or deleted links). proc is rooted at /proc. It takes no lock of the process and
// contacts no file server. It needs CAP_SYS_PTRACE, which only the probe has. A
// process that has ended is omitted.
func ReadOpened(proc fs.FS, processes []Process) []Opened {
	var list []Opened
	for _, p := range processes[:min(len(processes), processesMax)] {
		o := openedReader{proc: proc, dir: strconv.Itoa(p.PID), of: Opened{PID: p.PID}}
		err := o.read()
		if start, gone := procStart(proc, p.PID); gone != nil || start != p.Start {
			continue // the files may belong to another process
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			o.of.Denied, o.of.Err = errors.Is(err, fs.ErrPermission), guest.Reason(err)
		}
		list = append(list, o.of)
	}
	return list
}

// An openedReader reads the open files of one process.
type openedReader struct {
	proc   fs.FS
	dir    string // PID
	of     Opened
	mounts *procMounts
}

func (r *openedReader) read() error {
	entries, err := fs.ReadDir(r.proc, r.dir+"/fd")
	if err != nil {
		return fmt.Errorf("rbd: files of process %s: %w", r.dir, err)
	}
	seen := map[string]bool{}
	for _, e := range entries[:min(len(entries), openedFilesMax)] {
		name := r.dir + "/fd/" + e.Name()
		target, err := fs.ReadLink(r.proc, name)
		switch {
		case err != nil && errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("rbd: files of process %s: %w", r.dir, err)
		case err != nil:
		case target == "anon_inode:kvm-vm":
			r.of.Machine = true
		case strings.HasPrefix(target, "/") && !seen[target]:
			seen[target] = true
			if d, ok := r.disk(name, naming.Text(strings.TrimSuffix(target, " (deleted)"))); ok && len(r.of.Disks) < rbd.MaxDisks {
				r.of.Disks = append(r.of.Disks, d)
			}
		}
	}
	slices.SortFunc(r.of.Disks, func(a, b rbd.Disk) int { return strings.Compare(a.Path, b.Path) })
	r.of.Disks = slices.CompactFunc(r.of.Disks, func(a, b rbd.Disk) bool { return a.Path == b.Path })
	return nil
}

// disk returns the disk of an open file, and false if it is not a disk.
func (r *openedReader) disk(name, target string) (rbd.Disk, bool) {
	d := rbd.Disk{Path: target}
	if strings.HasPrefix(target, "/dev/") {
		if openedIsNoDisk(target) {
			return d, false
		}
		return d, r.device(&d, name) || openedIsDisk(target)
	}
	switch path.Ext(target) {
	case ".log", ".pid", ".sock", ".lock", ".fd": // a guest's files, but not disks
		return d, false
	}
	if strings.HasPrefix(target, "/memfd:") {
		return d, false
	}
	if r.mounts == nil {
		r.mounts = procReadMounts(r.proc, r.dir)
	}
	m, ok := r.mounts.of(target)
	switch {
	case !ok:
	case m.number():
		d.Major, d.Minor = m.major, m.minor
		return d, true
	case m.memory(): // a device node in a jail
		return d, r.device(&d, name)
	case strings.HasPrefix(m.source, "/dev/"): // btrfs has no device number
		if d.Major, d.Minor, ok = rbd.DeviceNumber(m.source); !ok { // not in this /dev: it is matched by its name
			return rbd.Disk{Path: m.source}, openedIsDisk(m.source)
		}
		return d, true
	}
	return d, false
}

// device fills in the number if the open file is a block device.
func (r *openedReader) device(d *rbd.Disk, name string) (ok bool) {
	if s, real := r.proc.(hostfs.FS); real {
		d.Major, d.Minor, ok = s.BlockDevice(name)
	}
	return ok
}

// openedIsNoDisk reports whether a path under /dev/ is one that every virtual machine
// has open.
func openedIsNoDisk(path string) bool {
	switch path {
	case "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/kvm", "/dev/ptmx", "/dev/tty", "/dev/net/tun", "/dev/vhost-net",
		"/dev/vhost-vsock":
		return true
	}
	for _, dir := range []string{"/dev/pts/", "/dev/vfio/", "/dev/shm/", "/dev/hugepages"} {
		if strings.HasPrefix(path, dir) {
			return true
		}
	}
	return false
}

// openedIsDisk reports whether a path alone shows that it is a device that may be on
// RBD.
func openedIsDisk(path string) bool {
	name := strings.TrimPrefix(path, "/dev/")
	d := guest.PathDisk(path)
	_, loop := naming.Device(name, "loop")
	return d.Client == rbd.KRBD || d.Client == rbd.NBD || loop || strings.HasPrefix(name, "dm-") || strings.HasPrefix(name, "mapper/")
}
