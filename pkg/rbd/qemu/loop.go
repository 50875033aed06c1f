package qemu

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
)

// loopFiles knows which file systems the files of the host's loop devices lie on, by the
// mounts of the first process. A file that is in use keeps its mount, so that the mounts
// are read again only when there are other loop devices.
type loopFiles struct {
	devices []ServedDevice
	known   []rbd.Export
}

// exports returns what the loop devices lie on.
func (l *loopFiles) exports(proc fs.FS, devices []ServedDevice) []rbd.Export {
	devices = slices.DeleteFunc(slices.Clone(devices), func(d ServedDevice) bool { return d.File == "" })
	if slices.EqualFunc(devices, l.devices, func(a, b ServedDevice) bool {
		return a.Device == b.Device && a.File == b.File && slices.Equal(a.Numbers, b.Numbers)
	}) {
		return l.known
	}
	l.devices, l.known = devices, nil
	mounts := procReadMounts(proc, "1")
	for _, d := range devices {
		disk := guest.PathDisk(d.File)
		if m, ok := mounts.of(d.File); ok && !strings.HasPrefix(d.File, "/dev/") {
			disk.Major, disk.Minor = m.device()
		}
		l.known = append(l.known, rbd.Export{Path: "/dev/" + d.Device, Numbers: d.Numbers, Disk: disk})
	}
	return l.known
}
