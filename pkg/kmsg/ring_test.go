package kmsg

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A ring is a made-up kernel log that behaves as /dev/kmsg does: a bounded number
// of records, EPIPE once when the reader was overrun, EINVAL and a skip for a
// record that does not fit. It is its own clock: time passes while it is waited for.
type ring struct {
	mono time.Duration // CLOCK_MONOTONIC
	wall time.Time     // of mono 0
	slow time.Duration // how far the log's clock is behind CLOCK_MONOTONIC

	capacity int
	first    uint64   // sequence number of records[0]
	records  [][]byte // still there
	pos      uint64   // what the reader reads next
	later    []event  // what happens while it waits, by time
	onRead   func(*ring)
	errs     []error // what the next reads fail with
	handed   []uint64
	closed   bool
}

// An event is a line the kernel will log, or a whole record.
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

// log appends a line stamped now, and overwrites the oldest if there is no room.
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

// reopened is the same log as a process sees it that opens it now.
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

// wait lets time pass until a record comes, or until then.
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

// happen logs what comes next, with the time that has come by now on the clock.
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
