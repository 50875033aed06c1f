package ethswitch

import (
	"encoding/binary"
	"math/bits"
)

const (
	headerLen = 14 // of Ethernet
	macLen    = 6

	typeIPv4 = 0x0800
	typeSlow = 0x8809 // slow protocols, LACP among them (IEEE 802.3 annex 57A)

	protoTCP = 6
	protoUDP = 17
)

type mac [macLen]byte

// A packet contains the fields of a frame that the switch evaluates.
type packet struct {
	dst, src  mac
	kind      uint16 // EtherType
	ip        [2]uint32
	proto     byte
	ports     [2]uint16
	segment   []byte // TCP header and payload, without Ethernet's padding; nil: not a TCP segment
	payload   int    // offset of the TCP payload within segment
	fragments bool
}

// parse parses the headers of a frame; false: it is not an Ethernet frame.
func parse(frame []byte) (p packet, ok bool) {
	if len(frame) < headerLen {
		return p, false
	}
	copy(p.dst[:], frame)
	copy(p.src[:], frame[macLen:])
	p.kind = binary.BigEndian.Uint16(frame[2*macLen:])
	if p.kind == typeIPv4 {
		p.parseIP(frame[headerLen:])
	}
	return p, true
}

func (p *packet) parseIP(b []byte) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return
	}
	ihl, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if ihl < 20 || total < ihl || total > len(b) {
		return
	}
	p.proto = b[9]
	p.ip = [2]uint32{binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:])}
	p.fragments = binary.BigEndian.Uint16(b[6:])&0x3fff != 0
	rest := b[ihl:total]
	if p.fragments || len(rest) < 8 || p.proto != protoTCP && p.proto != protoUDP {
		return
	}
	p.ports = [2]uint16{binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])}
	if p.proto == protoTCP && len(rest) >= 20 {
		if offset := int(rest[12]>>4) * 4; offset >= 20 && offset <= len(rest) {
			p.segment, p.payload = rest, offset
		}
	}
}

// A Hash determines which member of a port-channel sends a frame.
type Hash string

// The hash policies, with the names of Linux bonding.
const (
	Layer2  Hash = "layer2"
	Layer34 Hash = "layer3+4"
)

// of returns the hash of a packet. Layer 3+4 falls back to the addresses alone if
// there are no ports, and to layer 2 if there is no IP.
func (h Hash) of(p packet) uint32 {
	if h == Layer34 && p.kind == typeIPv4 {
		n := p.ip[0] ^ p.ip[1] ^ uint32(p.ports[0])<<16 ^ uint32(p.ports[1])
		n ^= n >> 16
		n ^= n >> 8
		return n >> 1 // the lowest bit of a client's port is constant
	}
	return uint32(p.dst[macLen-1]) ^ uint32(p.src[macLen-1]) ^ uint32(p.kind)
}

// damage flips one bit near the end of the TCP payload and corrects the checksum (RFC
// 1624), so that only a checksum of the payload detects it. It reports whether the
// payload had at least least bytes.
func (p packet) damage(least int) bool {
	if n := len(p.segment) - p.payload; p.segment == nil || n < least || n < 1 {
		return false
	}
	at := len(p.segment) - 1 - min(8, len(p.segment)-p.payload-1)
	even := at &^ 1
	word := func() uint16 {
		if even+1 < len(p.segment) {
			return binary.BigEndian.Uint16(p.segment[even:])
		}
		return uint16(p.segment[even]) << 8
	}
	was := word()
	p.segment[at] ^= 0x10
	sum := uint32(^binary.BigEndian.Uint16(p.segment[16:])) + uint32(^was) + uint32(word())
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(p.segment[16:], ^uint16(sum))
	return true
}

// spread maps a hash to one of n members.
func spread(hash uint32, n int) int {
	hi, _ := bits.Mul32(hash*2654435761, uint32(n)) // Knuth's multiplier: high bits are well mixed
	return int(hi)
}
