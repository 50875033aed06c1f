package rbd

import (
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// An Export is a disk that a process of the host exports to guests through a device
// or a socket, or the file behind a loop device.
type Export struct {
	Path    string      `json:"path"`              // /dev/nbdN, /dev/loopN, or the socket
	Numbers [][2]uint32 `json:"numbers,omitempty"` // major and minor of the device, and of its partitions
	PID     int         `json:"pid"`               // 0 if the kernel serves it, or if unknown
	Disk    Disk        `json:"disk"`              // the exported disk; NoClient if it is not known to be on RBD
}

// exportsDeep is the most exports on top of each other that are followed: a loop device
// on a file on a network block device.
const exportsDeep = 4

// ResolveExports returns the guests with their disks resolved through the devices and
// sockets of exports: by the path of a disk, or by the number of the device that its
// file is on. It does not change its arguments.
func ResolveExports(guests []Guest, exports []Export) []Guest {
	if len(exports) == 0 {
		return guests
	}
	x := newExportIndex(exports)
	guests = slices.Clone(guests)
	for g := range guests {
		own := false
		for d := range guests[g].Disks {
			for range exportsDeep {
				e := x.find(&guests[g].Disks[d])
				if e == nil {
					break
				}
				if !own {
					guests[g].Disks, own = slices.Clone(guests[g].Disks), true
				}
				if e.fill(&guests[g].Disks[d]); e.Disk.Path == "" {
					break
				}
			}
		}
	}
	return guests
}

// fill fills in a disk from its export.
func (e *Export) fill(disk *Disk) {
	s := e.Disk
	disk.Client, disk.Pool, disk.Namespace, disk.Image, disk.Snapshot = s.Client, s.Pool, s.Namespace, s.Image, s.Snapshot
	if s.Path == "" {
		return
	}
	if disk.Via == "" {
		disk.Via = disk.Path
	}
	disk.Path, disk.Major, disk.Minor = s.Path, s.Major, s.Minor // a device or file of the host
}

// An exportIndex finds exports by the path or device number of a disk.
type exportIndex struct {
	paths   map[string]*Export
	numbers map[[2]uint32]*Export
}

func newExportIndex(exports []Export) exportIndex {
	x := exportIndex{make(map[string]*Export, len(exports)), make(map[[2]uint32]*Export, len(exports))}
	for i := range exports {
		x.paths[naming.RunPath(exports[i].Path)] = &exports[i]
		for _, number := range exports[i].Numbers {
			x.numbers[number] = &exports[i]
		}
	}
	return x
}

func (x exportIndex) find(d *Disk) *Export {
	if e := x.paths[exportPath(d.Path)]; e != nil || d.Major == 0 {
		return e
	}
	return x.numbers[[2]uint32{d.Major, d.Minor}]
}

// exportPath returns the path of a disk in the index: for a partition of a network
// block device or loop device, the path of the device.
func exportPath(path string) string {
	if name, ok := strings.CutPrefix(path, "/dev/"); ok {
		for _, kind := range []string{"nbd", "loop"} {
			if device, ok := naming.Device(name, kind); ok {
				return "/dev/" + device
			}
		}
	}
	return naming.RunPath(path)
}
