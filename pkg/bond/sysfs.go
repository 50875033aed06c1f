package bond

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// pageSize bounds what is read of one sysfs file: the kernel writes no more
// into one (Documentation/filesystems/sysfs.rst).
const pageSize = 4096

// sysfs reads what only /sys knows of a link. Where it cannot, the answer is
// empty or zero, which means "unknown".
type sysfs struct{ fs fs.FS }

// fill completes the links with what sysfs says of them.
func (s sysfs) fill(l *Links) {
	if s.fs == nil {
		return
	}
	for i := range l.Bonds {
		b := &l.Bonds[i]
		b.Ordered = order(b.Slaves, s.text(b.Name, "bonding/slaves"))
		for j := range b.Slaves {
			p := &b.Slaves[j]
			p.Speed, p.Duplex = s.speed(p.Name), s.duplex(p.Name)
			p.Driver, p.Bus = s.target(p.Name, "device/driver"), s.bus(p.Name, p.Bus)
		}
	}
	for i := range l.NICs {
		n := &l.NICs[i]
		n.Speed, n.Duplex = s.speed(n.Name), s.duplex(n.Name)
		n.Driver, n.Bus = s.target(n.Name, "device/driver"), s.bus(n.Name, n.Bus)
		n.Virtual = n.Driver == "virtio_net" || s.target(n.Name, "device/physfn") != ""
	}
}

// order puts the slaves in the order in which bonding/slaves names them, and
// says whether it could: the file must name all of them. The kernel ends a list
// that does not fit into a page with "++more++".
func order(slaves []Slave, list string) bool {
	place := map[string]int{}
	for i, name := range strings.Fields(list) {
		if _, twice := place[name]; !twice {
			place[name] = i
		}
	}
	for _, s := range slaves {
		if _, ok := place[s.Name]; !ok {
			return false
		}
	}
	slices.SortStableFunc(slaves, func(a, b Slave) int { return place[a.Name] - place[b.Name] })
	return true
}

// isNIC says whether a link in no bond is a NIC: it has a device.
// Where sysfs knows nothing of the link (another namespace's, or none), a link
// that looks like one is believed.
func (s sysfs) isNIC(l link) bool {
	if !l.hardware() {
		return false
	}
	if l.parent != "" || s.fs == nil {
		return true
	}
	if _, err := fs.Lstat(s.fs, netPath(l.name, "device")); err == nil {
		return true
	}
	_, err := fs.Stat(s.fs, netPath(l.name, "ifindex"))
	return errors.Is(err, fs.ErrNotExist)
}

func netPath(link, file string) string { return path.Join("class/net", link, file) }

// text is the content of a link's file, without the white space around it.
func (s sysfs) text(link, file string) string {
	f, err := s.fs.Open(netPath(link, file))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, pageSize))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// target is the last element of what a symbolic link of the link points to.
func (s sysfs) target(link, file string) string {
	to, err := fs.ReadLink(s.fs, netPath(link, file))
	if err != nil {
		return ""
	}
	return path.Base(to)
}

// bus is the address of a link's device, or what netlink said it is.
func (s sysfs) bus(link, said string) string {
	if bus := s.target(link, "device"); bus != "" {
		return bus
	}
	return said
}

// speed is a link's speed in Mbit/s. The file holds -1, or on older kernels
// 4294967295, for a speed that is unknown; reading it fails on a link that is
// down.
func (s sysfs) speed(link string) int {
	n, err := strconv.ParseInt(s.text(link, "speed"), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
}

func (s sysfs) duplex(link string) string {
	switch d := s.text(link, "duplex"); d {
	case "full", "half":
		return d
	}
	return ""
}
