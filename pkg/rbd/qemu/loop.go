package qemu

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
)

// loopFiles finds the file systems of the files behind the host's loop devices, by the
// mounts of the first process. A file in use keeps its mount, so the mounts are read
// again only after the loop devices change.
type loopFiles struct {
	devices []ServedDevice
	known   []rbd.Export
}

// exports returns the files behind the loop devices. It returns an error if the mounts
// are missing and a file's device is therefore unknown.
func (l *loopFiles) exports(proc fs.FS, devices []ServedDevice) ([]rbd.Export, error) {
	devices = slices.DeleteFunc(slices.Clone(devices), func(d ServedDevice) bool { return d.File == "" })
	if slices.EqualFunc(devices, l.devices, func(a, b ServedDevice) bool {
		return a.Device == b.Device && a.File == b.File && slices.Equal(a.Numbers, b.Numbers)
	}) {
		return l.known, nil
	}
	l.devices, l.known = devices, nil
	mounts := procReadMounts(proc, "1")
	var err error
	for _, d := range devices {
		disk := guest.PathDisk(d.File)
		if !strings.HasPrefix(d.File, "/dev/") {
			m, ok := mounts.of(d.File)
			if disk.Major, disk.Minor = m.device(); !ok {
				err = errNoMounts
			}
		}
		l.known = append(l.known, rbd.Export{Path: "/dev/" + d.Device, Numbers: d.Numbers, Disk: disk})
	}
	if err != nil {
		l.devices = nil // they are read again
	}
	return l.known, err
}

var errNoMounts = errors.New("the mounts of the first process cannot be read")
