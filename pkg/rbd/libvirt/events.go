package libvirt

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/digitalocean/go-libvirt"
)

// The procedures by which libvirt sends events (src/remote/remote_protocol.x). Their
// arguments begin with the callback's ID and the domain.
const (
	eventRegister      = 316 // the call REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
	eventDiskChange    = 327
	eventDeviceRemoved = 333
	eventTunable       = 346 // includes throttles
	eventDeviceAdded   = 354
)

// events are the subscribed events: those after which a domain's XML may describe its
// disks differently.
func events() []libvirt.DomainEventID {
	return []libvirt.DomainEventID{libvirt.DomainEventIDDeviceAdded, libvirt.DomainEventIDDeviceRemoved, libvirt.DomainEventIDDiskChange,
		libvirt.DomainEventIDTunable}
}

// changedMax is the maximum number of changed domains that are stored: more than one
// reply can contain.
const changedMax = domainsMax

// A changedDomains is the set of domains named by events since they were last
// described. It is safe for concurrent use.
type changedDomains struct {
	mu    sync.Mutex
	uuids map[libvirt.UUID]bool
}

// note parses a message packet and notes the domain if it is an event about one. It
// ignores a packet that it cannot parse.
func (c *changedDomains) note(procedure uint32, payload []byte) {
	switch procedure {
	case eventDiskChange, eventDeviceRemoved, eventTunable, eventDeviceAdded:
	default:
		return
	}
	x := xdr{rest: payload}
	x.skip(4) // the callback's ID
	x.text()  // the domain's name
	if x.short || len(x.rest) < len(libvirt.UUID{}) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uuids == nil {
		c.uuids = map[libvirt.UUID]bool{}
	}
	if len(c.uuids) < changedMax {
		c.uuids[libvirt.UUID(x.rest[:len(libvirt.UUID{})])] = true
	}
}

// take reports whether the domain has changed, and removes it from the set.
func (c *changedDomains) take(domain libvirt.UUID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.uuids[domain]
	delete(c.uuids, domain)
	return changed
}

// subscribe subscribes to events. A daemon without events is not a fault: changes are
// then found through the statistics or the periodic reading.
func (l *Reader) subscribe(ctx context.Context) error {
	rpc := l.rpc
	for _, id := range events() {
		err := l.call(ctx, "events", func() error {
			_, err := rpc.ConnectDomainEventCallbackRegisterAny(int32(id), nil)
			return err
		})
		if err != nil && !answered(err) {
			return err
		}
	}
	return nil
}

// message notes the events in a message packet.
func (c *packetConn) message(packet []byte) {
	if binary.BigEndian.Uint32(packet[4:]) == remoteProgram {
		c.changed.note(binary.BigEndian.Uint32(packet[12:]), packet[headLen:])
	}
}
