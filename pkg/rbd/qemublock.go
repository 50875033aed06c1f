package rbd

// qemuLayersMax bounds how many layers (throttle, raw, copy-on-read, ...) are
// followed from a disk to what holds its data, by reference or by nesting.
const qemuLayersMax = 16

// qemuLayers are the block nodes of a command line by node-name.
type qemuLayers map[string]qemuOptions

// disk follows the layers down from the one whose properties are in o under
// prefix. Proxmox nests them ("file": {...}), libvirt refers to the next by its
// name ("file": "libvirt-1-storage").
func (l qemuLayers) disk(o qemuOptions, prefix string, depth int) Disk {
	if depth == qemuLayersMax {
		return Disk{}
	}
	if o[prefix+"driver"] == "rbd" {
		return Disk{
			Client: LibRBD,
			Pool:   guestText(o[prefix+"pool"]), Namespace: guestText(o[prefix+"namespace"]),
			Image: guestText(o[prefix+"image"]), Snapshot: guestText(o[prefix+"snapshot"]),
		}
	}
	if path := o[prefix+"filename"]; path != "" {
		return guestPathDisk(guestText(path))
	}
	switch o[prefix+"driver"] { // served by another process, over a socket
	case "nbd":
		return guestPathDisk(guestText(o[prefix+"server.path"] + o[prefix+"path"]))
	case "virtio-blk-vhost-user":
		return guestPathDisk(guestText(o[prefix+"path"]))
	}
	name := o[prefix+"data-file"] // a qcow2's data, if they lie apart from its tables
	if name == "" {
		name = o[prefix+"file"]
	}
	if name != "" {
		next, ok := l[name]
		if !ok {
			return Disk{}
		}
		return l.disk(next, "", depth+1)
	}
	if o.has(prefix + "file.") {
		return l.disk(o, prefix+"file.", depth+1)
	}
	return Disk{}
}

// backing returns the disks of the images that a layer, whose properties are in
// o, is laid over.
func (l qemuLayers) backing(o qemuOptions) []Disk {
	var disks []Disk
	prefix := ""
	for range qemuLayersMax {
		switch name := o[prefix+"backing"]; {
		case name != "":
			o, prefix = l[name], ""
		case o.has(prefix + "backing."):
			prefix += "backing."
		case o[prefix+"file"] != "" && o[prefix+"driver"] != "qcow2":
			o, prefix = l[o[prefix+"file"]], "" // a filter: throttle, copy-on-read
			continue
		default:
			return disks
		}
		if d := l.disk(o, prefix, 0); d != (Disk{}) {
			disks = append(disks, d)
		}
	}
	return disks
}

// groups returns the throttle groups on the way down from a layer.
func (l qemuLayers) groups(o qemuOptions, prefix string, depth int) []string {
	var groups []string
	for ; depth < qemuLayersMax; depth++ {
		if name := o[prefix+"throttle-group"]; name != "" {
			groups = append(groups, name)
		}
		switch name := o[prefix+"file"]; {
		case name != "":
			o, prefix = l[name], ""
		case o.has(prefix + "file."):
			prefix += "file."
		default:
			return groups
		}
	}
	return groups
}

// has tells whether a layer is nested under prefix.
func (o qemuOptions) has(prefix string) bool {
	return o[prefix+"driver"] != "" || o[prefix+"filename"] != "" || o[prefix+"file"] != ""
}

// children returns the names of the nodes that others use: those are not
// disks by themselves.
func (l qemuLayers) children() map[string]bool {
	below := map[string]bool{}
	for _, o := range l {
		prefix := ""
		for range qemuLayersMax {
			for _, child := range []string{"file", "backing", "data-file"} {
				below[o[prefix+child]] = true
			}
			if prefix += "file."; !o.has(prefix) {
				break
			}
		}
	}
	delete(below, "")
	return below
}

// qemuLimits reads the throttle of -drive (throttling.bps-read=, or bps_rd= as it
// was once) or of a throttle group (limits, or x-bps-read= as it was once). A
// group's or drive's bursts are left out.
func qemuLimits(o qemuOptions) Throttle {
	limit := func(name, old string) uint64 {
		return o.number("throttling."+name, "limits."+name, "x-"+name, old)
	}
	return Throttle{
		BytesPerSec: limit("bps-total", "bps"), ReadBytesPerSec: limit("bps-read", "bps_rd"), WriteBytesPerSec: limit("bps-write", "bps_wr"),
		IOPS: limit("iops-total", "iops"), ReadIOPS: limit("iops-read", "iops_rd"), WriteIOPS: limit("iops-write", "iops_wr"),
	}
}

// qemuTighter returns the tighter of two throttles on one disk, limit by limit.
func qemuTighter(a, b Throttle) Throttle {
	low := func(x, y uint64) uint64 {
		if x == 0 || y != 0 && y < x {
			return y
		}
		return x
	}
	return Throttle{
		BytesPerSec: low(a.BytesPerSec, b.BytesPerSec), ReadBytesPerSec: low(a.ReadBytesPerSec, b.ReadBytesPerSec),
		WriteBytesPerSec: low(a.WriteBytesPerSec, b.WriteBytesPerSec), IOPS: low(a.IOPS, b.IOPS),
		ReadIOPS: low(a.ReadIOPS, b.ReadIOPS), WriteIOPS: low(a.WriteIOPS, b.WriteIOPS),
	}
}
