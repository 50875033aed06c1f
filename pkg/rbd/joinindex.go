package rbd

import (
	"strings"

	"github.com/nodewatch/nodewatch/pkg/rbd/internal/naming"
)

// A joinIndex finds mapped devices by the properties of a guest's disk. One key may
// lead to several devices: a logical volume may be on several devices, and two
// clusters may have images with the same name.
type joinIndex struct {
	mapped  []Mapped
	numbers map[uint64]int32 // device numbers, of the device and of its holders
	names   map[string]int32 // rbd3, dm-3
	mappers map[string]int32 // device mapper's names
	specs   map[string]int32 // pool/[namespace/]image[@snapshot]
	entries []joinEntry      // the maps contain indexes into entries
	found   []int            // the latest result
}

// A joinEntry is one device of a key, and the index of the next.
type joinEntry struct {
	device int32 // its index in mapped
	next   int32 // index in entries; 0: no more
}

func newJoinIndex(mapped []Mapped) *joinIndex {
	n, on := len(mapped), 0
	for i := range mapped {
		on += len(mapped[i].Holders)
	}
	x := &joinIndex{
		mapped:  mapped,
		numbers: make(map[uint64]int32, n+on), names: make(map[string]int32, n+on),
		mappers: make(map[string]int32, on), specs: make(map[string]int32, n),
		entries: make([]joinEntry, 1, 1+3*n+3*on), // the first represents no entry
	}
	for i := n - 1; i >= 0; i-- { // so that each key's list is in device order
		x.add(i)
	}
	return x
}

func (x *joinIndex) add(i int) {
	m := &x.mapped[i]
	x.addNumber(m.Major, m.Minor, i)
	joinAdd(x, x.names, m.Device, i)
	joinAdd(x, x.specs, m.Spec(), i)
	for _, h := range m.Holders {
		x.addNumber(h.Major, h.Minor, i)
		joinAdd(x, x.names, h.Device, i)
		if h.Name != "" {
			joinAdd(x, x.mappers, h.Name, i)
		}
	}
}

func (x *joinIndex) addNumber(major, minor uint32, i int) {
	if major != 0 {
		joinAdd(x, x.numbers, joinNumber(major, minor), i)
	}
}

// joinAdd adds a device to a key once, even if its holders have the key too.
func joinAdd[K comparable](x *joinIndex, places map[K]int32, key K, i int) {
	head := places[key]
	if head != 0 && x.entries[head].device == int32(i) {
		return
	}
	places[key] = int32(len(x.entries))
	x.entries = append(x.entries, joinEntry{device: int32(i), next: head})
}

func joinNumber(major, minor uint32) uint64 { return uint64(major)<<32 | uint64(minor) }

// list returns the devices of the list that begins at an index in entries. The result
// is valid until the next call.
func (x *joinIndex) list(place int32) []int {
	x.found = x.found[:0]
	for ; place != 0; place = x.entries[place].next {
		x.found = append(x.found, int(x.entries[place].device))
	}
	return x.found
}

// find returns the devices that a disk is on, valid until the next call. Only a disk
// that is a device here can be on one: a librbd disk has neither number nor path,
// whatever the name of its image.
func (x *joinIndex) find(d *Disk) []int {
	if d.Major != 0 {
		if place := x.numbers[joinNumber(d.Major, d.Minor)]; place != 0 {
			return x.list(place)
		}
	}
	name, ok := strings.CutPrefix(d.Path, "/dev/")
	if !ok {
		return nil
	}
	if device, ok := naming.Device(name, "rbd"); ok {
		return x.list(x.names[device])
	}
	if spec, fsid, ok := naming.LinkSpec(name); ok {
		return x.link(spec, fsid)
	}
	if mapper, ok := strings.CutPrefix(name, "mapper/"); ok {
		return x.list(x.mappers[mapper])
	}
	if group, volume, ok := strings.Cut(name, "/"); ok {
		return x.list(x.mappers[joinVolume(group, volume)])
	}
	return x.list(x.names[name])
}

// link returns the devices that one of udev's links may point to.
func (x *joinIndex) link(spec, fsid string) []int {
	place := x.specs[spec]
	if place == 0 {
		place = x.specs[naming.WithoutPart(spec)]
	}
	found := x.list(place)
	if fsid == "" {
		return found
	}
	own := found[:0]
	for _, i := range found {
		if x.mapped[i].FSID == fsid {
			own = append(own, i)
		}
	}
	return own
}

// joinVolume returns the device mapper's name, VG-LV, for LVM's link VG/LV. A dash
// within either part is doubled there.
func joinVolume(group, volume string) string {
	return strings.ReplaceAll(group, "-", "--") + "-" + strings.ReplaceAll(volume, "-", "--")
}
