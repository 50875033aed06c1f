package bond

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A link is one RTM_NEWLINK message, reduced to what this package uses.
type link struct {
	index  int
	family uint8  // AF_UNSPEC; AF_BRIDGE in a bridge's own messages about its ports
	arp    uint16 // ARPHRD_*
	flags  uint32 // IFF_*
	name   string
	mac    string
	mtu    int
	lower  int    // IFLA_LINK in this namespace; 0: none
	master int    // IFLA_MASTER; 0: none
	kind   string // IFLA_INFO_KIND; empty for hardware and loopback
	parent string // IFLA_PARENT_DEV_NAME, since Linux 5.14
	port   string // IFLA_INFO_SLAVE_KIND
	info   []byte // IFLA_INFO_DATA of a bond or VLAN
	slave  []byte // IFLA_INFO_SLAVE_DATA of a bond's slave
}

// decodeLink decodes the payload of an RTM_NEWLINK or RTM_DELLINK message (struct
// ifinfomsg and its attributes). It returns false if that is damaged.
func decodeLink(m []byte) (link, bool) {
	if len(m) < unix.SizeofIfInfomsg {
		return link{}, false
	}
	l := link{
		family: m[0],
		arp:    binary.NativeEndian.Uint16(m[2:]),
		index:  int(int32(binary.NativeEndian.Uint32(m[4:]))),
		flags:  binary.NativeEndian.Uint32(m[8:]),
	}
	sound, foreign := true, false
	whole := attrs(m[unix.SizeofIfInfomsg:], func(typ uint16, v []byte) {
		switch typ {
		case unix.IFLA_IFNAME:
			l.name = text(v)
		case unix.IFLA_ADDRESS:
			l.mac = mac(v)
		case unix.IFLA_MTU:
			l.mtu = count(v)
		case unix.IFLA_LINK:
			l.lower = count(v)
		case unix.IFLA_LINK_NETNSID:
			foreign = true
		case unix.IFLA_MASTER:
			l.master = count(v)
		case unix.IFLA_PARENT_DEV_NAME:
			l.parent = text(v)
		case unix.IFLA_LINKINFO:
			sound = l.decodeInfo(v)
		}
	})
	if foreign { // IFLA_LINK is then an ifindex of another namespace
		l.lower = 0
	}
	return l, whole && sound && l.index > 0 && l.name != ""
}

// decodeInfo decodes an IFLA_LINKINFO. It copies what it keeps, so that a link does
// not retain the buffer of a whole dump.
func (l *link) decodeInfo(b []byte) bool {
	var info, slave []byte
	whole := attrs(b, func(typ uint16, v []byte) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			l.kind = text(v)
		case unix.IFLA_INFO_DATA:
			info = v
		case unix.IFLA_INFO_SLAVE_KIND:
			l.port = text(v)
		case unix.IFLA_INFO_SLAVE_DATA:
			slave = v
		}
	})
	if l.kind == kindBond || l.kind == kindVLAN {
		l.info = bytes.Clone(info)
	}
	if l.port == kindBond {
		l.slave = bytes.Clone(slave)
	}
	return whole
}

// up reports whether the link is set up and has carrier.
func (l link) up() bool { return l.flags&unix.IFF_UP != 0 && l.carrier() }

func (l link) carrier() bool { return l.flags&unix.IFF_LOWER_UP != 0 }

// hardware reports whether the link may be a NIC: it has no kind, or is an InfiniBand
// port, and is not the loopback. Only sysfs shows whether it has a device.
func (l link) hardware() bool {
	if l.kind != "" && l.kind != "ipoib" || l.flags&unix.IFF_LOOPBACK != 0 {
		return false
	}
	return l.arp == unix.ARPHRD_ETHER || l.arp == unix.ARPHRD_INFINIBAND
}
