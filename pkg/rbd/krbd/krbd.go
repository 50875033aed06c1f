// Package krbd reads the devices of the kernel's RBD client: the mappings (sysfs),
// their counters (the block layer), their options and pending requests (debugfs).
package krbd

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"syscall"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

const devicesDir = "bus/rbd/devices"

// listIDs lists the mapped devices by their IDs, sorted.
func listIDs(sys fs.FS) ([]int, error) {
	entries, err := fs.ReadDir(sys, devicesDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ids := make([]int, 0, len(entries))
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err == nil && id >= 0 && strconv.Itoa(id) == e.Name() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// inodeOf returns the inode number of a device's directory, or 0 if the file system
// has none. kernfs does not reuse a number soon, so another number means another
// mapping, even with the same ID.
func inodeOf(sys fs.FS, id int) (uint64, error) {
	info, err := fs.Stat(sys, devicesDir+"/"+strconv.Itoa(id))
	if err != nil {
		return 0, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino, nil
	}
	return 0, nil
}

// A reader reads devices.
type reader struct {
	sys fs.FS
	buf []byte
}

// mapped reads one device in full.
func (r *reader) mapped(id int) (rbd.Mapped, error) {
	a := attributes{reader: r, dir: devicesDir + "/" + strconv.Itoa(id) + "/"}
	m := rbd.Mapped{ID: id, Device: "rbd" + strconv.Itoa(id)}
	// The attributes that old kernels lack come first. If one is missing because the
	// device was removed, one of the others, which every kernel has, will fail.
	m.Namespace = a.name("pool_ns", optional)
	m.FSID = a.fsid()
	m.ClientAddr, m.Nonce = a.client()
	m.Parents = a.parents()
	m.Pool = a.name("pool", required)
	m.Image = a.name("name", required)
	m.ImageID = a.imageID()
	if m.Snapshot = a.name("current_snap", required); m.Snapshot == "-" {
		m.Snapshot = ""
	}
	m.ClientID = a.number("client_id", "client", 10, 64)
	m.Size = a.number("size", "", 10, 64)
	m.Features = a.number("features", "0x", 16, 64)
	m.Major, m.Minor = a.device(m.Device)
	if a.err != nil {
		return rbd.Mapped{}, a.err
	}
	m.ReadOnly = a.readOnly(m.Device)
	m.Holders = a.holders(m.Device)
	m.Partly = a.partly()
	return m, nil
}
