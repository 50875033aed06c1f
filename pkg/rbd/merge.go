package rbd

import (
	"slices"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// Merge merges libvirt's view of a guest with its process's view. libvirt has its
// state and the reason; the process its open files. Values that only one view has are
// kept. The disks are libvirt's, and those of the process's disks on RBD that libvirt
// does not name. Both views must be resolved; neither is changed.
func Merge(libvirt, process Guest) Guest {
	g := libvirt
	g.PID, g.Incoming = process.PID, process.Incoming
	if g.State == "" {
		g.State, g.Reason = process.State, process.Reason
	}
	if g.OS == "" && (process.OS != "" || g.OSBy == "") {
		g.OS, g.OSBy = process.OS, process.OSBy
	}
	own := false
	for i := range process.Disks {
		d := &process.Disks[i]
		if d.Client == NoClient {
			continue
		}
		at := slices.IndexFunc(g.Disks, func(o Disk) bool { return mergeSame(&o, d) })
		if at >= 0 && g.Disks[at].Client != NoClient || at < 0 && len(g.Disks) >= MaxDisks {
			continue
		}
		if !own {
			g.Disks, own = slices.Clone(g.Disks), true
		}
		if at < 0 {
			g.Disks = append(g.Disks, *d)
			continue
		}
		found := *d
		found.Target, found.Part = g.Disks[at].Target, g.Disks[at].Part
		if g.Disks[at].Throttle != nil {
			found.Throttle = g.Disks[at].Throttle
		}
		g.Disks[at] = found
	}
	return g
}

// mergeSame reports whether the disks of two views are the same: by image, by device
// number, or by a common name.
func mergeSame(a, b *Disk) bool {
	switch {
	case a.Image != "" && a.Client != NoClient:
		return a.Client == b.Client && a.Pool == b.Pool && a.Namespace == b.Namespace && a.Image == b.Image && a.Snapshot == b.Snapshot
	case a.Major != 0 && b.Major != 0:
		return a.Major == b.Major && a.Minor == b.Minor
	}
	path := naming.RunPath(a.Path)
	return path != "" && (path == naming.RunPath(b.Path) || path == naming.RunPath(b.Via))
}
