package node

import (
	"cmp"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// maxSeries is the maximum number of series in a Log: 1,820 OSDs in four classes
// each. Lines beyond it are still counted by class.
const maxSeries = 8192

// maxClasses is the maximum number of classes in a Log. About fifty exist.
const maxClasses = 128

// keepSeries is how long a series is kept after its last line, unless its class
// latches.
const keepSeries = time.Hour

// A Log is the contents of the kernel log, aggregated. Counts are of live records
// unless stated otherwise.
type Log struct {
	Series     []*Series // by key; the Series are immutable
	Classes    []Total   // by class
	Records    uint64    // records read, of facility 0
	Foreign    uint64    // records read, of another facility: ignored
	Lost       uint64
	Malformed  uint64
	Suppressed uint64
	Overflowed uint64    // relevant records beyond the maximum number of series
	LostAt     time.Time // when records were last found lost; zero: never
	LostLately Ring      // lost records, by the time when the loss was found
	Since      time.Time // when the log was first read

	places map[Key]int // indexes of Series; replaced, never modified, when a series is added or removed
}

// A Key names one series of kernel lines.
type Key struct {
	Class  kmsg.Class
	Peer   string
	Device string
	Errno  int
	Detail string
}

// A Series is the aggregate of one kind of line about one peer or device.
type Series struct {
	Key
	Addr    string
	Text    string    // the text of the first line of the latest second
	Total   uint64    // live records
	History uint64    // number of lines logged before nodewatch started
	First   time.Time // live or history, whichever was first
	Last    time.Time

	recent *recent // counts of all series of the log; never nil
	column int     // column of the series in it
}

// recent contains the recent counts of the series of a log, live lines only. It is
// replaced, never modified.
type recent struct {
	seconds counts // per second, of the last minute
	tens    counts // per ten seconds, of the last ten minutes
	columns int    // number of columns in use by series
}

// A Total is the sum of a class.
type Total struct {
	Class   kmsg.Class
	N       uint64 // live records
	History uint64
	Last    time.Time
	Text    string

	osds []int32 // by OSD number: the index in Series of one series of that OSD, plus one; replaced, never modified
}

// SawKernel is a batch of kernel lines, or the reason why none could be read.
type SawKernel struct{ Reading[kmsg.Batch] }

// Apply implements Observation.
func (o SawKernel) Apply(s Snapshot) Snapshot {
	s = s.recordReading(SourceKmsg, o.At, o.Every, o.after(Reading[kmsg.Batch]{Err: s.sourceErr(SourceKmsg)}).Err)
	if o.Err == nil {
		s.Kernel = s.Kernel.read(o.Value, s.Now, s.batch)
	}
	return s
}

// latches reports whether the class describes a state that lasts until it is
// repaired, so that its series must be kept.
func (s *Series) latches() bool {
	switch s.Class {
	case kmsg.RBDResult, kmsg.RBDWatch, kmsg.RBDMapped, kmsg.FSError, kmsg.FSReadOnly, kmsg.FSMounted, kmsg.BlockError, kmsg.MonLost,
		kmsg.MonFound, kmsg.OSDDown, kmsg.OSDGone, kmsg.OSDUp:
		return true
	}
	return false
}

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Class, o.Class), cmp.Compare(k.Peer, o.Peer), cmp.Compare(k.Device, o.Device),
		cmp.Compare(k.Errno, o.Errno), cmp.Compare(k.Detail, o.Detail))
}

// Of returns the series of a class, by peer and device. The list is shared with the
// log and must not be modified.
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

// Within returns the number of live lines of the series in the last d before now:
// with a resolution of one second up to a minute, and of ten seconds up to ten
// minutes.
func (s *Series) Within(now time.Time, d time.Duration) uint64 {
	if d <= ringLen*time.Second {
		return s.recent.seconds.sum(s.column, now.Unix(), int64(d/time.Second))
	}
	return s.recent.tens.sum(s.column, now.Unix()/10, int64(d/(10*time.Second)))
}

// A Window contains the count of each series of a log within a period.
type Window struct {
	n    []uint64
	used []uint8 // nil: the window is longer than a minute
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

// Of returns the number of live lines of a series of the log, and the number of
// different seconds in which they were logged, which is 0 if the window is longer
// than a minute.
func (w Window) Of(s *Series) (n uint64, seconds int) {
	if s.column < len(w.n) {
		n = w.n[s.column]
	}
	if s.column < len(w.used) {
		seconds = int(w.used[s.column])
	}
	return n, seconds
}

// In returns the number of live lines of the series in a second of the last minute,
// given as Unix time.
func (s *Series) In(second int64) uint64 { return uint64(s.recent.seconds.at(s.column, second)) }

// Onset returns the time of the series' first live line within the last d (at most
// ten minutes) before now, with a resolution of ten seconds; zero if there was none.
func (s *Series) Onset(now time.Time, d time.Duration) time.Time {
	tens := s.recent.tens.ring(s.column)
	if slot, found := tens.first(now.Unix()/10, int64(d/(10*time.Second))); found {
		return time.Unix(10*slot, 0).UTC()
	}
	return time.Time{}
}

// SecondsWithin returns the number of different seconds of the last d, at most a
// minute, in which the series had a live line.
func (s *Series) SecondsWithin(now time.Time, d time.Duration) int {
	seconds := s.recent.seconds.ring(s.column)
	return seconds.used(now.Unix(), int64(min(d, ringLen*time.Second)/time.Second))
}
