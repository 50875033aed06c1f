package qemu

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// layersMax bounds how many layers (throttle, raw, copy-on-read, ...) are
// followed from a disk to what holds its data, by reference or by nesting.
const layersMax = 16

// layers are the block nodes of a command line by node-name.
type layers map[string]optionSet

// disk follows the layers down from the one whose properties are in o under
// prefix. Proxmox nests them ("file": {...}), libvirt refers to the next by its
// name ("file": "libvirt-1-storage").
func (l layers) disk(o optionSet, prefix string, depth int) rbd.Disk {
	if depth == layersMax {
		return rbd.Disk{}
	}
	if o[prefix+"driver"] == "rbd" {
		return rbd.Disk{
			Client: rbd.LibRBD,
			Pool:   naming.Text(o[prefix+"pool"]), Namespace: naming.Text(o[prefix+"namespace"]),
			Image: naming.Text(o[prefix+"image"]), Snapshot: naming.Text(o[prefix+"snapshot"]),
		}
	}
	if path := o[prefix+"filename"]; path != "" {
		return guest.PathDisk(naming.Text(path))
	}
	switch o[prefix+"driver"] { // served by another process, over a socket
	case "nbd":
		return guest.PathDisk(naming.Text(o[prefix+"server.path"] + o[prefix+"path"]))
	case "virtio-blk-vhost-user":
		return guest.PathDisk(naming.Text(o[prefix+"path"]))
	}
	name := o[prefix+"data-file"] // a qcow2's data, if they lie apart from its tables
	if name == "" && o.has(prefix+"data-file.") {
		return l.disk(o, prefix+"data-file.", depth+1)
	}
	if name == "" {
		name = o[prefix+"file"]
	}
	if name != "" {
		next, ok := l[name]
		if !ok {
			return rbd.Disk{}
		}
		return l.disk(next, "", depth+1)
	}
	if o.has(prefix + "file.") {
		return l.disk(o, prefix+"file.", depth+1)
	}
	return rbd.Disk{}
}

// backing returns the disks of the images that a layer, whose properties are in
// o, is laid over.
func (l layers) backing(o optionSet) []rbd.Disk {
	var disks []rbd.Disk
	prefix := ""
	for range layersMax {
		switch name := o[prefix+"backing"]; {
		case name != "":
			o, prefix = l[name], ""
		case o.has(prefix + "backing."):
			prefix += "backing."
		case o[prefix+"driver"] == "qcow2":
			return disks
		case o[prefix+"file"] != "": // a filter: throttle, copy-on-read
			o, prefix = l[o[prefix+"file"]], ""
			continue
		case o.has(prefix + "file."):
			prefix += "file."
			continue
		default:
			return disks
		}
		if d := l.disk(o, prefix, 0); d != (rbd.Disk{}) {
			disks = append(disks, d)
		}
	}
	return disks
}

// groups returns the throttle groups on the way down from a layer.
func (l layers) groups(o optionSet, prefix string, depth int) []string {
	var groups []string
	for ; depth < layersMax; depth++ {
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

// has reports whether a layer is nested under prefix.
func (o optionSet) has(prefix string) bool {
	return o[prefix+"driver"] != "" || o[prefix+"filename"] != "" || o[prefix+"file"] != ""
}

// children returns the names of the nodes that others use: those are not
// disks by themselves.
func (l layers) children() map[string]bool {
	below := map[string]bool{}
	for _, o := range l {
		for name, child := range o {
			switch name[strings.LastIndexByte(name, '.')+1:] {
			case "file", "backing", "data-file":
				below[child] = true
			}
		}
	}
	return below
}

// limitsOf reads the throttle of -drive (throttling.bps-read=, or bps_rd= as it
// was once) or of a throttle group (limits, or x-bps-read= as it was once). A
// group's or drive's bursts are left out.
func limitsOf(o optionSet) rbd.Throttle {
	limit := func(name, old string) uint64 {
		return o.number("throttling."+name, "limits."+name, "x-"+name, old)
	}
	return rbd.Throttle{
		BytesPerSec: limit("bps-total", "bps"), ReadBytesPerSec: limit("bps-read", "bps_rd"), WriteBytesPerSec: limit("bps-write", "bps_wr"),
		IOPS: limit("iops-total", "iops"), ReadIOPS: limit("iops-read", "iops_rd"), WriteIOPS: limit("iops-write", "iops_wr"),
	}
}
