package bond

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBetween(t *testing.T) {
	const top32 = 1<<32 - 1
	type c = Counters
	for _, tt := range []struct {
		name          string
		before, after Counters
		d             time.Duration
		want          Rates
		ok            bool
	}{
		{
			name:  "igb counts a missed frame as missed and as fifo",
			after: c{RxMissed: 100, RxFIFO: 100},
			d:     time.Second,
			want:  Rates{Overload: 100},
			ok:    true,
		},
		{name: "bnxt and tg3 count it as missed only", after: c{RxMissed: 100}, d: time.Second, want: Rates{Overload: 100}, ok: true},
		{name: "sfc counts it as over only", after: c{RxOver: 100}, d: time.Second, want: Rates{Overload: 100}, ok: true},
		{name: "a driver counts it as over and as fifo", after: c{RxOver: 100, RxFIFO: 100}, d: time.Second,
			want: Rates{Overload: 100}, ok: true},
		{name: "a driver counts it in all three", after: c{RxMissed: 100, RxFIFO: 100, RxOver: 100}, d: 2 * time.Second,
			want: Rates{Overload: 50}, ok: true},
		{name: "one of them counts more than the other", after: c{RxMissed: 40, RxFIFO: 100}, d: time.Second,
			want: Rates{Overload: 100}, ok: true},
		{
			name: "all that is counted",
			before: c{RxBytes: 1000, TxBytes: 2000, RxPackets: 10, TxPackets: 20, RxMissed: 1, RxFIFO: 2, RxOver: 3, RxCRC: 4,
				TxDropped: 5},
			after: c{RxBytes: 3000, TxBytes: 6000, RxPackets: 14, TxPackets: 28, RxMissed: 3, RxFIFO: 4, RxOver: 5, RxCRC: 8,
				TxDropped: 15},
			d:    2 * time.Second,
			want: Rates{RxBits: 8000, TxBits: 16000, RxPackets: 2, TxPackets: 4, Overload: 1, RxCRC: 2, TxDropped: 5},
			ok:   true,
		},
		{name: "nothing moved", before: c{RxBytes: 7}, after: c{RxBytes: 7}, d: time.Second, ok: true},
		{name: "the largest numbers, unmoved", before: c{RxMissed: math.MaxUint64, RxFIFO: 9},
			after: c{RxMissed: math.MaxUint64, RxFIFO: 9}, d: time.Second, ok: true},
		{name: "no time", d: 0},
		{name: "time backwards", d: -time.Second},
		{name: "another link", before: c{Index: 2}, after: c{Index: 3}, d: time.Second},
		{name: "reset", before: c{RxBytes: 5e9, RxPackets: 5e6}, after: c{RxBytes: 100, RxPackets: 1}, d: time.Second},
		{name: "reset of an error counter", before: c{RxCRC: 5}, after: c{RxCRC: 4}, d: time.Second},
		{name: "reset of one overload counter while another rises", before: c{RxMissed: 5}, after: c{RxMissed: 4, RxFIFO: 9},
			d: time.Second},
		{name: "2^64-1 out of nothing", after: c{RxBytes: math.MaxUint64}, d: time.Second},
		{name: "2^64-1 frames lost out of nothing", after: c{RxMissed: math.MaxUint64}, d: time.Second},
		{name: "2^64-1, then sane", before: c{TxBytes: math.MaxUint64}, after: c{TxBytes: 10}, d: time.Second},
		{name: "a rate beyond any link", after: c{RxBytes: 1e12}, d: time.Second},
		{name: "frames beyond any link", after: c{TxDropped: 1e11}, d: time.Second},
		{name: "almost no time", before: c{RxBytes: 1}, after: c{RxBytes: 2000}, d: time.Nanosecond},
		{
			name:   "a 32-bit byte counter wraps",
			before: c{Speed: 10000, RxBytes: top32 - 999, RxPackets: 100},
			after:  c{Speed: 10000, RxBytes: 1000, RxPackets: 102},
			d:      time.Second, want: Rates{RxBits: 16000, RxPackets: 2}, ok: true,
		},
		{
			name:   "both directions wrap at once",
			before: c{Speed: 10000, RxBytes: top32, RxPackets: 1, TxBytes: top32, TxPackets: 1},
			after:  c{Speed: 10000, RxBytes: 1, RxPackets: 2, TxBytes: 0, TxPackets: 2},
			d:      time.Second, want: Rates{RxBits: 16, RxPackets: 1, TxBits: 8, TxPackets: 1}, ok: true,
		},
		{
			name:   "a 32-bit packet counter wraps",
			before: c{Speed: 10000, TxPackets: top32, TxBytes: 100},
			after:  c{Speed: 10000, TxPackets: 0, TxBytes: 200},
			d:      time.Second, want: Rates{TxBits: 800, TxPackets: 1}, ok: true,
		},
		{
			name:   "a reset that looks like a wrap: packets went down too",
			before: c{Speed: 10000, RxBytes: top32 - 999, RxPackets: 100},
			after:  c{Speed: 10000, RxBytes: 1000, RxPackets: 2}, d: time.Second,
		},
		{
			name:   "a wrap, but too fast for the link",
			before: c{Speed: 1000, RxBytes: 2e9, RxPackets: 1},
			after:  c{Speed: 1000, RxBytes: 1e9, RxPackets: 2}, d: time.Second,
		},
		{
			name:   "as fast, on a faster link",
			before: c{Speed: 25000, RxBytes: 2e9, RxPackets: 1},
			after:  c{Speed: 25000, RxBytes: 1e9, RxPackets: 2}, d: time.Second,
			want: Rates{RxBits: 8 * (1<<32 - 1e9), RxPackets: 1}, ok: true,
		},
		{
			name:   "a wrap on a link of unknown speed",
			before: c{RxBytes: top32, RxPackets: 1},
			after:  c{RxBytes: 0, RxPackets: 2}, d: time.Second,
		},
		{
			name:   "time for two wraps",
			before: c{Speed: 10000, RxBytes: top32, RxPackets: 1},
			after:  c{Speed: 10000, RxBytes: 0, RxPackets: 2}, d: 10 * time.Second,
		},
		{
			name:   "a wrap of more than 32 bits",
			before: c{Speed: 10000, RxBytes: top32 + 1, RxPackets: 1},
			after:  c{Speed: 10000, RxBytes: 0, RxPackets: 2}, d: time.Second,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Between(tt.before, tt.after, tt.d)
			if ok != tt.ok {
				t.Fatalf("got %+v, %v, want %v", got, ok, tt.ok)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzBetween: returned rates are never negative, never NaN, and never higher than
// any link can carry.
func FuzzBetween(f *testing.F) {
	f.Add(uint64(1<<32-1), uint64(0), uint64(1), uint64(2), 10000, int64(time.Second))
	f.Add(uint64(0), uint64(math.MaxUint64), uint64(0), uint64(0), 0, int64(1))
	f.Fuzz(func(t *testing.T, bytes0, bytes1, other0, other1 uint64, speed int, d int64) {
		before := Counters{Speed: speed, RxBytes: bytes0, RxPackets: other0, TxBytes: other0, TxPackets: bytes0, RxMissed: other0,
			RxOver: bytes0}
		after := Counters{Speed: speed, RxBytes: bytes1, RxPackets: other1, TxBytes: other1, TxPackets: bytes1, RxMissed: other1,
			RxOver: bytes1}
		r, ok := Between(before, after, time.Duration(d))
		if !ok && r != (Rates{}) {
			t.Errorf("not told, and yet %+v", r)
		}
		for _, rate := range []float64{r.RxBits, r.TxBits, r.RxPackets, r.TxPackets, r.Overload, r.RxCRC, r.TxDropped} {
			if !(rate >= 0 && rate <= fastest) {
				t.Errorf("rate %v between %+v and %+v", rate, before, after)
			}
		}
	})
}
