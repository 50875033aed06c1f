package node

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// maxNumbered limits the OSD numbers for which each class has a table of series; the
// series of other peers are looked up by key.
const maxNumbered = 1 << 14

// A fold is a log with unshared lists while a batch is applied to it.
type fold struct {
	log    Log
	own    *ownLog
	news   map[Key]*Series // series that the log did not have before the batch
	forgot bool            // series that have been silent for a long time have been removed
}

// An ownLog marks the parts of a log that are not shared yet, and may therefore be
// changed.
type ownLog struct {
	recent        *recent // nil: everything is shared; otherwise recent, Series and its elements, and Classes are unshared
	seconds, tens ownRows
}

// read returns the log with batch b applied.
func (l Log) read(b kmsg.Batch, now time.Time, r *batch) Log {
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
	return f.done()
}

// begin copies the shared parts of the log; its series are copied in one piece.
func (f *fold) begin() {
	if f.own.recent != nil {
		return
	}
	*f.own = ownLog{recent: &recent{}}
	if len(f.log.Series) > 0 {
		*f.own.recent = *f.log.Series[0].recent
	}
	copies, list := make([]Series, len(f.log.Series)), make([]*Series, len(f.log.Series))
	for i, s := range f.log.Series {
		copies[i] = *s
		copies[i].recent, list[i] = f.own.recent, &copies[i]
	}
	f.log.Series, f.log.Classes = list, slices.Clone(f.log.Classes)
}

// count applies one count. If a line's time is after now because the kernel's clock
// has drifted, it is set to now.
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
		f.take(f.log.Series[i], c, history)
		return
	}
	f.fresh(c, history, now)
}

// place returns the index of the count's series in the log, and whether it exists.
func (f *fold) place(c *kmsg.Count, t *Total) (int, bool) {
	if n, is := numbered(c.Peer); is && n < len(t.osds) && t.osds[n] > 0 {
		if i := int(t.osds[n]) - 1; f.log.Series[i].is(c) {
			return i, true
		}
	}
	i, known := f.log.places[Key{c.Class, c.Peer, c.Device, c.Errno, c.Detail}]
	return i, known
}

// fresh adds a series for a count that has none in the log. If there would be too
// many, the series that have been silent for an hour and do not latch are removed; if
// that is not enough, the series is not kept, but the count is included in the
// totals.
func (f *fold) fresh(c *kmsg.Count, history bool, now time.Time) {
	key := Key{c.Class, c.Peer, c.Device, c.Errno, c.Detail}
	s, begun := f.news[key]
	if !begun {
		if len(f.log.Series)+len(f.news) >= maxSeries && !f.forgot {
			f.forget(now)
		}
		if len(f.log.Series)+len(f.news) >= maxSeries {
			f.log.Overflowed += c.N
			return
		}
		if f.news == nil {
			f.news = map[Key]*Series{}
		}
		s = &Series{Key: key, First: c.First, recent: f.own.recent, column: f.own.recent.columns}
		f.own.recent.columns++
		f.news[key] = s
	}
	f.take(s, c, history)
}

// forget removes the series that have been silent for an hour and do not latch.
func (f *fold) forget(now time.Time) {
	f.forgot = true
	all := len(f.log.Series)
	f.log.Series = slices.DeleteFunc(f.log.Series, func(s *Series) bool { return !s.latches() && now.Sub(s.Last) > keepSeries })
	if len(f.log.Series) == all {
		return
	}
	var columns []int
	for _, list := range []iter.Seq[*Series]{slices.Values(f.log.Series), maps.Values(f.news)} {
		for s := range list {
			columns = append(columns, s.column)
			s.column = len(columns) - 1
		}
	}
	r := f.own.recent
	r.seconds, r.tens, r.columns = r.seconds.only(columns), r.tens.only(columns), len(columns)
	for i := range f.own.seconds {
		f.own.seconds[i], f.own.tens[i] = true, true
	}
	f.log.index()
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// done returns the log with the new series in their places.
func (f *fold) done() Log {
	if len(f.news) > 0 {
		f.log.Series = slices.AppendSeq(f.log.Series, maps.Values(f.news))
		slices.SortFunc(f.log.Series, func(a, b *Series) int { return a.Key.compare(b.Key) })
		f.log.index()
	}
	return f.log
}

// index stores the places of the series.
func (l *Log) index() {
	l.places = make(map[Key]int, len(l.Series))
	for i, s := range l.Series {
		l.places[s.Key] = i
	}
	l.number()
}

// number rebuilds the OSD tables of every class. Series and classes are both sorted
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

// numbered returns the number in the kernel's name of an OSD, and whether the peer
// has a number that is small enough for a table.
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

// total returns the total of a class; nil if there are too many classes, which only
// happens with a tape of another version.
func (f *fold) total(class kmsg.Class) *Total {
	list := f.log.Classes
	i, found := slices.BinarySearchFunc(list, class, func(t Total, class kmsg.Class) int { return cmp.Compare(t.Class, class) })
	if !found && len(list) >= maxClasses {
		return nil
	}
	if !found {
		f.log.Classes = slices.Insert(list, i, Total{Class: class})
	}
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

// is reports whether the count belongs to the series.
func (s *Series) is(c *kmsg.Count) bool {
	return s.Peer == c.Peer && s.Class == c.Class && s.Device == c.Device && s.Errno == c.Errno && s.Detail == c.Detail
}

// take adds the count to a series.
func (f *fold) take(s *Series, c *kmsg.Count, history bool) {
	if history {
		s.History += c.N
	} else {
		s.Total += c.N
		second := c.First.Unix()
		f.own.recent.seconds.add(&f.own.seconds, second, s.column, c.N)
		f.own.recent.tens.add(&f.own.tens, second/10, s.column, c.N)
	}
	if c.First.Before(s.First) {
		s.First = c.First
	}
	if !c.Last.Before(s.Last) {
		s.Last, s.Text, s.Addr = c.Last, c.Text, c.Addr
	}
}
