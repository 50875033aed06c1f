package guest

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// PathDisk returns what a path alone shows about the disk behind it: its client, and
// the image if udev's link names it (ceph-common's /dev/rbd/POOL/..., Proxmox's
// /dev/rbd-pve/FSID/POOL/...). It keeps only an absolute path: any other value may be
// a URL with a password.
func PathDisk(path string) rbd.Disk {
	if !strings.HasPrefix(path, "/") {
		return rbd.Disk{}
	}
	d := rbd.Disk{Path: path}
	name, isDevice := strings.CutPrefix(path, "/dev/")
	if !isDevice {
		return d
	}
	if _, ok := naming.Device(name, "nbd"); ok {
		d.Client = rbd.NBD
		return d
	}
	if _, ok := naming.Device(name, "rbd"); ok {
		d.Client = rbd.KRBD
		return d
	}
	if spec, _, ok := naming.LinkSpec(name); ok {
		d.Client = rbd.KRBD
		d.Pool, d.Namespace, d.Image, d.Snapshot, _ = naming.ParseSpec(naming.WithoutPart(spec))
	}
	return d
}

// FillNumbers returns the disks and fills in the device numbers of those that are
// devices.
func FillNumbers(disks []rbd.Disk, number func(string) (major, minor uint32, ok bool)) []rbd.Disk {
	for i := range disks {
		d := &disks[i]
		if number == nil || d.Major != 0 || d.Path == "" {
			continue
		}
		if major, minor, ok := number(d.Path); ok {
			d.Major, d.Minor = major, minor
		}
	}
	return disks
}
