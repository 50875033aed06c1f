package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// lines applies one batch of live lines.
func lines(s Snapshot, at float64, counts ...kmsg.Count) Snapshot {
	for i := range counts {
		if counts[i].First.IsZero() {
			counts[i].First, counts[i].Last = after(at), after(at)
		}
		counts[i].N = max(counts[i].N, 1)
	}
	return took(s, at, SawKernel{read(at, kmsg.Batch{Counts: counts, Records: uint64(len(counts))})})
}

func TestSeriesCountAndRemember(t *testing.T) {
	s := lines(Snapshot{}, 10, kmsg.Count{Class: kmsg.CRC, Peer: "osd3", Addr: "192.0.2.1:6800", N: 5, Text: "first"})
	s = lines(s, 40, kmsg.Count{Class: kmsg.CRC, Peer: "osd3", Addr: "192.0.2.1:6804", N: 2, Text: "second"},
		kmsg.Count{Class: kmsg.CRC, Peer: "osd12"})
	s.Now = after(40)
	list := s.Kernel.Of(kmsg.CRC)
	if len(list) != 2 || list[0].Peer != "osd12" || list[1].Peer != "osd3" {
		t.Fatalf("got %d series, want osd12 and osd3", len(list))
	}
	got := list[1]
	if got.Total != 7 || got.Addr != "192.0.2.1:6804" || got.Text != "second" || !got.First.Equal(after(10)) || !got.Last.Equal(after(40)) {
		t.Errorf("got %+v", got)
	}
	for d, want := range map[time.Duration]uint64{time.Second: 2, 30 * time.Second: 2, 31 * time.Second: 7, time.Minute: 7,
		10 * time.Minute: 7} {
		if n := got.Within(s.Now, d); n != want {
			t.Errorf("within %s: got %d, want %d", d, n, want)
		}
	}
	if at := got.Onset(s.Now, 10*time.Minute); !at.Equal(after(10)) {
		t.Errorf("got onset %s", at)
	}
	if at := got.Onset(after(3600), 10*time.Minute); !at.IsZero() {
		t.Errorf("got onset %s an hour later, want none", at)
	}
	if got := s.Kernel.Of(kmsg.ClosedOpen); len(got) != 0 {
		t.Errorf("got %v of a class that never was", got)
	}
	if c := s.Kernel.Classes[0]; c.Class != kmsg.CRC || c.N != 8 {
		t.Errorf("got total %+v", c)
	}
}

func TestHistoryIsNoNews(t *testing.T) {
	old := kmsg.Batch{History: true, Counts: []kmsg.Count{{Class: kmsg.RBDResult, Device: "rbd0", N: 4, First: after(-500),
		Last: after(-400), Text: "old"}}}
	s := took(Snapshot{}, 0, SawKernel{read(0, old)})
	got := s.Kernel.Of(kmsg.RBDResult)[0]
	if got.History != 4 || got.Total != 0 || got.Within(after(0), 10*time.Minute) != 0 || !got.First.Equal(after(-500)) {
		t.Errorf("got %+v", got)
	}
	if c := s.Kernel.Classes[0]; c.N != 0 || c.History != 4 {
		t.Errorf("got total %+v", c)
	}
	s = lines(s, 5, kmsg.Count{Class: kmsg.RBDResult, Device: "rbd0", Text: "new"})
	if got := s.Kernel.Of(kmsg.RBDResult)[0]; got.Total != 1 || got.History != 4 || got.Text != "new" || !got.First.Equal(after(-500)) {
		t.Errorf("got %+v", got)
	}
}

func TestSumsOfTheLog(t *testing.T) {
	s := took(Snapshot{}, 3, SawKernel{read(3, kmsg.Batch{Records: 10, Foreign: 1, Malformed: 3, Suppressed: 4, Overflowed: 5})})
	if !s.Kernel.LostAt.IsZero() {
		t.Error("lost without a loss")
	}
	s = took(s, 7, SawKernel{read(7, kmsg.Batch{Records: 10, Lost: 2, Foreign: 1, Malformed: 3, Suppressed: 4, Overflowed: 5})})
	k := s.Kernel
	if k.Records != 20 || k.Lost != 2 || k.Foreign != 2 || k.Malformed != 6 || k.Suppressed != 8 || k.Overflowed != 10 {
		t.Errorf("got %+v", k)
	}
	if !k.Since.Equal(after(3)) || !k.LostAt.Equal(after(7)) || k.LostLately.sum(after(7).Unix(), 60) != 2 {
		t.Errorf("got since %s, lost at %s", k.Since, k.LostAt)
	}
	s = took(s, 8, SawKernel{Reading[kmsg.Batch]{Err: &Error{Kind: Denied, Since: after(8)}}})
	if s.Kernel.Records != 20 || s.Blind(SourceKmsg) == nil {
		t.Error("a reading that failed changed the log, or did not blind it")
	}
}

// A kernel clock that has run ahead must not fill future slots of the ring, because
// all counts before that time would then be left out.
func TestLinesFromTheFutureAreOfNow(t *testing.T) {
	s := lines(Snapshot{}, 10, kmsg.Count{Class: kmsg.CRC, Peer: "osd3", First: after(5000), Last: after(5001)})
	s = lines(s, 11, kmsg.Count{Class: kmsg.CRC, Peer: "osd3", N: 3})
	got := s.Kernel.Of(kmsg.CRC)[0]
	if n := got.Within(after(11), 10*time.Second); n != 4 || got.Last.After(after(11)) || got.First.After(after(11)) {
		t.Errorf("got %d within ten seconds, first %s, last %s", n, got.First, got.Last)
	}
}

