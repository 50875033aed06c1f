package kmsg

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The most Counts of one Batch. A node with 1,820 OSD sessions can have problems with
// that many peers within a second, in a few classes.
const maxCounts = 4096

// An Aggregator folds records into Batches. Its fields may be changed between records.
// It must be used by one goroutine only.
type Aggregator struct {
	// Base is the wall time of timestamp zero: a record's time is Base plus its
	// Stamp.
	Base time.Time
	// AnyFacility accepts records of every facility. It is for tests and for
	// hand-written tapes: any process that may write to /dev/kmsg could forge
	// records.
	AnyFacility bool

	batch   Batch
	index   map[key]int // of batch.Counts
	next    uint64      // the expected sequence number
	started bool        // expected is known
	reasons reasons
	scratch []byte // for an unescaped text
	claimed []byte // text of the reason for the latest fault
}

// A key identifies the lines that share a Count.
type key struct {
	second               int64
	class                Class
	peer, device, detail string
	errno                int
}

// resume expects the record after number seq next.
func (t *Aggregator) resume(seq uint64) {
	t.next, t.started, t.batch.Seq = seq+1, true, seq
}

// Add counts one record, as one read of /dev/kmsg returns it. It retains no part of
// b.
func (t *Aggregator) Add(b []byte) {
	h, rest, ok := cutHead(b)
	if !ok {
		t.malformed()
		return
	}
	t.add(h, rest)
}

// malformed counts bytes that are not a record. If the kernel returned them, they had
// a sequence number, so they are not counted as lost as well.
func (t *Aggregator) malformed() {
	t.batch.Malformed++
	t.next++
}

// skipped notes a record that was too long to be read. It is counted by its gap in
// the sequence, unless no record came before it.
func (t *Aggregator) skipped() {
	if !t.started {
		t.batch.Lost++
	}
}

// add counts the record with head h. rest begins with its text.
func (t *Aggregator) add(h head, rest []byte) {
	t.sequence(h.seq)
	if h.facility != 0 && !t.AnyFacility {
		t.batch.Foreign++
		return
	}
	t.batch.Records++
	text := unescape(t.scratch, rest)
	if len(text) > 0 && &text[0] != &rest[0] {
		t.scratch = text
	}
	t.line(unsafeString(text), h.stamp)
}

// sequence counts the records missing before number seq. A number lower than expected
// does not show a loss.
func (t *Aggregator) sequence(seq uint64) {
	if t.started && seq > t.next {
		t.batch.Lost += seq - t.next
		t.reasons.reset()
	}
	t.resume(seq)
}

// line counts the text of a record. The text is only valid until line returns, so line copies what it
// keeps.
func (t *Aggregator) line(text string, stamp time.Duration) {
	l, w := classify(text)
	var reason []byte
	switch {
	case l.Class == Other:
		return
	case l.Class == crcDetail, l.Class == connectDetail:
		t.reasons.add(l, w, stamp, text)
		return
	case l.Class == Suppressed:
		t.batch.Suppressed += l.Count
	case w == explains:
		t.reasons.add(l, processing, stamp, text)
	case w != unpaired:
		if reason = t.reasons.claim(&l, w, stamp, t.claimed); reason != nil {
			t.claimed, text = reason, unsafeString(reason)
		}
	}
	t.count(l, text, t.Base.Add(stamp))
}

// count adds the line l, logged at the time at, to its Count.
func (t *Aggregator) count(l Line, text string, at time.Time) {
	k := key{at.Unix(), l.Class, l.Peer, l.Device, l.Detail, l.Errno}
	i, found := t.index[k]
	if !found {
		if len(t.batch.Counts) >= maxCounts {
			t.batch.Overflowed += l.Count
			return
		}
		t.begin(k, l, text, at)
		return
	}
	c := &t.batch.Counts[i]
	c.N += l.Count
	if l.Addr != c.Addr {
		c.Addr = sanitize(l.Addr, maxKept)
	}
	if at.Before(c.First) {
		c.First = at
	}
	if at.After(c.Last) {
		c.Last = at
	}
}

// begin creates a Count from the first line with key k.
func (t *Aggregator) begin(k key, l Line, text string, at time.Time) {
	c := Count{
		Class:  l.Class,
		Peer:   sanitize(l.Peer, maxKept),
		Addr:   sanitize(l.Addr, maxKept),
		Device: sanitize(l.Device, maxKept),
		Errno:  l.Errno,
		Detail: sanitize(l.Detail, maxKept),
		N:      l.Count,
		First:  at,
		Last:   at,
		Text:   sanitize(text, maxKept),
	}
	if t.index == nil {
		t.index = make(map[key]int)
	}
	k.peer, k.device, k.detail = strings.Clone(k.peer), strings.Clone(k.device), strings.Clone(k.detail)
	t.index[k] = len(t.batch.Counts)
	t.batch.Counts = append(t.batch.Counts, c)
}

// Flush returns the counts since the last call and resets them. It keeps the last
// sequence number and a reason whose fault line has not arrived yet.
func (t *Aggregator) Flush() Batch {
	b := t.batch
	slices.SortStableFunc(b.Counts, Count.compare)
	t.batch = Batch{Seq: b.Seq}
	clear(t.index)
	return b
}

func (c Count) compare(o Count) int {
	return cmp.Or(c.First.Compare(o.First), cmp.Compare(c.Class, o.Class), cmp.Compare(c.Peer, o.Peer), cmp.Compare(c.Addr, o.Addr),
		cmp.Compare(c.Device, o.Device), cmp.Compare(c.Errno, o.Errno), cmp.Compare(c.Detail, o.Detail))
}
