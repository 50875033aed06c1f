// Package history keeps the data for the charts of the last hour: the traffic of each
// NIC, krbd's I/O, and the number of lost sessions with OSDs. It receives the facts of
// each tick, has bounded memory, does no I/O and does not read the clock.
package history

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/node"
)

// The amount of data kept, and for how many NICs: slaves and NICs that carry krbd's
// traffic have priority.
const (
	secondsKept = 15 * 60
	tensKept    = 60 * 6
	maxNICs     = 64
)

// The maximum periods of a History, at resolutions of one second and ten seconds.
const (
	Recent = secondsKept * time.Second
	Hour   = tensKept * 10 * time.Second
)

// A History is the last hour before the History was made. It is immutable.
type History struct {
	IO      Series[IO]
	Losses  Series[Losses]
	NICs    []NIC // by name; including those that have disappeared within the hour
	LeftOut int   // number of watched NICs without data because there are too many
	Bytes   int   // bytes of memory in use
}

// A NIC is the traffic of one NIC.
type NIC struct {
	Name string
	Series[Traffic]
}

// Of returns the traffic of the NIC with that name, and whether it is kept.
func (h History) Of(name string) (NIC, bool) {
	i, found := slices.BinarySearchFunc(h.NICs, name, func(n NIC, name string) int { return strings.Compare(n.Name, name) })
	if !found {
		return NIC{}, false
	}
	return h.NICs[i], true
}

// A Series is one kind of samples. Times that could not be observed have no samples.
type Series[T any] struct {
	Seconds []T // one sample per second, oldest first, of the last 15 min
	tens    []T
	open    []T // at most one: the current ten seconds
}

// Tens returns samples of ten seconds each, oldest first, of the last hour.
func (s Series[T]) Tens() []T { return slices.Concat(s.tens, s.open) }

// A Traffic is the traffic of one NIC in one second or, in Tens, its peaks in ten.
type Traffic struct {
	At     int64   // Unix time: of the reading or, in Tens, of the start of the ten seconds
	Rx, Tx float32 // bit/s
	Speed  int32   // Mbit/s; 0: unknown
}

// An IO is krbd's I/O in one second or, in Tens, the mean rate and the longest
// latency of ten.
type IO struct {
	At        int64
	Completed float32 // requests per second, of all krbd devices
	Median    float32 // ms per request or, while none completes, since the last completion; the median of the devices that have I/O
	Slowest   float32 // ms, of the slowest device
}

// A Losses is the number of sessions with OSDs that were lost or refused in one
// second or, in Tens, in the worst second of ten.
type Losses struct {
	At int64
	N  float32
}

func (t Traffic) at() int64 { return t.At }
func (i IO) at() int64      { return i.At }
func (l Losses) at() int64  { return l.At }

func (t Traffic) with(o Traffic, _ float32) Traffic {
	return Traffic{At: t.At, Rx: max(t.Rx, o.Rx), Tx: max(t.Tx, o.Tx), Speed: o.Speed}
}

func (i IO) with(o IO, n float32) IO {
	return IO{At: i.At, Completed: i.Completed + (o.Completed-i.Completed)/n, Median: max(i.Median, o.Median),
		Slowest: max(i.Slowest, o.Slowest)}
}

func (l Losses) with(o Losses, _ float32) Losses { return Losses{At: l.At, N: max(l.N, o.N)} }

func (t Traffic) from(at int64) Traffic { t.At = at; return t }
func (i IO) from(at int64) IO           { i.At = at; return i }
func (l Losses) from(at int64) Losses   { l.At = at; return l }

// A sample has a time, and can be merged with samples of the same ten seconds.
type sample[T any] interface {
	at() int64
	from(at int64) T          // the sample with another time
	with(next T, n float32) T // merges the n-th sample of the ten seconds
}

// A track is the growing end of a Series. It never changes the samples of existing
// Series, but only appends after them.
type track[T sample[T]] struct {
	seconds, tens []T
	open          []T
	n             float32 // number of samples in open
}

// add adds a sample that is later than all previous ones.
func (t *track[T]) add(p T) {
	if n := len(t.seconds); n > 0 && p.at() <= t.seconds[n-1].at() {
		return
	}
	t.seconds = push(t.seconds, p, secondsKept)
	start := p.at() - p.at()%10
	if len(t.open) > 0 && t.open[0].at() == start {
		t.n++
		t.open = []T{t.open[0].with(p, t.n)}
		return
	}
	if len(t.open) > 0 {
		t.tens = push(t.tens, t.open[0], tensKept-1)
	}
	t.open, t.n = []T{p.from(start)}, 1
}

