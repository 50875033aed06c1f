package rbd

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// guestLinks is the most symbolic links that are followed for one path.
const guestLinks = 16

// DeviceNumber returns the device number of the block device at an absolute path
// under /dev/ or /run/. It identifies a disk's krbd device most reliably: names
// differ (udev's links, LVM, Ganeti's links under /run), the number does not. The
// lookup does no I/O on the device. It follows symbolic links itself and never leaves
// these trees, as another path may be on a mount that hangs. It uses this process's
// /dev: a guest's private /dev often has the same nodes.
func DeviceNumber(device string) (major, minor uint32, ok bool) {
	node, ok := guestNode(device, unix.Readlink)
	if !ok {
		return 0, 0, false
	}
	var st unix.Stat_t
	if err := unix.Lstat(node, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, 0, false
	}
	return unix.Major(st.Rdev), unix.Minor(st.Rdev), true
}

// guestNode resolves the links in a path under /dev/ or /run/, part by part.
func guestNode(device string, readlink func(string, []byte) (int, error)) (string, bool) {
	name := path.Clean(device)
	for range guestLinks {
		done, rest, ok := guestMemoryTree(naming.RunPath(name))
		if !ok || len(rest) > unix.PathMax {
			return "", false
		}
		target := ""
		for target == "" && rest != "" {
			var part string
			part, rest, _ = strings.Cut(rest, "/")
			target = guestLink(done+"/"+part, readlink)
			if target == "" {
				done += "/" + part
			}
		}
		if target == "" {
			return done, true
		}
		if !path.IsAbs(target) {
			target = done + "/" + target
		}
		name = path.Join(target, rest)
	}
	return "", false
}

// guestMemoryTree splits a path in a tree that is kept in memory. It excludes
// /run/user, which contains users' mounts.
func guestMemoryTree(path string) (tree, rest string, ok bool) {
	for _, tree := range []string{"/dev", "/run"} {
		if rest, ok := strings.CutPrefix(path, tree+"/"); ok && !strings.HasPrefix(path, "/run/user/") {
			return tree, rest, true
		}
	}
	return "", "", false
}

// guestLink returns the target of a symbolic link, or "" if the path is not one.
func guestLink(name string, readlink func(string, []byte) (int, error)) string {
	var buf [512]byte
	n, err := readlink(name, buf[:])
	if err != nil || n == len(buf) {
		return ""
	}
	return string(buf[:n])
}
