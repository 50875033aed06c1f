package qemu

import (
	"io/fs"
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// A procMount is one line of proc(5)'s mountinfo:
//
//	36 35 252:16 / /srv/data rw,noatime shared:1 - ext4 /dev/rbd1 rw
type procMount struct {
	point        string // mount point
	major, minor uint32 // device number of its file system; major 0: without a device, or with several devices
	kind         string // ext4, xfs, tmpfs, ...
	source       string // the device, or another source that the file system reports
}

// number reports whether the file system is on one block device.
func (m procMount) number() bool { return m.major != 0 }

// device returns the number of the block device of the file system. If the file system
// has no number, as with btrfs, it is that of its source in this /dev. It is 0:0 if
// unknown.
func (m procMount) device() (major, minor uint32) {
	if m.number() {
		return m.major, m.minor
	}
	major, minor, _ = rbd.DeviceNumber(m.source)
	return major, minor
}

// memory reports whether the file system is in memory, where device nodes may be
// created.
func (m procMount) memory() bool {
	return m.kind == "tmpfs" || m.kind == "devtmpfs" || m.kind == "ramfs"
}

// procParseMount parses one line of mountinfo.
func procParseMount(line string) (procMount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, source := procFields(before), procFields(after)
	if !ok || len(fields) < 6 || len(source) < 2 {
		return procMount{}, false
	}
	major, minor, ok := strings.Cut(fields[2], ":")
	x, errX := strconv.ParseUint(major, 10, 32)
	y, errY := strconv.ParseUint(minor, 10, 32)
	if !ok || errX != nil || errY != nil {
		return procMount{}, false
	}
	return procMount{
		point: naming.Text(guestUnescapeMount(fields[4])), major: uint32(x), minor: uint32(y),
		kind: source[0], source: naming.Text(guestUnescapeMount(source[1])),
	}, true
}

// procFields returns the fields of a line, split only at spaces, as the kernel escapes
// spaces in names but not all other blanks (seq_path in fs/seq_file.c).
func procFields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' })
}

// procMounts are the mounts visible to a process.
type procMounts struct {
	list []procMount
	root string // its root directory, if different from the root of its mounts
}

// procReadMounts reads the mounts of the process DIR. It returns none if they cannot
// be read.
func procReadMounts(proc fs.FS, dir string) *procMounts {
	m := &procMounts{}
	data, err := procRead(proc, dir+"/mountinfo", procFileSize)
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(data)) {
		if mount, ok := procParseMount(line); ok {
			m.list = append(m.list, mount)
		}
	}
	if root, err := fs.ReadLink(proc, dir+"/root"); err == nil && root != "/" {
		m.root = root
	}
	return m
}

// of returns the mount that contains a path without symbolic links: the innermost,
// and the latest of several at the same mount point.
func (m *procMounts) of(path string) (found procMount, ok bool) {
	path = naming.RunPath(path)
	if rest, inside := strings.CutPrefix(path, m.root+"/"); m.root != "" && inside {
		path = "/" + rest // mountinfo shows mount points as the process sees them
	}
	for _, mount := range m.list {
		point := naming.RunPath(mount.point)
		inside := point == "/" || path == point || strings.HasPrefix(path, point) && path[len(point)] == '/'
		if inside && len(point) >= len(naming.RunPath(found.point)) {
			found, ok = mount, true
		}
	}
	return found, ok
}
