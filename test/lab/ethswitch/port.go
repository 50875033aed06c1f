package ethswitch

import (
	"io"
	"sync"
	"time"
)

// A Link transports whole Ethernet frames, without FCS.
type Link interface {
	// ReadFrame reads one frame into b and returns its length.
	ReadFrame(b []byte) (int, error)
	WriteFrame(b []byte) error
	io.Closer
}

// Counters contains the counters of a port since the switch started. Received counts
// what the switch received, Sent what it sent to the link: a guest receives what is
// counted as Sent.
type Counters struct {
	ReceivedFrames, ReceivedBytes uint64
	SentFrames, SentBytes         uint64
	Dropped                       uint64 // frames discarded because the buffer was full
	Damaged                       uint64 // frames sent with a flipped bit
	Lost                          uint64 // frames discarded because the port was down
}

// A Rate limits a port in each direction, and bounds its buffer towards the link. The
// zero Rate is unlimited.
type Rate struct {
	Bits   int // a second
	Buffer int // maximum number of queued bytes
}

const unlimitedBuffer = 4 << 20

type port struct {
	name   string
	number int
	member bool // member of the port-channel
	link   Link

	mu       sync.Mutex
	more     *sync.Cond // signals new frames, or that the port is closed
	queue    [][]byte
	queued   int // bytes
	rate     Rate
	damage   Damage
	passed   int // frames counted for Damage
	down     bool
	closed   bool
	counters Counters
	lacp     lacp
}

func newPort(name string, number int, member bool, link Link) *port {
	p := &port{name: name, number: number, member: member, link: link}
	p.more = sync.NewCond(&p.mu)
	return p
}

// send queues a frame, which the port then owns, or drops it.
func (p *port) send(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.rate.Buffer
	if limit == 0 {
		limit = unlimitedBuffer
	}
	switch {
	case p.down:
		p.counters.Lost++
	case p.queued+len(frame) > limit:
		p.counters.Dropped++
	case p.closed:
	default:
		p.hit(frame, limit)
		p.queue = append(p.queue, frame)
		p.queued += len(frame)
		p.more.Signal()
	}
}

// hit damages the frame if it is due.
func (p *port) hit(frame []byte, limit int) {
	d := p.damage
	if d.Every == 0 || float64(p.queued) < d.Fill*float64(limit) {
		return
	}
	pk, ok := parse(frame)
	if !ok || pk.segment == nil || len(pk.segment)-pk.payload < d.Least {
		return
	}
	p.passed++
	if p.passed%d.Every == 0 && pk.damage(d.Least) {
		p.counters.Damaged++
		if p.damage.Count--; p.damage.Count == 0 {
			p.damage = Damage{}
		}
	}
}

// next waits for a frame to send; false: the port is closed.
func (p *port) next() ([]byte, Rate, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) == 0 && !p.closed {
		p.more.Wait()
	}
	if p.closed {
		return nil, Rate{}, false
	}
	frame := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.queued -= len(frame)
	return frame, p.rate, true
}

// drain sends the queued frames, no faster than the rate.
func (p *port) drain() {
	var t pace
	for {
		frame, rate, ok := p.next()
		if !ok {
			return
		}
		t.wait(len(frame), rate)
		if p.link.WriteFrame(frame) != nil {
			p.close()
			return
		}
		p.mu.Lock()
		p.counters.SentFrames++
		p.counters.SentBytes += uint64(len(frame))
		p.mu.Unlock()
	}
}

// fill reads frames until the link ends, no faster than the rate.
func (p *port) fill(forward func(*port, []byte)) {
	var t pace
	b := make([]byte, maxFrame)
	for {
		n, err := p.link.ReadFrame(b)
		if err != nil {
			p.close()
			return
		}
		if rate, up := p.received(n); up {
			t.wait(n, rate)
			forward(p, append([]byte(nil), b[:n]...))
		}
	}
}

func (p *port) received(n int) (rate Rate, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		p.counters.Lost++
		return p.rate, false
	}
	p.counters.ReceivedFrames++
	p.counters.ReceivedBytes += uint64(n)
	return p.rate, true
}

func (p *port) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.queue, p.queued = nil, 0
		p.more.Broadcast()
		_ = p.link.Close() // queued frames are lost in any case
	}
}

// usable reports whether a port-channel may send on the port.
func (p *port) usable(channel Channel, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.down && !p.closed && (channel != LACP || p.lacp.usable(now))
}

// A pace limits bytes to a rate.
type pace struct{ free time.Time }

const (
	// slack is how far a pace may run ahead: shorter timers are not possible.
	slack = 2 * time.Millisecond
	// credit is the delay that a pace makes up for after a late wake-up.
	credit = 10 * time.Millisecond
)

func (t *pace) wait(n int, r Rate) {
	if r.Bits == 0 {
		return
	}
	now := time.Now()
	if late := now.Add(-credit); t.free.Before(late) {
		t.free = late
	}
	t.free = t.free.Add(time.Duration(n+wireOverhead) * 8 * time.Second / time.Duration(r.Bits))
	if ahead := t.free.Sub(now); ahead > slack {
		time.Sleep(ahead - slack/2)
	}
}