// forget drops samples that are too old at the given time.
func (t *track[T]) forget(now int64) {
	t.seconds = since(t.seconds, now-secondsKept)
	t.tens = since(t.tens, now-10*tensKept)
	t.open = since(t.open, now-10*tensKept)
}

func since[T sample[T]](list []T, from int64) []T {
	for len(list) > 0 && list[0].at() < from {
		list = list[1:]
	}
	return list
}

func (t *track[T]) series() Series[T] { return Series[T]{t.seconds, t.tens, t.open} }

func (t *track[T]) bytes() int {
	return (cap(t.seconds) + cap(t.tens) + cap(t.open)) * int(reflect.TypeFor[T]().Size())
}

// push returns the list with one more element at its end, and at most limit in all.
// It writes behind the list or into new memory, never over the list's elements.
func push[T any](list []T, p T, limit int) []T {
	if len(list) >= limit {
		list = list[len(list)-limit+1:]
	}
	if len(list) == cap(list) {
		list = append(make([]T, 0, min(2*len(list)+16, limit+limit/4)), list...)
	}
	return append(list, p)
}

// A Recorder makes Histories. It must be used by one goroutine only.
type Recorder struct {
	io     track[IO]
	losses track[Losses]
	nics   []nicTrack // by name
}

type nicTrack struct {
	name string
	track[Traffic]
}

// Record adds the facts of a tick and returns the History up to that tick.
func (r *Recorder) Record(f *facts.Facts) History {
	h := History{LeftOut: r.takeNICs(f)}
	r.takeIO(f)
	r.takeLosses(f)
	now := f.Now.Unix()
	r.io.forget(now)
	r.losses.forget(now)
	h.IO, h.Losses, h.Bytes = r.io.series(), r.losses.series(), r.io.bytes()+r.losses.bytes()
	h.NICs = make([]NIC, len(r.nics))
	for i := range r.nics {
		h.NICs[i] = NIC{r.nics[i].name, r.nics[i].series()}
		h.Bytes += r.nics[i].bytes()
	}
	return h
}

// takeNICs returns the number of NICs that are not kept.
func (r *Recorder) takeNICs(f *facts.Facts) (leftOut int) {
	now := f.Now.Unix()
	for i := range r.nics {
		r.nics[i].forget(now)
	}
	r.nics = slices.DeleteFunc(r.nics, func(t nicTrack) bool { return len(t.open) == 0 })
	all := f.AllNICs()
	for _, first := range []bool{true, false} {
		for i := range all {
			n := &all[i]
			if first != (n.Bond != "" || n.Devices > 0) || !n.Rx.Known {
				continue
			}
			place, kept := slices.BinarySearchFunc(r.nics, n.Name, func(t nicTrack,
				name string) int {
				return strings.Compare(t.name, name)
			})
			if !kept && len(r.nics) >= maxNICs {
				leftOut++
				continue
			}
			if !kept {
				r.nics = slices.Insert(r.nics, place, nicTrack{name: n.Name})
			}
			r.nics[place].add(Traffic{At: n.At.Unix(), Rx: float32(n.Rx.Bits), Tx: float32(n.Tx.Bits), Speed: int32(n.Speed)})
		}
	}
	return leftOut
}

func (r *Recorder) takeIO(f *facts.Facts) {
	if len(f.IO) == 0 || f.Blind(node.SourceIO) != nil {
		return
	}
	var p IO
	for i := range f.IO {
		p.At = max(p.At, f.IO[i].At.Unix())
	}
	for i := range f.IO {
		if f.IO[i].At.Unix() == p.At {
			p.Completed += float32(f.IO[i].IOPS)
		}
	}
	var busy []float32
	for _, l := range f.Latency() {
		if l.Now > 0 {
			busy = append(busy, float32(max(l.Disk.Latency, float64(l.Disk.StalledFor())/float64(time.Millisecond))))
		}
	}
	if len(busy) > 0 {
		slices.Sort(busy)
		p.Median, p.Slowest = busy[len(busy)/2], busy[len(busy)-1]
	}
	r.io.add(p)
}

// settled is the time after which all lines of a second have been read.
const settled = 2

// takeLosses records the losses of each second once, even if ticks are not a second
// apart.
func (r *Recorder) takeLosses(f *facts.Facts) {
	if f.Kernel.Since.IsZero() || f.Blind(node.SourceKmsg) != nil {
		return
	}
	last := f.Now.Unix() - settled
	next := last
	if n := len(r.losses.seconds); n > 0 {
		next = max(r.losses.seconds[n-1].At+1, last-settled)
	}
	for ; next <= last; next++ {
		r.losses.add(Losses{next, float32(f.LossesIn(next))})
	}
}
