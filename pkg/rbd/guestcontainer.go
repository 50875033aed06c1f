package rbd

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// guestContainersMax bounds the containers of a host.
const guestContainersMax = 4096

// ListContainers lists the LXC containers of a host from a file system rooted at
// /proc: Proxmox's always sit on krbd. It reads each process's cgroup, and the
// mountinfo of the first process of each container: neither waits for a process
// or does I/O on a mount. ID is the VMID, Name "ct" and the VMID (the host name
// is in no place that is safe to read) or, outside Proxmox, the container's name.
// Disks are the mounts that have a block device, as NoClient until Resolve finds
// it among krbd's; the Target is rootfs, or else where it is mounted.
func ListContainers(proc fs.FS) (Guests, error) {
	pids, err := procPIDs(proc)
	if err != nil {
		return Guests{}, err
	}
	var found Guests
	seen := map[string]bool{}
	unread := map[string]bool{}
	for _, pid := range pids {
		dir := strconv.Itoa(pid)
		cgroup, err := procRead(proc, dir+"/cgroup", procFileSize)
		if err != nil {
			continue // it has ended
		}
		id, ok := guestContainer(cgroup)
		if !ok || seen[id] || len(seen) == guestContainersMax {
			continue
		}
		mounts, err := procRead(proc, dir+"/mountinfo", procFileSize)
		if err != nil {
			unread[id] = true
			continue // another of its processes may tell
		}
		seen[id] = true
		delete(unread, id)
		found.Guests = append(found.Guests, guestOfContainer(id, pid, mounts))
	}
	if len(unread) > 0 {
		found.Partly, found.Remedy = fmt.Sprintf("the mounts of %d containers could not be read", len(unread)), remedyPtrace
	}
	return found, nil
}

func guestOfContainer(id string, pid int, mountinfo []byte) Guest {
	name := id
	if guestDigits(id) {
		name = "ct" + id
	}
	return Guest{Name: name, ID: id, Kind: "container", PID: pid, State: "running", OS: "linux", Disks: guestMounts(mountinfo)}
}

// guestMounts returns the block devices that are mounted, each once, as
// proc(5)'s mountinfo tells:
//
//	36 35 252:16 / /srv/data rw,noatime shared:1 - ext4 /dev/rbd1 rw
func guestMounts(mountinfo []byte) []Disk {
	var disks []Disk
	seen := map[uint64]bool{}
	for line := range strings.Lines(string(mountinfo)) {
		d, ok := guestMount(line)
		if key := joinNumber(d.Major, d.Minor); ok && !seen[key] && len(disks) < guestDisksMax {
			seen[key] = true
			disks = append(disks, d)
		}
	}
	return disks
}

// guestMount reads one line of mountinfo. A major number of 0 is a file system
// without a device.
func guestMount(line string) (Disk, bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, source := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 6 || len(source) < 2 {
		return Disk{}, false
	}
	major, minor, ok := strings.Cut(fields[2], ":")
	x, errX := strconv.ParseUint(major, 10, 32)
	y, errY := strconv.ParseUint(minor, 10, 32)
	if !ok || errX != nil || errY != nil || x == 0 {
		return Disk{}, false
	}
	d := guestPathDisk(guestText(guestUnescapeMount(source[1])))
	d.Major, d.Minor = uint32(x), uint32(y)
	if d.Target = guestText(guestUnescapeMount(fields[4])); d.Target == "/" {
		d.Target = "rootfs"
	}
	return d, true
}

// guestUnescapeMount undoes the octal escapes of space, tab, newline and backslash.
func guestUnescapeMount(s string) string {
	return guestMountEscapes.Replace(s)
}

var guestMountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
