package node

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// The most series a Log keeps: 1,820 OSDs in four classes each. Lines beyond it
// are counted by class all the same.
const maxSeries = 8192

// The most classes that are distinguished: there are about fifty.
const maxClasses = 128

// How long a series is kept after its last line, unless its class latches.
const keepSeries = time.Hour

// A Log is what the kernel log has said. Counts are of live records unless they
// say otherwise.
type Log struct {
	Series     []*Series // by key; what they point to never changes
	Classes    []Total   // by class
	Records    uint64    // read, of facility 0
	Foreign    uint64    // read, of another facility: not believed
	Lost       uint64
	Malformed  uint64
	Suppressed uint64
	Overflowed uint64    // of interest, but beyond what is kept
	LostAt     time.Time // when records were last found lost; zero: never
	LostLately Ring      // records lost, by when that was found
	Since      time.Time // when the log was first read

	places map[Key]int // of Series; replaced, never changed, when a series comes or goes
}

// A Key names one series of kernel lines.
type Key struct {
	Class  kmsg.Class
	Peer   string
	Device string
	Errno  int
	Detail string
}

// A Series is one kind of line about one peer or device.
type Series struct {
	Key
	Addr    string
	Text    string    // of the latest first of a second
	Total   uint64    // live
	History uint64    // logged before nodewatch started
	First   time.Time // live or history, whichever was first
	Last    time.Time

	recent *recent // of the log; never nil
	column int     // of the series in it
}

// recent is what the series of a log have counted lately, live lines only. It is
// replaced, never changed.
type recent struct {
	seconds counts // of the last minute
	tens    counts // in tens of seconds, of the last ten minutes
	columns int    // that series have
}

// A Total is the sum of a class.
type Total struct {
	Class   kmsg.Class
	N       uint64 // live
	History uint64
	Last    time.Time
	Text    string

	osds []int32 // one more than the place in Series of a series of each OSD, by its number; replaced, never changed
}

// SawKernel is a batch of kernel lines, or why none could be read.
type SawKernel struct{ Reading[kmsg.Batch] }

// Apply implements Observation.
func (o SawKernel) Apply(s Snapshot) Snapshot {
	s = s.recordReading(SourceKmsg, o.At, o.Every, o.after(Reading[kmsg.Batch]{Err: s.sourceErr(SourceKmsg)}).Err)
	if o.Err == nil {
		s.Kernel = s.Kernel.read(o.Value, s.Now, s.batch)
	}
	return s
}

// latches reports whether the class means a state that lasts until it is undone,
// so its series must be kept.
func (s *Series) latches() bool {
	switch s.Class {
	case kmsg.RBDResult, kmsg.RBDWatch, kmsg.RBDMapped, kmsg.FSError, kmsg.FSReadOnly, kmsg.FSMounted, kmsg.BlockError, kmsg.MonLost, kmsg.MonFound, kmsg.OSDDown, kmsg.OSDGone, kmsg.OSDUp:
		return true
	}
	return false
}

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Class, o.Class), cmp.Compare(k.Peer, o.Peer), cmp.Compare(k.Device, o.Device),
		cmp.Compare(k.Errno, o.Errno), cmp.Compare(k.Detail, o.Detail))
}

// Of returns the series of a class, by peer and device. The list is the log's own.
func (l Log) Of(class kmsg.Class) []*Series {
	i, found := slices.BinarySearchFunc(l.Series, class, func(s *Series, c kmsg.Class) int { return cmp.Compare(s.Class, c) })
	if !found {
		return nil
	}
	n, _ := slices.BinarySearchFunc(l.Series[i:], class, func(s *Series, c kmsg.Class) int {
		if s.Class == c {
			return -1
		}
		return 1
	})
	return l.Series[i : i+n : i+n]
}

// Within is how many live lines of the series there were in the last d before
// now: to the second up to a minute, to ten seconds up to ten minutes.
func (s *Series) Within(now time.Time, d time.Duration) uint64 {
	if d <= ringLen*time.Second {
		return s.recent.seconds.sum(s.column, now.Unix(), int64(d/time.Second))
	}
	return s.recent.tens.sum(s.column, now.Unix()/10, int64(d/(10*time.Second)))
}

// A Window is what each series of a log had within some time.
type Window struct {
	n    []uint64
	used []uint8 // nil: of a window longer than a minute
}

// Window returns the count of each series in the last d before now, like Within for
// one; it is cheaper for many series.
func (l Log) Window(now time.Time, d time.Duration) Window {
	switch {
	case len(l.Series) == 0:
		return Window{}
	case d <= ringLen*time.Second:
		return l.Series[0].recent.seconds.within(now.Unix(), int64(d/time.Second))
	}
	w := l.Series[0].recent.tens.within(now.Unix()/10, int64(d/(10*time.Second)))
	w.used = nil
	return w
}

// Of is how many live lines a series of the log had, and in how many different
// seconds; those are 0 in a window of more than a minute.
func (w Window) Of(s *Series) (n uint64, seconds int) {
	if s.column < len(w.n) {
		n = w.n[s.column]
	}
	if s.column < len(w.used) {
		seconds = int(w.used[s.column])
	}
	return n, seconds
}

// In is how many live lines of the series there were in a second of the last minute,
// given as Unix time.
func (s *Series) In(second int64) uint64 { return uint64(s.recent.seconds.at(s.column, second)) }

// Onset is when, within the last d (at most ten minutes) before now, the series'
// first live line fell, to ten seconds; zero if there was none.
func (s *Series) Onset(now time.Time, d time.Duration) time.Time {
	tens := s.recent.tens.ring(s.column)
	if slot, found := tens.first(now.Unix()/10, int64(d/(10*time.Second))); found {
		return time.Unix(10*slot, 0).UTC()
	}
	return time.Time{}
}

// SecondsWithin is in how many different seconds of the last d, at most a minute,
// the series had a live line.
func (s *Series) SecondsWithin(now time.Time, d time.Duration) int {
	seconds := s.recent.seconds.ring(s.column)
	return seconds.used(now.Unix(), int64(min(d, ringLen*time.Second)/time.Second))
}
