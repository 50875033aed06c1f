package kmsg

import "time"

// The maximum number of reasons that wait for their fault, one per connection, and
// the maximum wait by the records' timestamps: the two lines are well under a
// millisecond apart.
const (
	maxPending = 8
	pendingAge = time.Second
)

// A reason is a line with the reason of a fault, kept until the line with the fault
// arrives.
type reason struct {
	pair   pairing
	detail string // a constant
	errno  int
	stamp  time.Duration
	addr   [maxIPv6 + len("[]:65535")]byte
	nAddr  int
	text   [maxKept]byte
	nText  int
}

// reasons are the unclaimed reasons, oldest first. Keeping one costs no allocation.
type reasons struct {
	list [maxPending]reason
	n    int
}

func (p *reasons) reset() { p.n = 0 }

// add keeps the line l as a reason. If there are too many, it drops the oldest.
func (p *reasons) add(l Line, w pairing, stamp time.Duration, text string) {
	if p.n == maxPending {
		p.drop(0)
	}
	r := &p.list[p.n]
	p.n++
	r.pair, r.detail, r.errno, r.stamp = w, explanation(l), l.Errno, stamp
	r.nAddr, r.nText = copy(r.addr[:], l.Addr), copy(r.text[:], text)
}

// claim removes the oldest reason that fits the fault l, merges it into l and returns
// its text. Only the reason of a failed connect names its peer; other reasons may be
// swapped between connections that fail at the same moment.
func (p *reasons) claim(l *Line, w pairing, stamp time.Duration, text []byte) []byte {
	for i := 0; i < p.n; i++ {
		r := &p.list[i]
		if r.stamp < stamp-pendingAge || r.pair != w || w == connect && string(r.addr[:r.nAddr]) != l.Addr {
			continue
		}
		l.Detail, l.Errno = r.detail, r.errno
		text = append(text[:0], r.text[:r.nText]...)
		p.drop(i)
		return text
	}
	return nil
}

// explanation returns the text for the Detail of the fault that l explains.
func explanation(l Line) string {
	switch l.Class {
	case SparseRead:
		return "sparse read"
	case AuthFault:
		return "authentication"
	case NoMemory:
		return "memory"
	}
	return l.Detail
}

func (p *reasons) drop(i int) {
	copy(p.list[i:p.n], p.list[i+1:p.n])
	p.n--
}
