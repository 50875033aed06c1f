package bond

import (
	"bytes"
	"net/netip"
	"testing/fstest"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const ready = unix.IFF_UP | unix.IFF_LOWER_UP

// attr encodes one attribute, with others nested in it.
func attr(typ int, value []byte, nested ...*nl.RtAttr) *nl.RtAttr {
	a := nl.NewRtAttr(typ, value)
	for _, n := range nested {
		a.AddChild(n)
	}
	return a
}

// message encodes the payload of an RTM_NEWLINK of an Ethernet link that is up.
func message(index int, name string, more ...*nl.RtAttr) []byte {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index, m.Type, m.Flags = int32(index), unix.ARPHRD_ETHER, ready
	b := bytes.Clone(m.Serialize())
	more = append([]*nl.RtAttr{attr(unix.IFLA_IFNAME, nl.ZeroTerminated(name))}, more...)
	for _, a := range more {
		b = append(b, a.Serialize()...)
	}
	return b
}

func u32(typ, n int) *nl.RtAttr    { return attr(typ, nl.Uint32Attr(uint32(n))) }
func u8(typ int, n int) *nl.RtAttr { return attr(typ, nl.Uint8Attr(uint8(n))) }
func master(n int) *nl.RtAttr      { return u32(unix.IFLA_MASTER, n) }
func lower(n int) *nl.RtAttr       { return u32(unix.IFLA_LINK, n) }

// kind encodes an IFLA_LINKINFO of that kind with data.
func kind(k string, data ...*nl.RtAttr) *nl.RtAttr {
	return attr(unix.IFLA_LINKINFO, nil,
		attr(nl.IFLA_INFO_KIND, nl.ZeroTerminated(k)), attr(nl.IFLA_INFO_DATA, nil, data...))
}

// enslaved encodes the attributes of a link that is a slave of a bond.
func enslaved(bond int, data ...*nl.RtAttr) []*nl.RtAttr {
	return []*nl.RtAttr{master(bond), attr(unix.IFLA_LINKINFO, nil,
		attr(nl.IFLA_INFO_SLAVE_KIND, nl.ZeroTerminated(kindBond)), attr(nl.IFLA_INFO_SLAVE_DATA, nil, data...))}
}

func vlan(id int) *nl.RtAttr { return kind(kindVLAN, attr(nl.IFLA_VLAN_ID, nl.Uint16Attr(uint16(id)))) }

// address encodes the payload of an RTM_NEWADDR.
func address(index int, prefix string) []byte {
	p := netip.MustParsePrefix(prefix)
	m := nl.NewIfAddrmsg(unix.AF_INET)
	if p.Addr().Is6() {
		m.Family = unix.AF_INET6
	}
	m.Index, m.Prefixlen = uint32(index), uint8(p.Bits())
	b := bytes.Clone(m.Serialize())
	if p.Addr().Is4() {
		b = append(b, attr(unix.IFA_LOCAL, p.Addr().AsSlice()).Serialize()...)
	}
	return append(b, attr(unix.IFA_ADDRESS, p.Addr().AsSlice()).Serialize()...)
}

// sysTree returns a tree like /sys with the given files of class/net, keyed by their
// path below it.
func sysTree(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, content := range files {
		tree["class/net/"+name] = &fstest.MapFile{Data: []byte(content + "\n")}
	}
	return tree
}
