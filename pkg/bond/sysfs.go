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

// pageSize is the most that is read of one sysfs file: the kernel writes no more into
// one (Documentation/filesystems/sysfs.rst).
const pageSize = 4096

// sysfs reads the properties of a link that only /sys has. If it cannot, it returns
// an empty or zero value, which means "unknown".
type sysfs struct{ fs fs.FS }

// fill adds the values of sysfs to the links.
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

// order sorts the slaves in the order of bonding/slaves, and reports whether it
// could: the file must name all of them. The kernel ends a list that does not fit
// into a page with "++more++".
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

// isNIC reports whether a link in no bond is a NIC: it has a device. If sysfs does
// not have the link (another namespace's, or no sysfs), a link that may be hardware
// counts as a NIC.
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

// text returns the content of a link's file, trimmed of white space.
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

// target returns the last element of the target of one of the link's symbolic links.
func (s sysfs) target(link, file string) string {
	to, err := fs.ReadLink(s.fs, netPath(link, file))
	if err != nil {
		return ""
	}
	return path.Base(to)
}

// bus returns the bus address of a link's device from sysfs, or else from netlink.
func (s sysfs) bus(link, said string) string {
	if bus := s.target(link, "device"); bus != "" {
		return bus
	}
	return said
}

// speed returns a link's speed in Mbit/s. The file contains -1, or on older kernels
// 4294967295, for an unknown speed; reading it fails on a link that is down.
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
