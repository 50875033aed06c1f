// Package ethswitch is an Ethernet switch in user space: MAC learning, one
// port-channel with LACP, rates with bounded buffers, and on demand damage that only
// a checksum of the payload detects. It is controlled while it runs.
package ethswitch

import (
	"context"
	"sync"
	"time"
)

const (
	maxFrame     = 65536
	wireOverhead = 24 // preamble, FCS and gap, which take transmission time
)

// A Channel is the type of a port-channel.
type Channel string

// The kinds of port-channel.
const (
	LACP   Channel = "lacp"   // a member is used while its partner agrees by LACP
	Static Channel = "static" // members are used while they are up
	None   Channel = "none"   // members are separate ports
)

// Damage selects which frames sent to a link get a flipped bit.
type Damage struct {
	Every int     // n: damages every n-th counted frame; 0: none
	Least int     // minimum TCP payload of a counted frame, in bytes
	Count int     // total number of frames to damage; 0: no limit
	Fill  float64 // fraction of the buffer that must be filled for a frame to count
}

// A Switch forwards frames between its ports.
type Switch struct {
	system mac

	mu      sync.Mutex
	ports   []*port
	table   map[mac]*port // port by address; for a port-channel, its first member
	channel Channel
	hash    Hash
	mute    bool // neither sends nor receives LACPDUs
	watch   func(port string, frame []byte)
	work    sync.WaitGroup
}

// New returns a switch without ports, with LACP and layer3+4.
func New() *Switch {
	return &Switch{system: mac{0x02, 0x77, 0, 0, 0, 0}, table: map[mac]*port{}, channel: LACP, hash: Layer34}
}

// Attach adds a port and starts forwarding. Members form the port-channel. The switch
// closes the link.
func (s *Switch) Attach(name string, member bool, link Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := newPort(name, len(s.ports)+1, member, link)
	s.ports = append(s.ports, p)
	s.work.Go(p.drain)
	s.work.Go(func() { p.fill(s.forward) })
}

// Run sends LACPDUs each second until the context ends, then closes all ports.
func (s *Switch) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.advertise(now)
		case <-ctx.Done():
			s.mu.Lock()
			for _, p := range s.ports {
				p.close()
			}
			s.mu.Unlock()
			s.work.Wait()
			return
		}
	}
}

func (s *Switch) advertise(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.ports {
		if p.member && s.channel == LACP && !s.mute {
			s.tell(p, now)
		}
	}
}

func (s *Switch) tell(p *port, now time.Time) {
	p.mu.Lock()
	frame := p.lacp.say(s.system, p.number, now)
	p.mu.Unlock()
	p.send(frame)
}

// forward sends a received frame to its destination.
func (s *Switch) forward(from *port, frame []byte) {
	pk, ok := parse(frame)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != nil {
		s.watch(from.name, frame)
	}
	if pk.kind == typeSlow {
		s.hear(from, frame)
		return
	}
	s.table[pk.src] = s.logical(from)
	if to, known := s.table[pk.dst]; known {
		if to != s.logical(from) {
			s.out(to, pk, frame)
		}
		return
	}
	for _, p := range s.ports {
		if s.logical(p) == p && p != s.logical(from) {
			s.out(p, pk, append([]byte(nil), frame...))
		}
	}
}

// hear processes the partner's LACPDU, and replies at once if its content has
// changed.
func (s *Switch) hear(from *port, frame []byte) {
	actor, _, ok := heard(frame)
	if !ok || !from.member || s.channel != LACP || s.mute {
		return
	}
	now := time.Now()
	from.mu.Lock()
	changed := from.lacp.partner != actor || !from.lacp.current(now)
	from.lacp = lacp{partner: actor, last: now}
	from.mu.Unlock()
	if changed {
		s.tell(from, now)
	}
}

// logical returns the port that represents p: for members of a port-channel, its first
// member.
func (s *Switch) logical(p *port) *port {
	if !p.member || s.channel == None {
		return p
	}
	for _, q := range s.ports {
		if q.member {
			return q
		}
	}
	return p
}

// out sends to a port, or to the member of the port-channel that the hash selects.
func (s *Switch) out(to *port, pk packet, frame []byte) {
	if !to.member || s.channel == None {
		to.send(frame)
		return
	}
	var usable []*port
	now := time.Now()
	for _, p := range s.ports {
		if p.member && p.usable(s.channel, now) {
			usable = append(usable, p)
		}
	}
	if len(usable) > 0 {
		usable[spread(s.hash.of(pk), len(usable))].send(frame)
	}
}
