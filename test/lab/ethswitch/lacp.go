package ethswitch

import (
	"encoding/binary"
	"time"
)

// The state bits of a port in LACP (IEEE 802.1AX, 6.4.2.3).
const (
	active       = 1 << 0
	short        = 1 << 1 // requests a LACPDU each second
	aggregatable = 1 << 2
	inSync       = 1 << 3
	collecting   = 1 << 4
	distributing = 1 << 5
	defaulted    = 1 << 6
)

const (
	lacpduLen = 124 // with the Ethernet header, without the FCS
	infoLen   = 20

	// silence is the time after which a silent partner is lost. The standard defines
	// three times the period; an emulated guest may be delayed for longer.
	silence = 6 * time.Second
)

var slowProtocols = mac{0x01, 0x80, 0xc2, 0, 0, 2}

// An info is the description of one side of a link in a LACPDU.
type info struct {
	systemPriority uint16
	system         mac
	key            uint16
	portPriority   uint16
	port           uint16
	state          byte
}

func (i info) put(b []byte) {
	binary.BigEndian.PutUint16(b, i.systemPriority)
	copy(b[2:], i.system[:])
	binary.BigEndian.PutUint16(b[8:], i.key)
	binary.BigEndian.PutUint16(b[10:], i.portPriority)
	binary.BigEndian.PutUint16(b[12:], i.port)
	b[14] = i.state
}

func infoOf(b []byte) (i info) {
	i.systemPriority = binary.BigEndian.Uint16(b)
	copy(i.system[:], b[2:])
	i.key = binary.BigEndian.Uint16(b[8:])
	i.portPriority = binary.BigEndian.Uint16(b[10:])
	i.port = binary.BigEndian.Uint16(b[12:])
	i.state = b[14]
	return i
}

// lacpdu returns the frame with actor and partner (802.1AX, 6.4.2.3).
func lacpdu(src mac, actor, partner info) []byte {
	f := make([]byte, lacpduLen)
	copy(f, slowProtocols[:])
	copy(f[macLen:], src[:])
	binary.BigEndian.PutUint16(f[2*macLen:], typeSlow)
	b := f[headerLen:]
	b[0], b[1] = 1, 1 // LACP, version 1
	b[2], b[3] = 1, infoLen
	actor.put(b[4:])
	b[22], b[23] = 2, infoLen
	partner.put(b[24:])
	b[42], b[43] = 3, 16 // collector information: no delay
	return f
}

// heard parses the partner's description of itself and of us; false: the frame is not a
// LACPDU.
func heard(frame []byte) (actor, partner info, ok bool) {
	if len(frame) < headerLen+60 {
		return actor, partner, false
	}
	b := frame[headerLen:]
	if b[0] != 1 || b[2] != 1 || b[3] != infoLen || b[22] != 2 || b[23] != infoLen {
		return actor, partner, false
	}
	return infoOf(b[4:]), infoOf(b[24:]), true
}

// A lacp is the protocol state of one port.
type lacp struct {
	partner info
	last    time.Time // when the last LACPDU was received
}

// current reports whether the partner sends LACPDUs.
func (l *lacp) current(now time.Time) bool {
	return !l.last.IsZero() && now.Sub(l.last) < silence
}

// usable reports whether the partner accepts frames from this port.
func (l *lacp) usable(now time.Time) bool {
	return l.current(now) && l.partner.state&(inSync|collecting) == inSync|collecting
}

// say returns the LACPDU to send on port n of the system.
func (l *lacp) say(system mac, n int, now time.Time) []byte {
	me := info{systemPriority: 32768, system: system, key: 1, portPriority: 255, port: uint16(n), state: active | short | aggregatable}
	partner := l.partner
	if l.current(now) {
		me.state |= inSync
		if partner.state&inSync != 0 {
			me.state |= collecting | distributing
		}
	} else {
		partner = info{}
		me.state |= defaulted
	}
	src := system
	src[macLen-1] += byte(n)
	return lacpdu(src, me, partner)
}
