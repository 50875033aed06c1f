package node

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// The most series a Log keeps: 1,820 OSDs in four classes each. Lines beyond it
// are counted by class all the same.
const maxSeries = 8192

// The most classes that are told apart: there are about fifty.
const maxClasses = 128

// How long a series is kept after its last line, unless its class latches.
const keepSeries = time.Hour

// A Log is what the kernel log has said. Counts are of live records unless they
// say otherwise.
type Log struct {
	Series     []*Series // by key; what it points to never changes
	Classes    []Total   // by class
	Records    uint64    // read, of facility 0
	Foreign    uint64    // read, of another facility: not believed
	Lost       uint64
	Malformed  uint64
	Suppressed uint64
	Unsorted   uint64    // of interest, but beyond what is kept
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
	Seconds Ring // live, of the last minute
	Tens    Ring // live, in tens of seconds, of the last ten minutes
}

// A Total is the sum of a class.
type Total struct {
	Class   kmsg.Class
	N       uint64 // live
	History uint64
	Last    time.Time
	Text    string
}

// SawKernel is a batch of kernel lines, or why none could be read.
type SawKernel struct{ Reading[kmsg.Batch] }

// Apply implements Observation.
func (o SawKernel) Apply(s Snapshot) Snapshot {
	s = s.heard(SourceKmsg, o.At, o.Every, o.after(Reading[kmsg.Batch]{Err: s.sourceErr(SourceKmsg)}).Err)
	if o.Err == nil {
		s.Kernel = s.Kernel.read(o.Value, s.Now)
	}
	return s
}

// read returns the log once batch b has been read.
func (l Log) read(b kmsg.Batch, now time.Time) Log {
	if l.Since.IsZero() {
		l.Since = now
	}
	l.Records += b.Records
	l.Foreign += b.Foreign
	l.Lost += b.Lost
	l.Malformed += b.Malformed
	l.Suppressed += b.Suppressed
	l.Unsorted += b.Unsorted
	if b.Lost > 0 {
		l.LostAt = now
		l.LostLately = l.LostLately.add(now.Unix(), b.Lost)
	}
	if len(b.Counts) == 0 {
		return l
	}
	l.Series, l.Classes = slices.Clone(l.Series), slices.Clone(l.Classes)
	f := fold{log: l, news: map[Key]*Series{}}
	for i := range b.Counts {
		f.count(&b.Counts[i], b.History, now)
	}
	return f.done(now)
}

// A fold is a log whose lists are its own while a batch is folded into them.
type fold struct {
	log   Log
	news  map[Key]*Series // that the log did not have before the batch
	class int             // place of the class of the latest count: they come in runs
}

// count folds one count in. A line logged later than now, by a kernel clock that
// has drifted, was logged now.
func (f *fold) count(c *kmsg.Count, history bool, now time.Time) {
	if c.First.After(now) || c.Last.After(now) {
		late := *c
		late.First, late.Last = earlier(c.First, now), earlier(c.Last, now)
		c = &late
	}
	l := &f.log
	if !f.total(c, history) {
		l.Unsorted += c.N
		return
	}
	key := Key{c.Class, c.Peer, c.Device, c.Errno, c.Detail}
	if i, known := l.places[key]; known {
		next := *l.Series[i]
		next.take(c, history)
		l.Series[i] = &next
		return
	}
	s, begun := f.news[key]
	if !begun {
		if len(f.news) >= maxSeries {
			l.Unsorted += c.N
			return
		}
		s = &Series{Key: key, First: c.First}
		f.news[key] = s
	}
	s.take(c, history)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// done is the log with the new series in their places. Where there would be too
// many, those are forgotten that have been silent for an hour and do not latch; if
// that does not do, the new ones are not kept, but counted.
func (f *fold) done(now time.Time) Log {
	l := f.log
	if len(f.news) == 0 {
		return l
	}
	if len(l.Series)+len(f.news) > maxSeries {
		l.Series = slices.DeleteFunc(l.Series, func(s *Series) bool { return !s.latches() && now.Sub(s.Last) > keepSeries })
	}
	for _, key := range slices.SortedFunc(maps.Keys(f.news), Key.compare) {
		if s := f.news[key]; len(l.Series) < maxSeries {
			l.Series = append(l.Series, s)
		} else {
			l.Unsorted += s.Total + s.History
		}
	}
	slices.SortFunc(l.Series, func(a, b *Series) int { return a.Key.compare(b.Key) })
	l.places = make(map[Key]int, len(l.Series))
	for i, s := range l.Series {
		l.places[s.Key] = i
	}
	return l
}

// total adds the count to its class, and returns false if there are too many
// classes, as only a tape of another version can have.
func (f *fold) total(c *kmsg.Count, history bool) bool {
	l := &f.log
	if f.class >= len(l.Classes) || l.Classes[f.class].Class != c.Class {
		i, found := slices.BinarySearchFunc(l.Classes, c.Class, func(t Total, class kmsg.Class) int { return cmp.Compare(t.Class, class) })
		if !found && len(l.Classes) >= maxClasses {
			return false
		}
		if !found {
			l.Classes = slices.Insert(l.Classes, i, Total{Class: c.Class})
		}
		f.class = i
	}
	l.Classes[f.class].add(c, history)
	return true
}

func (t *Total) add(c *kmsg.Count, history bool) {
	if history {
		t.History += c.N
	} else {
		t.N += c.N
	}
	if !c.Last.Before(t.Last) {
		t.Last, t.Text = c.Last, c.Text
	}
}

func (s Series) add(c kmsg.Count, history bool) Series {
	s.take(&c, history)
	return s
}

// take adds the count to a series that nobody else has yet.
func (s *Series) take(c *kmsg.Count, history bool) {
	if history {
		s.History += c.N
	} else {
		s.Total += c.N
		s.Seconds.count(c.First.Unix(), c.N)
		s.Tens.count(c.First.Unix()/10, c.N)
	}
	if c.First.Before(s.First) {
		s.First = c.First
	}
	if !c.Last.Before(s.Last) {
		s.Last, s.Text, s.Addr = c.Last, c.Text, c.Addr
	}
}

// latches reports whether the class tells of a state that lasts until it is
// undone, so that its series must not be forgotten.
func (s *Series) latches() bool {
	switch s.Class {
	case kmsg.RBDResult, kmsg.RBDWatch, kmsg.RBDMapped, kmsg.FSError, kmsg.FSReadOnly, kmsg.FSMounted, kmsg.BlockError, kmsg.MonLost, kmsg.MonFound, kmsg.OSDDown, kmsg.OSDUp:
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
	i, _ := slices.BinarySearchFunc(l.Series, class, func(s *Series, c kmsg.Class) int { return cmp.Compare(s.Class, c) })
	j := i
	for j < len(l.Series) && l.Series[j].Class == class {
		j++
	}
	return l.Series[i:j:j]
}

// Within is how many live lines of the series there were in the last d before
// now: to the second up to a minute, to ten seconds up to ten minutes.
func (s *Series) Within(now time.Time, d time.Duration) uint64 {
	if d <= ringLen*time.Second {
		return s.Seconds.sum(now.Unix(), int64(d/time.Second))
	}
	return s.Tens.sum(now.Unix()/10, int64(d/(10*time.Second)))
}

// Onset is when, within the last d (at most ten minutes) before now, the series'
// first live line fell, to ten seconds; zero if there was none.
func (s *Series) Onset(now time.Time, d time.Duration) time.Time {
	if slot, found := s.Tens.first(now.Unix()/10, int64(d/(10*time.Second))); found {
		return time.Unix(10*slot, 0).UTC()
	}
	return time.Time{}
}
