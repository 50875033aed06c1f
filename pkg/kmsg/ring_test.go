package kmsg

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A ring is a simulated kernel log that behaves as /dev/kmsg does: a bounded number
// of records, EPIPE once when the reader was overrun, EINVAL and a skip for a record
// that does not fit. It is also the clock: time passes while a reader waits.
type ring struct {
	mono time.Duration // CLOCK_MONOTONIC
	wall time.Time     // wall time at mono 0
	slow time.Duration // how far the log's clock is behind CLOCK_MONOTONIC

	capacity int
	first    uint64   // sequence number of records[0]
	records  [][]byte // still there
	pos      uint64   // sequence number to read next
	later    []event  // events while the reader waits, by time
	onRead   func(*ring)
	errs     []error // errors of the next reads
	handed   []uint64
	closed   bool
}

// An event is a line that the kernel will log, or a whole record.
type event struct {
	at     time.Duration // monotonic
	text   string
	record []byte
}

func newRing() *ring {
	return &ring{wall: bootTime, capacity: 1 << 20}
}

func (g *ring) clock() Clock {
	return Clock{
		Now:       func() time.Time { return g.wall.Add(g.mono) },
		Monotonic: func() time.Duration { return g.mono },
	}
}

// log appends a line with the current timestamp, and overwrites the oldest if the
// ring is full.
func (g *ring) log(text string) {
	g.put(encode(record{Level: 4, Seq: g.end(), Stamp: g.mono - g.slow, Text: text}))
}

func (g *ring) put(record []byte) {
	g.records = append(g.records, record)
	if n := len(g.records) - g.capacity; n > 0 {
		g.records = g.records[n:]
		g.first += uint64(n)
	}
}

// at sets the clock and logs a line.
func (g *ring) at(mono time.Duration, text string) *ring {
	g.mono = mono
	g.log(text)
	return g
}

func (g *ring) end() uint64 { return g.first + uint64(len(g.records)) }

// reopened returns the same log as seen by a process that opens it now.
func (g *ring) reopened() *ring {
	g.pos, g.handed = g.first, nil
	return g
}

// read implements source.
func (g *ring) read(b []byte, until time.Time) (int, error) {
	if g.onRead != nil {
		g.onRead(g)
	}
	if len(g.errs) > 0 {
		err := g.errs[0]
		g.errs = g.errs[1:]
		return 0, err
	}
	if g.closed {
		return 0, os.ErrClosed
	}
	for len(g.later) > 0 && g.later[0].at <= g.mono {
		g.happen()
	}
	if g.pos < g.first {
		g.pos = g.first
		return 0, unix.EPIPE
	}
	if g.pos == g.end() && !g.wait(until) {
		return 0, unix.EAGAIN
	}
	record := g.records[g.pos-g.first]
	g.pos++
	if len(record) > len(b) {
		return 0, unix.EINVAL
	}
	g.handed = append(g.handed, g.pos-1)
	return copy(b, record), nil
}

// wait advances the time until a record comes, at most to the deadline.
func (g *ring) wait(until time.Time) bool {
	if until.IsZero() {
		return false
	}
	limit := until.Sub(g.wall)
	if len(g.later) > 0 && g.later[0].at <= limit {
		g.mono = g.later[0].at
		g.happen()
		return true
	}
	g.mono = max(g.mono, limit)
	return false
}

// happen logs the next event, with the current time of the clock.
func (g *ring) happen() {
	e := g.later[0]
	g.later = g.later[1:]
	if e.record != nil {
		g.put(e.record)
		return
	}
	g.put(encode(record{Level: 4, Seq: g.end(), Stamp: e.at - g.slow, Text: e.text}))
}

func (g *ring) Close() error {
	g.closed = true
	return nil
}
