package bond

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// attrs calls each with the type, its flag bits removed, and the value of every
// netlink attribute in b (struct rtattr, include/uapi/linux/rtnetlink.h). It returns
// false if b ends inside an attribute; each has then been called for the attributes
// before it.
//
// nl.ParseRouteAttr does the same but panics if the padding of the last attribute is
// missing, and netlink.LinkDeserialize panics on values that are too short.
func attrs(b []byte, each func(typ uint16, v []byte)) bool {
	const typeMask = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	for len(b) >= unix.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			return false
		}
		each(binary.NativeEndian.Uint16(b[2:])&typeMask, b[unix.SizeofRtAttr:n])
		padded := (n + 3) &^ 3
		if padded > len(b) {
			return false
		}
		b = b[padded:]
	}
	return len(b) == 0
}

// number reads an unsigned number of one, two or four bytes, in the machine's byte
// order. It returns -1 for any other length: the kernel did not report the value.
func number(v []byte) int {
	switch len(v) {
	case 1:
		return int(v[0])
	case 2:
		return int(binary.NativeEndian.Uint16(v))
	case 4:
		return int(binary.NativeEndian.Uint32(v))
	}
	return -1
}

// count is like number, but returns zero if the kernel did not report the value.
func count(v []byte) int { return max(number(v), 0) }

// text reads a name up to its terminating zero byte.
func text(v []byte) string { return unix.ByteSliceToString(v) }

// mac formats a hardware address of any length in lower case, with colons.
func mac(v []byte) string { return net.HardwareAddr(v).String() }
