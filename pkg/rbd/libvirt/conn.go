package libvirt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
)

// libvirt's wire format (src/rpc/virnetprotocol.x): a packet is its length, which
// counts itself, then six numbers, then the arguments or results in XDR.
const (
	headLen       = 28
	packetMax     = 8 << 20    // VIR_NET_MESSAGE_MAX is 32 MiB; 1,000 domains' statistics are about 1 MiB
	remoteProgram = 0x20008086 // REMOTE_PROGRAM
	typeReply     = 1          // VIR_NET_REPLY
	typeNotice    = 2          // VIR_NET_MESSAGE: an event, or a keepalive's ping
)

// errVirtWire says that what came over the socket is not libvirt's answer to the
// call under way.
var errVirtWire = errors.New("not libvirt's protocol")

// A packetConn stands between the socket and go-libvirt, which trusts its peer: it
// takes the length and the counts in a packet at their word (a short packet
// panics in a goroutine of its own, a large count takes all memory), and two
// answers to one call lock it up. So whole packets are read here, checked, and
// handed on: one answer to each call, and nothing else. Events are noted here and
// not handed on: go-libvirt keeps them without a bound for a reader that never stops.
type packetConn struct {
	net.Conn
	packet  []byte       // the packet being read
	rest    []byte       // of packet, what has not been handed on
	waiting atomic.Int64 // the serial of the call under way; -1: none
	unsent  int          // bytes of the latest call that have not been written
	fault   atomic.Value // error: why reading ended; go-libvirt does not pass it on
	changed *changedDomains
}

func newVirtConn(c net.Conn, changed *changedDomains) *packetConn {
	v := &packetConn{Conn: c, changed: changed}
	v.waiting.Store(-1)
	return v
}

// Write notes the serial of each call that go-libvirt writes. Its buffer begins
// a write with a packet's head.
func (c *packetConn) Write(p []byte) (int, error) {
	if c.unsent == 0 {
		if len(p) < headLen {
			return 0, errVirtWire
		}
		c.unsent = int(binary.BigEndian.Uint32(p))
		c.waiting.Store(int64(binary.BigEndian.Uint32(p[20:])))
	}
	if len(p) > c.unsent {
		return 0, errVirtWire
	}
	c.unsent -= len(p)
	return c.Conn.Write(p)
}

// Read hands on the answer to the call under way.
func (c *packetConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if err := c.next(); err != nil {
			err = fmt.Errorf("the connection ended: %w", err)
			c.fault.CompareAndSwap(nil, err)
			c.Conn.Close() // what comes after is not worth reading
			return 0, err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// next reads a packet, and leaves rest empty if it is not to be handed on.
func (c *packetConn) next() error {
	var head [headLen]byte
	if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < headLen || size > packetMax {
		return fmt.Errorf("%w: a packet of %d bytes", errVirtWire, size)
	}
	if cap(c.packet) < int(size) || cap(c.packet) > 1<<20 && size < 1<<16 {
		c.packet = make([]byte, size)
	}
	c.packet = c.packet[:size]
	copy(c.packet, head[:])
	if _, err := io.ReadFull(c.Conn, c.packet[headLen:]); err != nil {
		return err
	}
	wanted, err := c.wanted(c.packet)
	if wanted && err == nil {
		c.rest = c.packet
	}
	return err
}

// wanted reports whether a packet is the answer to the call under way. It is said to be
// so only once.
func (c *packetConn) wanted(packet []byte) (bool, error) {
	field := func(i int) uint32 { return binary.BigEndian.Uint32(packet[i:]) }
	program, procedure, kind, serial, status := field(4), field(12), field(16), field(20), field(24)
	if kind == typeNotice {
		c.message(packet)
		return false, nil
	}
	if program != remoteProgram || kind != typeReply || !c.waiting.CompareAndSwap(int64(serial), -1) {
		return false, fmt.Errorf("%w: no answer to the call under way", errVirtWire)
	}
	return true, checkReply(procedure, status, packet[headLen:])
}
