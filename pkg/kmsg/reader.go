package kmsg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The bounds of one Batch. News is collected for a moment after its first record, so
// that a flood makes four Batches a second instead of one per record. The reader
// stays awake meanwhile, because a ring of 128 KiB may be overwritten in 50 ms. The
// other bounds are for a long history and for a flood without a pause.
const (
	gather   = 250 * time.Millisecond
	budget   = 250 * time.Millisecond
	budgetAt = 256 // reads between two checks of the clock
	maxReads = 100_000
)

// The longest record is 8 KiB (5.10) or 2 KiB (6.12) with its escapes. A read
// with too small a buffer loses the record.
const bufferSize = 16 << 10

// A Reader reads /dev/kmsg from its oldest record. It must be used by one goroutine
// only.
type Reader struct {
	// AnyFacility accepts records of every facility, for tests.
	AnyFacility bool

	src    source
	clock  Clock
	counts Aggregator
	skew   skew
	start  time.Duration // monotonic time at which the Reader was opened
	bootID string
	from   *Position // end of an earlier run on this boot
	live   bool      // further records are news
	buf    []byte
	held   int   // bytes in buf of a record held back for the next Batch
	failed error // error of a read, after which the Reader is unusable

	begun   bool // the Batch has a record
	history bool // and the record is history
	fresh   bool // its first record arrived while the Reader waited
}

// Open opens the kernel log at path, /dev/kmsg. bootID is the current boot id, and
// from is where an earlier run ended. On the same boot, records up to from are
// history and later ones are news, even if older than this process. Otherwise records
// older than the call are history.
//
// Errors wrap fs.ErrPermission if a capability or the file's mode is missing, and
// fs.ErrNotExist if the file does not exist.
func Open(path, bootID string, from Position, clock Clock) (*Reader, error) {
	src, err := openDevice(path)
	if err != nil {
		return nil, err
	}
	return newReader(src, bootID, from, clock), nil
}

func newReader(src source, bootID string, from Position, clock Clock) *Reader {
	if clock.Monotonic == nil {
		clock.Monotonic = monotonic
	}
	r := &Reader{src: src, clock: clock, start: clock.Monotonic(), bootID: bootID, buf: make([]byte, bufferSize)}
	if bootID != "" && from.BootID == bootID {
		r.from = &from
		r.counts.resume(from.Seq)
	}
	return r
}

// Close closes the device; a waiting Next returns with an error.
func (r *Reader) Close() error { return r.src.Close() }

// Position returns how far the returned Batches reach, for a later run. Save it once
// they have been processed. It is zero before the first record.
func (r *Reader) Position() Position {
	if !r.counts.started {
		return Position{}
	}
	return Position{r.bootID, r.counts.batch.Seq}
}

// Next waits at most wait for a record, then collects all available records into one
// Batch, which holds either history or news. News of the next 250 ms is included. The
// Batch is empty if no record came. Records that were overwritten or too long are
// counted and are not an error. After an error the Reader can no longer be used.
func (r *Reader) Next(wait time.Duration) (Batch, error) {
	r.counts.AnyFacility = r.AnyFacility
	r.begun, r.history, r.fresh = false, false, false
	n, more := r.first(r.clock.Now().Add(wait))
	begin := r.clock.Now()
	for reads := 1; more && r.take(n) && r.mayRead(reads, begin); reads++ {
		n, more = r.read(r.patience(begin))
	}
	b := r.counts.Flush()
	b.History = r.history
	if r.failed != nil && b.empty() {
		return Batch{}, r.failed
	}
	return b, nil
}

// first returns the length of a Batch's first record, like read: a record held back
// before, an available one, or one that arrives before the deadline.
func (r *Reader) first(until time.Time) (n int, more bool) {
	if r.held > 0 {
		n, r.held = r.held, 0
		return n, true
	}
	if n, more = r.read(time.Time{}); more {
		return n, true
	}
	n, more = r.read(until)
	r.fresh = n > 0
	return n, more
}

// read reads a record into buf and returns its length. The length is 0 if the kernel
// returned no record; more is false if the Batch ends.
func (r *Reader) read(until time.Time) (n int, more bool) {
	if r.failed != nil {
		return 0, false
	}
	n, err := r.src.read(r.buf, until)
	switch {
	case err == nil && n > 0:
		return n, true
	case err == nil:
		err = io.EOF
	case errors.Is(err, unix.EPIPE): // the gap in the sequence will count them
		return 0, true
	case errors.Is(err, unix.EINVAL):
		r.counts.skipped()
		return 0, true
	case errors.Is(err, unix.EAGAIN): // all available records have been read
		r.live = true
		return 0, false
	case errors.Is(err, os.ErrDeadlineExceeded): // it did not try to read
		return 0, false
	}
	r.failed = fmt.Errorf("kmsg: %w", err)
	return 0, false
}

// patience returns the deadline for a further record of a Batch that began at that
// time.
func (r *Reader) patience(begin time.Time) time.Time {
	if r.history {
		return time.Time{}
	}
	return begin.Add(gather)
}

// mayRead reports whether the Batch is within its bounds.
func (r *Reader) mayRead(reads int, begin time.Time) bool {
	return reads < maxReads && (reads%budgetAt != 0 || r.clock.Now().Sub(begin) < budget)
}

// take counts the n bytes read, unless they belong to the next Batch.
func (r *Reader) take(n int) bool {
	if n == 0 {
		return true
	}
	h, rest, ok := cutHead(r.buf[:n])
	if !ok {
		r.counts.malformed()
		return true
	}
	old := r.isHistory(h)
	if r.begun && old != r.history {
		r.held = n
		return false
	}
	if !r.begun {
		r.begun, r.history = true, old
		r.counts.Base = r.base(h.stamp)
	}
	r.counts.add(h, rest)
	return true
}

// isHistory reports whether a record was processed by an earlier run or, without one,
// was logged before this run. No record is history after all records that existed at
// the start have been read.
func (r *Reader) isHistory(h head) bool {
	if r.live {
		return false
	}
	if r.from != nil {
		r.live = h.seq > r.from.Seq
	} else {
		r.live = h.stamp >= r.start
	}
	return !r.live
}

// base returns the wall time of timestamp zero, for a Batch that begins with a record
// of this timestamp. A record that waited in the ring does not show the skew of the
// clocks, unless its timestamp is in the future.
func (r *Reader) base(stamp time.Duration) time.Time {
	received := r.clock.Monotonic()
	if r.fresh || stamp > received {
		r.skew.observe(received, stamp)
	}
	return r.clock.Now().Round(0).UTC().Add(r.skew.least() - received)
}

// empty reports whether the Batch contains only its end position.
func (b Batch) empty() bool {
	return len(b.Counts) == 0 && b.Records|b.Foreign|b.Lost|b.Malformed|b.Suppressed|b.Overflowed == 0
}