// peers returns n lines of a class from n different peers.
func peers(class kmsg.Class, from, n int) []kmsg.Count {
	var list []kmsg.Count
	for i := range n {
		list = append(list, kmsg.Count{Class: class, Peer: fmt.Sprintf("osd%d", from+i)})
	}
	return list
}

func TestSeriesAreBounded(t *testing.T) {
	s := lines(Snapshot{}, 0, peers(kmsg.RBDResult, 0, 100)...) // latches
	for n := range 5 {
		s = lines(s, float64(n), peers(kmsg.CRC, 4000*n, 4000)...)
	}
	if got := len(s.Kernel.Series); got != maxSeries {
		t.Errorf("got %d series, want %d", got, maxSeries)
	}
	if got, want := s.Kernel.Overflowed, uint64(20100-maxSeries); got != want {
		t.Errorf("got %d lines left out, want %d", got, want)
	}
	var sum uint64
	for _, c := range s.Kernel.Classes {
		sum += c.N
	}
	if sum != 20100 {
		t.Errorf("got %d lines counted by class, want 20100", sum)
	}
	if got := len(s.Kernel.places); got != maxSeries {
		t.Errorf("got %d places for %d series", got, maxSeries)
	}
	s = lines(s, 3700, peers(kmsg.ClosedOpen, 0, 10)...) // an hour later the silent series are removed
	if got := len(s.Kernel.Of(kmsg.ClosedOpen)); got != 10 {
		t.Errorf("got %d new series, want 10", got)
	}
	if got := len(s.Kernel.Of(kmsg.CRC)); got != 0 {
		t.Errorf("got %d series that have been silent for an hour, want none", got)
	}
	if got := len(s.Kernel.Of(kmsg.RBDResult)); got != 100 {
		t.Errorf("got %d series that latch, want all 100", got)
	}
}

// A log with the maximum number of series must not become slow: silent series are
// removed only once per batch.
func TestAFullLogStillFindsItsSeries(t *testing.T) {
	s := lines(Snapshot{}, 0, peers(kmsg.CRC, 0, maxSeries)...)
	s = lines(s, 1, append(peers(kmsg.CRC, 5, 1), peers(kmsg.OSDDown, 0, 3000)...)...)
	for _, series := range s.Kernel.Of(kmsg.CRC) {
		if want := map[bool]uint64{true: 2, false: 1}[series.Peer == "osd5"]; series.Total != want {
			t.Fatalf("%s: got %d, want %d", series.Peer, series.Total, want)
		}
	}
	if got := s.Kernel.Overflowed; got != 3000 {
		t.Errorf("got %d left out, want 3000", got)
	}
}

func TestClassesAreBounded(t *testing.T) {
	var list []kmsg.Count
	for n := range 300 {
		list = append(list, kmsg.Count{Class: kmsg.Class(fmt.Sprint("class", n)), N: 2})
	}
	s := lines(Snapshot{}, 0, list...)
	if len(s.Kernel.Classes) != maxClasses || s.Kernel.Overflowed != 2*uint64(300-maxClasses) {
		t.Errorf("got %d classes and %d lines left out", len(s.Kernel.Classes), s.Kernel.Overflowed)
	}
}

// FuzzLog: lines split into any number of batches result in the same log as a single
// batch, and its sums are those of the lines.
func FuzzLog(f *testing.F) {
	f.Add([]byte{1, 2, 3, 1, 2, 3, 77, 200}, uint8(3))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, what []byte, cut uint8) {
		count := func(b byte) kmsg.Count {
			at := after(float64(b) / 4)
			return kmsg.Count{Class: []kmsg.Class{kmsg.CRC, kmsg.ClosedOpen, kmsg.HungTask}[b%3], Peer: fmt.Sprint("osd", b%16),
				N: uint64(b) + 1, First: at, Last: at}
		}
		var all []kmsg.Count
		var sum uint64
		for _, b := range what {
			all = append(all, count(b))
			sum += uint64(b) + 1
		}
		batch := func(list []kmsg.Count) Observation { return SawKernel{read(100, kmsg.Batch{Counts: list})} }
		at := min(int(cut), len(all))
		whole := took(Snapshot{}, 100, batch(all)).Kernel
		parts := took(Snapshot{}, 100, batch(all[:at]), batch(all[at:])).Kernel
		if diff := cmp.Diff(whole.Series, parts.Series, cmpopts.IgnoreUnexported(Series{})); diff != "" {
			t.Fatalf("in one batch and in two (-one +two):\n%s", diff)
		}
		for i, s := range whole.Series {
			if other := parts.Series[i]; s.recent.seconds.ring(s.column) != other.recent.seconds.ring(other.column) ||
				s.recent.tens.ring(s.column) != other.recent.tens.ring(other.column) {
				t.Fatalf("%v: in one batch and in two, the last minutes differ", s.Key)
			}
		}
		var counted uint64
		for i, s := range parts.Series {
			counted += s.Total
			if i > 0 && parts.Series[i-1].Key.compare(s.Key) >= 0 {
				t.Fatal("the series are not sorted")
			}
			if parts.places[s.Key] != i {
				t.Fatal("a series is not in its place")
			}
		}
		if counted != sum {
			t.Fatalf("got %d lines in all series, want %d", counted, sum)
		}
	})
}
