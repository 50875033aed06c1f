package kmsg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// How much one Batch takes. News is gathered for a moment after its first record,
// so that a flood makes four Batches a second and not one a record; the reader
// stays awake meanwhile, for a ring of 128 KiB may turn over in 50 ms. The other
// bounds are for a long history and for a flood that does not let it end.
const (
	gather   = 250 * time.Millisecond
	budget   = 250 * time.Millisecond
	budgetAt = 256 // reads between two looks at the clock
	maxReads = 100_000
)

// The longest record is 8 KiB (5.10) or 2 KiB (6.12) with its escapes. A read
// with too small a buffer loses the record.
const bufferSize = 16 << 10

// A Reader reads /dev/kmsg from its oldest record on. It is for one goroutine.
type Reader struct {
	// AnyFacility believes records of every facility, for tests.
	AnyFacility bool

	src    source
	clock  Clock
	counts Aggregator
	skew   skew
	start  time.Duration // when the Reader was opened, monotonic
	bootID string
	from   *Position // of an earlier run on this boot
	live   bool      // what comes now is news
	buf    []byte
	held   int   // bytes of buf that hold a record of the next Batch
	failed error // of a read: the Reader is at its end

	begun   bool // the Batch has a record
	history bool // and is of history
	fresh   bool // its first record came while it was waited for
}

// Open opens the kernel log at path, /dev/kmsg. bootID is that of now, and from
// is where an earlier run ended. On the same boot, records up to there are
// history and what follows is news, though older than this process. Otherwise
// records older than the call are history.
//
// Errors wrap fs.ErrPermission where a capability or the file's mode is missing,
// and fs.ErrNotExist where there is no such file.
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

// Close closes the device; a Next that waits returns with an error.
func (r *Reader) Close() error { return r.src.Close() }

// Position is how far the Batches returned so far reach, for a later run; it is
// to be saved once they have been dealt with. Before the first record it is zero.
func (r *Reader) Position() Position {
	if !r.counts.started {
		return Position{}
	}
	return Position{r.bootID, r.counts.batch.Seq}
}

// Next waits at most wait for a record, then takes all that are there into one
// Batch, which holds either history or news; news that comes in the next 250 ms
// is in it as well. Where none came the Batch is empty. Records that were
// overwritten or too long are counted and are no error; after an error the
// Reader is of no more use.
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

// first returns the length of a Batch's first record, as read does: the one that
// was held back, one that is there, or one that comes until then.
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

// read reads a record into buf and returns its length. The length is 0 where the
// kernel had something else to say; more is false where the Batch ends.
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
	case errors.Is(err, unix.EPIPE): // the gap in the sequence will show how many
		return 0, true
	case errors.Is(err, unix.EINVAL):
		r.counts.skipped()
		return 0, true
	case errors.Is(err, unix.EAGAIN): // all that was there has been read
		r.live = true
		return 0, false
	case errors.Is(err, os.ErrDeadlineExceeded): // it did not even look
		return 0, false
	}
	r.failed = fmt.Errorf("kmsg: %w", err)
	return 0, false
}

// patience is until when to wait for a further record of a Batch that began then.
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

// take counts the n bytes that were read, unless they belong to the next Batch.
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

// isHistory says whether a record was dealt with by an earlier run or, where
// there was none, was logged before this one. Nothing is history once all
// records that were there at the start have been read.
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

// base returns the wall time of stamp zero, for a Batch that begins with a
// record of this stamp. What waited in the ring says nothing of the clocks'
// skew, unless its stamp is of the future.
func (r *Reader) base(stamp time.Duration) time.Time {
	received := r.clock.Monotonic()
	if r.fresh || stamp > received {
		r.skew.observe(received, stamp)
	}
	return r.clock.Now().Round(0).UTC().Add(r.skew.least() - received)
}

// empty reports whether the Batch says nothing but where it ends.
func (b Batch) empty() bool {
	return len(b.Counts) == 0 && b.Records|b.Foreign|b.Lost|b.Malformed|b.Suppressed|b.Overflowed == 0
}
