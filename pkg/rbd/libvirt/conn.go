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
// includes itself, then six numbers, then the arguments or results in XDR.
const (
	headLen       = 28
	packetMax     = 8 << 20    // VIR_NET_MESSAGE_MAX is 32 MiB; 1,000 domains' statistics are about 1 MiB
	remoteProgram = 0x20008086 // REMOTE_PROGRAM
	typeReply     = 1          // VIR_NET_REPLY
	typeNotice    = 2          // VIR_NET_MESSAGE: an event, or a keepalive's ping
)

// errVirtWire reports that the data on the socket is not libvirt's reply to the
// current call.
var errVirtWire = errors.New("not libvirt's protocol")

// A packetConn is a filter between the socket and go-libvirt, which does not validate
// the length and the counts in a packet: a short packet causes a panic in a separate
// goroutine, a large count exhausts the memory, and two replies to one call deadlock
// it. So packetConn reads and checks whole packets, and passes on exactly one reply
// per call. It notes events but does not pass them on: go-libvirt would buffer them
// without a limit for a reader that never stops.
type packetConn struct {
	net.Conn
	packet  []byte       // the packet being read
	rest    []byte       // the part of packet not yet passed on
	waiting atomic.Int64 // serial of the current call; -1: none
	unsent  int          // unwritten bytes of the latest call
	fault   atomic.Value // error that ended reading; go-libvirt does not pass it on
	changed *changedDomains
}

func newVirtConn(c net.Conn, changed *changedDomains) *packetConn {
	v := &packetConn{Conn: c, changed: changed}
	v.waiting.Store(-1)
	return v
}

// Write notes the serial of each call that go-libvirt writes. go-libvirt's buffer
// begins each write with a packet's header.
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

// Read returns the reply to the current call.
func (c *packetConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if err := c.next(); err != nil {
			err = fmt.Errorf("the connection ended: %w", err)
			c.fault.CompareAndSwap(nil, err)
			c.Conn.Close() // further packets are not needed
			return 0, err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// next reads a packet, and leaves rest empty if the packet is not to be passed on.
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

// wanted reports whether a packet is the reply to the current call. It returns true at
// most once per call.
func (c *packetConn) wanted(packet []byte) (bool, error) {
	field := func(i int) uint32 { return binary.BigEndian.Uint32(packet[i:]) }
	program, procedure, kind, serial, status := field(4), field(12), field(16), field(20), field(24)
	if kind == typeNotice {
		c.message(packet)
		return false, nil
	}
	if program != remoteProgram || kind != typeReply || !c.waiting.CompareAndSwap(int64(serial), -1) {
		return false, fmt.Errorf("%w: no reply to the current call", errVirtWire)
	}
	return true, checkReply(procedure, status, packet[headLen:])
}
