package qemu

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// guestContainersMax is the maximum number of containers of a host.
const guestContainersMax = 4096

// containers returns the LXC containers among the processes: Proxmox's always use
// krbd. It reads the mountinfo of the first process of each, which neither waits for
// a process nor does I/O on a mount. On Proxmox, ID is the VMID and Name is "ct" and
// the VMID, because no safe source has the host name; elsewhere Name is the
// container's name. Disks are the mounts of block devices, with rbd.NoClient until
// Resolve finds the device among krbd's; Target is rootfs, or else the mount point.
func (r *Processes) containers(list []*procEntry, partly *guest.Partly) []rbd.Guest {
	var guests []rbd.Guest
	seen, unread := map[string]bool{}, map[string]bool{}
	for _, e := range list {
		if e.container == "" || seen[e.container] || len(seen) == guestContainersMax {
			continue
		}
		mounts, err := procRead(r.table.proc, strconv.Itoa(e.PID)+"/mountinfo", procFileSize)
		if err != nil {
			unread[e.container] = true
			continue // another process of the container may show it
		}
		seen[e.container] = true
		delete(unread, e.container)
		guests = append(guests, guestOfContainer(e.container, e.PID, mounts))
	}
	if len(unread) > 0 {
		partly.Add(fmt.Sprintf("the mounts of %d containers could not be read", len(unread)))
	}
	return guests
}

func guestOfContainer(id string, pid int, mountinfo []byte) rbd.Guest {
	name := id
	if naming.Digits(id) {
		name = "ct" + id
	}
	return rbd.Guest{Name: name, ID: id, Kind: "container", PID: pid, State: "running", OS: "linux", Disks: guestMounts(mountinfo)}
}

// guestMounts returns the mounted block devices, each once, from proc(5)'s mountinfo:
//
//	36 35 252:16 / /srv/data rw,noatime shared:1 - ext4 /dev/rbd1 rw
func guestMounts(mountinfo []byte) []rbd.Disk {
	var disks []rbd.Disk
	type device struct {
		major, minor uint32
		path         string // if there is no number
	}
	seen := map[device]bool{}
	for line := range strings.Lines(string(mountinfo)) {
		d, ok := guestMount(line)
		key := device{major: d.Major, minor: d.Minor}
		if d.Major == 0 {
			key.path = d.Path
		}
		if ok && !seen[key] && len(disks) < rbd.MaxDisks {
			seen[key] = true
			disks = append(disks, d)
		}
	}
	return disks
}

// guestMount returns the disk in a line of mountinfo. A file system without a device
// number, such as btrfs, is identified by the device's name.
func guestMount(line string) (rbd.Disk, bool) {
	m, ok := procParseMount(line)
	if !ok || m.major == 0 && !strings.HasPrefix(m.source, "/dev/") {
		return rbd.Disk{}, false
	}
	d := guest.PathDisk(m.source)
	if d.Major, d.Minor = m.major, m.minor; m.major == 0 {
		d.Minor = 0
	}
	if d.Target = m.point; d.Target == "/" {
		d.Target = "rootfs"
	}
	return d, true
}

// guestUnescapeMount decodes the octal escapes of space, tab, newline and backslash.
func guestUnescapeMount(s string) string {
	return guestMountEscapes.Replace(s)
}

var guestMountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
