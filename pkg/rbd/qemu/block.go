package qemu

import (
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// Bounds on what is followed: layers (throttle, raw, copy-on-read, ...) below each
// other, by reference or by nesting, and all of one command line together.
const (
	layersMax = 64
	stepsMax  = 8 * rbd.MaxDisks
)

// layers are the block nodes of a command line by node-name.
type layers map[string]optionSet

// A walk follows the layers of disks down to what holds their data. Proxmox nests
// them ("file": {...}), libvirt refers to the next by its name ("file":
// "libvirt-1-storage").
type walk struct {
	nodes  layers
	disks  []rbd.Disk // of the latest disk: the first holds its data, the others are images below that, or copies of it
	groups []string   // its throttle groups
	steps  int        // of all disks
}

// disk returns what a disk lies on whose properties are in o, which is the zero Disk
// if that cannot be known.
func (l layers) disk(o optionSet) rbd.Disk {
	w := walk{nodes: l}
	w.layer(o, "", 0)
	return w.first()
}

func (w *walk) first() rbd.Disk {
	if len(w.disks) == 0 {
		return rbd.Disk{}
	}
	return w.disks[0]
}

// layer follows the layer whose properties are in o under prefix.
func (w *walk) layer(o optionSet, prefix string, depth int) {
	if w.steps++; depth == layersMax || w.steps > stepsMax {
		return
	}
	if name := o[prefix+"throttle-group"]; name != "" && len(w.disks) == 0 {
		w.groups = append(w.groups, name)
	}
	d, ok := o.data(prefix)
	switch {
	case d != (rbd.Disk{}) && len(w.disks) < rbd.MaxDisks:
		w.disks = append(w.disks, d)
	case ok:
	case o.has(prefix + "data-file"): // a qcow2's data, if they lie apart from its tables
		w.child(o, prefix+"data-file", depth)
	default:
		w.child(o, prefix+"file", depth)
	}
	for i := 0; w.steps <= stepsMax; i++ { // of a quorum, which writes all of them
		child := prefix + "children." + strconv.Itoa(i)
		if !o.has(child) {
			break
		}
		w.child(o, child, depth)
	}
	w.child(o, prefix+"backing", depth)
}

// child follows the layer below one, which a property names or holds.
func (w *walk) child(o optionSet, property string, depth int) {
	switch name := o[property]; {
	case name != "":
		if next, ok := w.nodes[name]; ok {
			w.layer(next, "", depth+1)
		}
	case o.has(property):
		w.layer(o, property+".", depth+1)
	}
}

// data returns the disk that a layer itself holds, and false for one that only has
// others below it. The disk is zero if it is none that can be known.
func (o optionSet) data(prefix string) (rbd.Disk, bool) {
	driver, path := o[prefix+"driver"], o[prefix+"filename"]
	switch {
	case driver == "rbd":
		return rbd.Disk{
			Client: rbd.LibRBD,
			Pool:   naming.Text(o[prefix+"pool"]), Namespace: naming.Text(o[prefix+"namespace"]),
			Image: naming.Text(o[prefix+"image"]), Snapshot: naming.Text(o[prefix+"snapshot"]),
		}, true
	case path != "":
		return guest.PathDisk(naming.Text(path)), true
	case driver == "nbd": // served by another process, over a socket
		return guest.PathDisk(naming.Text(o[prefix+"server.path"] + o[prefix+"path"])), true
	case driver == "virtio-blk-vhost-user":
		return guest.PathDisk(naming.Text(o[prefix+"path"])), true
	}
	return rbd.Disk{}, false
}

// has reports whether a property is set, or a layer is nested under it.
func (o optionSet) has(property string) bool {
	if o[property] != "" {
		return true
	}
	for name := range o {
		if len(name) > len(property) && name[len(property)] == '.' && strings.HasPrefix(name, property) {
			return true
		}
	}
	return false
}

// children returns the names of the nodes that others use: those are not
// disks by themselves.
func (l layers) children() map[string]bool {
	below := map[string]bool{}
	for _, o := range l {
		for name, child := range o {
			switch last := name[strings.LastIndexByte(name, '.')+1:]; {
			case last == "file", last == "backing", last == "data-file", naming.Digits(last):
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
