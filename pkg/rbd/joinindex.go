package rbd

import "strings"

// A joinIndex finds mapped devices by what a guest may know of them. Each answer
// is a list of places in the mapped devices: a logical volume may lie on
// several, and two clusters may have images of one name.
type joinIndex struct {
	mapped  []Mapped
	numbers map[uint64][]int // device numbers, of the device and of what stands on it
	names   map[string][]int // rbd3, dm-3, mapper/NAME
	specs   map[string][]int // pool/[namespace/]image[@snapshot]
}

func newJoinIndex(mapped []Mapped) *joinIndex {
	x := &joinIndex{
		mapped:  mapped,
		numbers: make(map[uint64][]int, 2*len(mapped)),
		names:   make(map[string][]int, 2*len(mapped)),
		specs:   make(map[string][]int, len(mapped)),
	}
	for i := range mapped {
		x.add(i)
	}
	return x
}

func (x *joinIndex) add(i int) {
	m := &x.mapped[i]
	x.addNumber(m.Major, m.Minor, i)
	joinAdd(x.names, m.Device, i)
	joinAdd(x.specs, m.Spec(), i)
	for _, h := range m.Holders {
		x.addNumber(h.Major, h.Minor, i)
		joinAdd(x.names, h.Device, i)
		if h.Name != "" {
			joinAdd(x.names, "mapper/"+h.Name, i)
		}
	}
}

func (x *joinIndex) addNumber(major, minor uint32, i int) {
	if major != 0 {
		joinAdd(x.numbers, joinNumber(major, minor), i)
	}
}

// joinAdd adds a place once: a device may stand on another in two ways.
func joinAdd[K comparable](places map[K][]int, key K, i int) {
	list := places[key]
	if n := len(list); n == 0 || list[n-1] != i {
		places[key] = append(list, i)
	}
}

func joinNumber(major, minor uint32) uint64 { return uint64(major)<<32 | uint64(minor) }

// find returns the devices that a disk lies on. Only disks that are a device
// here can lie on one: a librbd disk never does, whatever its image is called.
func (x *joinIndex) find(d Disk) []int {
	if d.Client == LibRBD || d.Client == NBD {
		return nil
	}
	if d.Major != 0 {
		if found := x.numbers[joinNumber(d.Major, d.Minor)]; found != nil {
			return found
		}
	}
	name, ok := strings.CutPrefix(d.Path, "/dev/")
	if !ok {
		return nil
	}
	if device, ok := guestNumbered(name, "rbd"); ok {
		return x.names[device]
	}
	if spec, fsid, ok := guestLinkSpec(name); ok {
		return x.link(spec, fsid)
	}
	if found := x.names[name]; found != nil {
		return found
	}
	return x.names[joinVolume(name)]
}

// link returns the devices that one of udev's links may lead to.
func (x *joinIndex) link(spec, fsid string) []int {
	found := x.specs[spec]
	if found == nil {
		found = x.specs[guestWithoutPart(spec)]
	}
	if fsid == "" {
		return found
	}
	var own []int
	for _, i := range found {
		if x.mapped[i].FSID == fsid {
			own = append(own, i)
		}
	}
	return own
}

// joinVolume returns the device mapper's name, mapper/VG-LV, for LVM's link
// VG/LV; a dash within either is doubled there.
func joinVolume(name string) string {
	group, volume, ok := strings.Cut(name, "/")
	if !ok {
		return ""
	}
	return "mapper/" + strings.ReplaceAll(group, "-", "--") + "-" + strings.ReplaceAll(volume, "-", "--")
}
