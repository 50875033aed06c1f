package qemu

import (
	"strconv"
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/guest"
	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// Limits on the layers (throttle, raw, copy-on-read, ...) that are followed below
// each other, by reference or by nesting, and in total for one command line.
const (
	layersMax = 64
	stepsMax  = 8 * rbd.MaxDisks
)

// layers are the block nodes of a command line by node-name.
type layers map[string]optionSet

// A walk follows the layers of disks down to their data. Proxmox nests them ("file":
// {...}), libvirt refers to the next by its name ("file": "libvirt-1-storage").
type walk struct {
	nodes  layers
	disks  []rbd.Disk // layers of the latest disk: the first has its data, the others are backing images or copies of it
	groups []string   // its throttle groups
	steps  int        // count for all disks
}

// disk returns the storage of the disk with the properties in o, or the zero Disk if
// it cannot be determined.
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

// layer follows the layer with the properties in o under prefix.
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
	case o.has(prefix + "data-file"): // data of a qcow2 image, if separate from its tables
		w.child(o, prefix+"data-file", depth)
	default:
		w.child(o, prefix+"file", depth)
	}
	for i := 0; w.steps <= stepsMax; i++ { // children of a quorum, which writes all of them
		child := prefix + "children." + strconv.Itoa(i)
		if !o.has(child) {
			break
		}
		w.child(o, child, depth)
	}
	w.child(o, prefix+"backing", depth)
}

// child follows the layer below, which a property names or contains.
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

// data returns the disk of a layer that stores data, and false for a layer that only
// has others below it. The disk is zero if it cannot be determined.
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
	case driver == "nbd": // exported by another process, over a socket
		return guest.PathDisk(naming.Text(o[prefix+"server.path"] + o[prefix+"path"])), true
	case driver == "virtio-blk-vhost-user":
		return guest.PathDisk(naming.Text(o[prefix+"path"])), true
	}
	return rbd.Disk{}, false
}

// has reports whether a property is set, or a layer is nested below it.
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

// children returns the names of the nodes that others use: they are not separate
// disks.
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

// limitsOf parses the throttle of -drive (throttling.bps-read=, formerly bps_rd=) or
// of a throttle group (limits, formerly x-bps-read=). It ignores bursts.
func limitsOf(o optionSet) rbd.Throttle {
	limit := func(name, old string) uint64 {
		return o.number("throttling."+name, "limits."+name, "x-"+name, old)
	}
	return rbd.Throttle{
		BytesPerSec: limit("bps-total", "bps"), ReadBytesPerSec: limit("bps-read", "bps_rd"),
		WriteBytesPerSec: limit("bps-write", "bps_wr"),
		IOPS:             limit("iops-total", "iops"), ReadIOPS: limit("iops-read", "iops_rd"), WriteIOPS: limit("iops-write", "iops_wr"),
	}
}
