package rbd

import (
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// An Export is a disk that a process of the host serves to guests, by a device or
// over a socket.
type Export struct {
	Path string `json:"path"` // /dev/nbdN, or the socket
	PID  int    `json:"pid"`
	Disk Disk   `json:"disk"` // what is served; NoClient: it does not lie on RBD, as far as is known
}

// ResolveExports returns the guests with what lies behind the devices and sockets
// of exports filled in. It changes nothing that it is given.
func ResolveExports(guests []Guest, exports []Export) []Guest {
	if len(exports) == 0 {
		return guests
	}
	byPath := make(map[string]*Export, len(exports))
	for i := range exports {
		byPath[naming.RunPath(exports[i].Path)] = &exports[i]
	}
	guests = slices.Clone(guests)
	for g := range guests {
		own := false
		for d := range guests[g].Disks {
			e := byPath[exportPath(guests[g].Disks[d].Path)]
			if e == nil {
				continue
			}
			if !own {
				guests[g].Disks, own = slices.Clone(guests[g].Disks), true
			}
			disk := &guests[g].Disks[d]
			s := e.Disk
			disk.Client, disk.Pool, disk.Namespace, disk.Image, disk.Snapshot = s.Client, s.Pool, s.Namespace, s.Image, s.Snapshot
			if s.Path != "" { // a device or file of the host
				disk.Via, disk.Path, disk.Major, disk.Minor = disk.Path, s.Path, s.Major, s.Minor
			}
		}
	}
	return guests
}

// exportPath is the path by which a disk is known: for a partition of a network
// block device, that of the device.
func exportPath(path string) string {
	if name, ok := strings.CutPrefix(path, "/dev/"); ok {
		if device, ok := naming.Device(name, "nbd"); ok {
			return "/dev/" + device
		}
	}
	return naming.RunPath(path)
}
