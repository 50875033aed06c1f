package node

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// The numbers of OSDs for which a class knows where their series are; those of
// any other peer are looked up by their key.
const maxNumbered = 1 << 14

// A fold is a log whose lists are its own while a batch is folded into them.
type fold struct {
	log   Log
	own   *ownLog
	news  map[Key]*Series // that the log did not have before the batch
	class [2]int          // places of the classes of the latest counts: most are of few
}

// An ownLog says what of a log nobody else has yet, and may therefore be changed.
type ownLog struct {
	lists  bool   // Series and Classes
	series []bool // what Series points to, by place; only of lists that are its own
}

// read returns the log once batch b has been read.
func (l Log) read(b kmsg.Batch, now time.Time, r *run) Log {
	if l.Since.IsZero() {
		l.Since = now
	}
	l.Records += b.Records
	l.Foreign += b.Foreign
	l.Lost += b.Lost
	l.Malformed += b.Malformed
	l.Suppressed += b.Suppressed
	l.Overflowed += b.Overflowed
	if b.Lost > 0 {
		l.LostAt = now
		l.LostLately = l.LostLately.add(now.Unix(), b.Lost)
	}
	if len(b.Counts) == 0 {
		return l
	}
	f := fold{log: l, own: r.ownLog()}
	f.begin()
	for i := range b.Counts {
		f.count(&b.Counts[i], b.History, now)
	}
	return f.done(now)
}

// begin makes the lists the fold's own.
func (f *fold) begin() {
	if f.own.lists {
		return
	}
	f.log.Series, f.log.Classes = slices.Clone(f.log.Series), slices.Clone(f.log.Classes)
	*f.own = ownLog{lists: true, series: make([]bool, len(f.log.Series))}
}

// count folds one count in. A line logged later than now, by a kernel clock that
// has drifted, was logged now.
func (f *fold) count(c *kmsg.Count, history bool, now time.Time) {
	if c.First.After(now) || c.Last.After(now) {
		late := *c
		late.First, late.Last = earlier(c.First, now), earlier(c.Last, now)
		c = &late
	}
	t := f.total(c.Class)
	if t == nil {
		f.log.Overflowed += c.N
		return
	}
	t.add(c, history)
	if i, known := f.place(c, t); known {
		f.mine(i).take(c, history)
		return
	}
	f.fresh(c, history)
}

// place is where the count's series is in the log, and whether it is there.
func (f *fold) place(c *kmsg.Count, t *Total) (int, bool) {
	if n, is := numbered(c.Peer); is && n < len(t.osds) && t.osds[n] > 0 {
		if i := int(t.osds[n]) - 1; f.log.Series[i].is(c) {
			return i, true
		}
	}
	i, known := f.log.places[Key{c.Class, c.Peer, c.Device, c.Errno, c.Detail}]
	return i, known
}

// mine is the series at a place, which is copied unless it is the fold's own.
func (f *fold) mine(i int) *Series {
	if !f.own.series[i] {
		next := *f.log.Series[i]
		f.log.Series[i], f.own.series[i] = &next, true
	}
	return f.log.Series[i]
}

// fresh folds a count in of which the log has no series.
func (f *fold) fresh(c *kmsg.Count, history bool) {
	key := Key{c.Class, c.Peer, c.Device, c.Errno, c.Detail}
	s, begun := f.news[key]
	if !begun {
		if len(f.news) >= maxSeries {
			f.log.Overflowed += c.N
			return
		}
		if f.news == nil {
			f.news = map[Key]*Series{}
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
			l.Overflowed += s.Total + s.History
		}
	}
	slices.SortFunc(l.Series, func(a, b *Series) int { return a.Key.compare(b.Key) })
	f.own.series = make([]bool, len(l.Series))
	l.places = make(map[Key]int, len(l.Series))
	for i, s := range l.Series {
		l.places[s.Key] = i
	}
	l.number()
	return l
}

// number makes the tables of OSDs of every class anew. Series and classes are both
// by class.
func (l Log) number() {
	class := -1
	for i, s := range l.Series {
		for class < 0 || l.Classes[class].Class != s.Class {
			class++
			l.Classes[class].osds = nil
		}
		n, is := numbered(s.Peer)
		if !is {
			continue
		}
		t := &l.Classes[class]
		if n >= len(t.osds) {
			t.osds = append(t.osds, make([]int32, n+1-len(t.osds))...)
		}
		t.osds[n] = int32(i) + 1
	}
	for class++; class < len(l.Classes); class++ {
		l.Classes[class].osds = nil
	}
}

// numbered is the number of an OSD as the kernel names it, and whether the peer is
// one with a number that is worth a table.
func numbered(peer string) (int, bool) {
	digits, osd := strings.CutPrefix(peer, "osd")
	if !osd || len(digits) == 0 || len(digits) > 5 {
		return 0, false
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		n = 10*n + int(digits[i]-'0')
	}
	return n, n < maxNumbered
}

// total is the sum of a class; nil if there are too many classes, as only a tape
// of another version can have.
func (f *fold) total(class kmsg.Class) *Total {
	list := f.log.Classes
	for _, i := range f.class {
		if i < len(list) && list[i].Class == class {
			return &list[i]
		}
	}
	i, found := slices.BinarySearchFunc(list, class, func(t Total, class kmsg.Class) int { return cmp.Compare(t.Class, class) })
	if !found && len(list) >= maxClasses {
		return nil
	}
	if !found {
		f.log.Classes = slices.Insert(list, i, Total{Class: class})
	}
	f.class[0], f.class[1] = i, f.class[0]
	return &f.log.Classes[i]
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

// is reports whether the count is of the series.
func (s *Series) is(c *kmsg.Count) bool {
	return s.Peer == c.Peer && s.Class == c.Class && s.Device == c.Device && s.Errno == c.Errno && s.Detail == c.Detail
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
