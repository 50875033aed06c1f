package node

import (
	"math"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// nics applies readings of one NIC, each at its second.
func nics(s Snapshot, readings ...counted) Snapshot {
	for _, r := range readings {
		s = took(s, r.at, SawCounters{read(r.at, []bond.Counters{r.Counters})})
	}
	return s
}

type counted struct {
	at float64
	bond.Counters
}

// eth0 returns a reading of eth0 at a second: bytes received, and frames missed.
func eth0(at float64, bytes, missed uint64) counted {
	return counted{at, bond.Counters{Name: "eth0", Index: 2, Speed: 10000, RxBytes: bytes, RxMissed: missed}}
}

func TestRatesOfANIC(t *testing.T) {
	s := nics(Snapshot{}, eth0(0, 0, 0))
	n, watched := s.NIC("eth0")
	if !watched || n.Known || len(n.Seconds) != 0 {
		t.Fatalf("got %+v after one reading, want no rate", n)
	}
	n, _ = nics(s, eth0(2, 1e9, 8)).NIC("eth0")
	if !n.Known || n.Rates.RxBits != 4e9 || n.Rates.Overload != 4 || len(n.Seconds) != 1 || n.Seconds[0].Rx != 4e9 {
		t.Errorf("got %+v", n)
	}
	if rx, tx := n.Seconds[0].Share(); rx != 0.4 || tx != 0 {
		t.Errorf("got shares %v and %v of 10 Gbit/s, want 0.4 and 0", rx, tx)
	}
	if _, watched := s.NIC("eth1"); watched {
		t.Error("eth1 is not watched")
	}
	if rx, tx := (Flow{Rx: 1, Tx: 1}).Share(); rx != 0 || tx != 0 {
		t.Errorf("got shares %v and %v of an unknown speed, want 0", rx, tx)
	}
}

// If a driver is reloaded, or another NIC gets the same name, there is no rate for
// one interval, and never a huge or a negative one.
func TestRatesThroughResets(t *testing.T) {
	other := eth0(3, 9e15, 0)
	other.Index = 7
	for what, third := range map[string]counted{"reset": eth0(3, 1000, 0), "another NIC": other, "no time passed": eth0(2, 3e9, 0),
		"absurd": eth0(3, math.MaxUint64, 0)} {
		s := nics(Snapshot{}, eth0(1, 1e9, 0), eth0(2, 2e9, 0), third)
		n, _ := s.NIC("eth0")
		if n.Known || n.Rates != (bond.Rates{}) || len(n.Seconds) != 1 {
			t.Errorf("%s: got %+v, want no rate", what, n)
		}
		next := third
		next.at, next.RxBytes = third.at+1, third.RxBytes+5e8
		if n, _ := nics(s, next).NIC("eth0"); what != "absurd" && (!n.Known || n.Rates.RxBits != 4e9) {
			t.Errorf("%s: got %+v one reading later, want 4 Gbit/s", what, n.Rates)
		}
	}
}

func TestReadingsAreBounded(t *testing.T) {
	s := Snapshot{}
	for n := range 2000 {
		s = nics(s, eth0(float64(n), uint64(n)*1e8, 0))
	}
	n, _ := s.NIC("eth0")
	if len(n.Seconds) != flowSeconds || len(n.Tens) != flowTens {
		t.Errorf("got %d seconds and %d tens, want %d and %d", len(n.Seconds), len(n.Tens), flowSeconds, flowTens)
	}
	if last := n.Seconds[flowSeconds-1]; !last.At.Equal(after(1999)) {
		t.Errorf("got the latest at %s", last.At)
	}
}

func TestTensKeepThePeak(t *testing.T) {
	s, bytes := Snapshot{}, uint64(0)
	for n := range 25 {
		bytes += map[bool]uint64{true: 1e9, false: 1e8}[n == 13]
		s = nics(s, eth0(float64(n), bytes, uint64(n)))
	}
	n, _ := s.NIC("eth0")
	if len(n.Tens) != 3 || n.Tens[0].Rx != 8e8 || n.Tens[1].Rx != 8e9 || n.Tens[2].Rx != 8e8 || !n.Tens[1].At.Equal(after(10)) ||
		n.Tens[1].Overload != 1 {
		t.Errorf("got %+v", n.Tens)
	}
}

func TestLatelyKnowsWhatItDoesNotCover(t *testing.T) {
	upTo := func(from, to int) NIC {
		s := Snapshot{}
		for n := from; n <= to; n++ {
			s = nics(s, eth0(float64(n), uint64(n)*1e8, 0))
		}
		n, _ := s.NIC("eth0")
		return n
	}
	for what, c := range map[string]struct {
		nic   NIC
		now   float64
		span  time.Duration
		flows int
		all   bool
	}{
		"just begun":         {upTo(0, 3), 3.9, 10 * time.Second, 3, false},
		"all but two":        {upTo(0, 9), 9.9, 10 * time.Second, 9, true},
		"all":                {upTo(0, 30), 30.9, 10 * time.Second, 10, true},
		"readings ended":     {upTo(0, 30), 36, 10 * time.Second, 4, false},
		"nothing lately":     {upTo(0, 30), 60, 10 * time.Second, 0, false},
		"never read":         {NIC{}, 5, 10 * time.Second, 0, false},
		"a whole minute":     {upTo(0, 100), 100.9, time.Minute, 60, true},
		"more than is there": {upTo(0, 100), 100.9, 2 * time.Minute, 60, false},
	} {
		flows, all := c.nic.Lately(after(c.now), c.span)
		if len(flows) != c.flows || all != c.all {
			t.Errorf("%s: got %d readings, covered: %v; want %d, %v", what, len(flows), all, c.flows, c.all)
		}
	}
}

func TestSinceWhenANICDropsFrames(t *testing.T) {
	dropping := func(from, to, gap int) Snapshot {
		s, dropped := Snapshot{}, uint64(0)
		for i := 0; i <= 200; i++ {
			if i >= from && i < to {
				dropped += 50
			}
			if i != gap {
				s = took(s, float64(i), SawCounters{read(float64(i), []bond.Counters{{Name: "eth0", Index: 2, Speed: 10000,
					RxMissed: dropped}})})
			}
		}
		return s
	}
	for what, c := range map[string]struct {
		from, to, gap int
		since         float64 // s; -1: not dropping
	}{
		"longer than readings are kept": {20, 201, -1, 19},
		"for two seconds":               {199, 201, -1, 198},
		"no longer":                     {20, 200, -1, -1},
		"never":                         {0, 0, -1, -1},
		"with a reading left out":       {20, 201, 120, 19},
	} {
		n, _ := dropping(c.from, c.to, c.gap).NIC("eth0")
		since := -1.0
		if !n.OverloadSince.IsZero() {
			since = n.OverloadSince.Sub(t0).Seconds()
		}
		if since != c.since {
			t.Errorf("%s: got since %v, want %v", what, since, c.since)
		}
	}
}

func TestMean(t *testing.T) {
	if got := Mean(nil); got != (Flow{}) {
		t.Errorf("got %+v of nothing", got)
	}
	got := Mean([]Flow{{At: after(1), Rx: 2, Tx: 4, Overload: 6, RxCRC: 8, Speed: 10}, {At: after(2), Rx: 4, Tx: 8, Speed: 25}})
	if want := (Flow{At: after(2), Rx: 3, Tx: 6, Overload: 3, RxCRC: 4, Speed: 25}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNICsAreThoseOfTheLatestReading(t *testing.T) {
	s := took(Snapshot{}, 0, SawCounters{read(0, []bond.Counters{{Name: "b", Index: 3}, {Name: "a", Index: 2}})})
	if len(s.NICs) != 2 || s.NICs[0].Name != "a" {
		t.Fatalf("got %+v, want them by name", s.NICs)
	}
	s = took(s, 1, SawCounters{Reading[[]bond.Counters]{Err: &Error{Kind: Stalled, Since: after(1)}}})
	if len(s.NICs) != 2 {
		t.Error("a reading that failed took NICs away")
	}
	if s = took(s, 2, SawCounters{read(2, []bond.Counters{{Name: "b", Index: 3}})}); len(s.NICs) != 1 {
		t.Errorf("got %+v, want b only", s.NICs)
	}
}

// driverDrops applies readings of eth0's driver, every ten seconds.
func driverDrops(s Snapshot, from int, counts ...map[string]uint64) Snapshot {
	for i, c := range counts {
		at := float64(from + 10*i)
		s = took(s, at, SawDrops{read(at, []bond.Drops{{Name: "eth0", Index: 2, Driver: "ixgbe", Counts: c}})})
	}
	return s
}

func TestDriverDrops(t *testing.T) {
	const a, b, pause = "rx_no_dma_resources", "rx_missed_errors", "rx_flow_control_xoff"
	for what, c := range map[string]struct {
		counts []map[string]uint64
		rate   float64
		since  float64 // s; -1: not dropping
	}{
		"first reading":             {[]map[string]uint64{{a: 1000}}, 0, -1},
		"no change":                 {[]map[string]uint64{{a: 1000}, {a: 1000}}, 0, -1},
		"rising":                    {[]map[string]uint64{{a: 1000}, {a: 1000}, {a: 1500}, {a: 2500}}, 100, 20},
		"one frame under two names": {[]map[string]uint64{{a: 0, b: 0}, {a: 500, b: 400}}, 50, 10},
		"under three names, as of igb": {[]map[string]uint64{{b: 0, "rx_fifo_errors": 0, "rx_no_buffer_count": 0},
			{b: 500, "rx_fifo_errors": 500, "rx_no_buffer_count": 500}}, 50, 10},
		"of rings and whole, as of bnxt": {[]map[string]uint64{{"rx_discards": 0, "rx_total_ring_discards": 0},
			{"rx_discards": 500, "rx_total_ring_discards": 500}}, 50, 10},
		"by priority and port, of mlx5": {[]map[string]uint64{{"rx_discards_phy": 0, "rx_prio0_discards": 0, "rx_prio3_discards": 0},
			{"rx_discards_phy": 500, "rx_prio0_discards": 200, "rx_prio3_discards": 300}}, 50, 10},
		"pause frames are no drops":    {[]map[string]uint64{{a: 0, pause: 0}, {a: 0, pause: 9000}}, 0, -1},
		"stopped":                      {[]map[string]uint64{{a: 0}, {a: 500}, {a: 500}}, 0, -1},
		"reset":                        {[]map[string]uint64{{a: 5000}, {a: 10}}, 0, -1},
		"reset of one, rise of other":  {[]map[string]uint64{{a: 5000, b: 10}, {a: 10, b: 40}}, 3, 10},
		"a name that was not there":    {[]map[string]uint64{{a: 5}, {a: 5, b: 4000}}, 0, -1},
		"a driver that counts nothing": {[]map[string]uint64{nil, nil}, 0, -1},
	} {
		n, _ := driverDrops(nics(Snapshot{}, eth0(0, 0, 0)), 10, c.counts...).NIC("eth0")
		since := -1.0
		if !n.DropSince.IsZero() {
			since = n.DropSince.Sub(t0).Seconds()
		}
		if n.DropRate != c.rate || since != c.since {
			t.Errorf("%s: got %v a second since %v, want %v since %v", what, n.DropRate, since, c.rate, c.since)
		}
	}
}

func TestDriverDropsOfAnotherNIC(t *testing.T) {
	s := driverDrops(nics(Snapshot{}, eth0(0, 0, 0)), 10, map[string]uint64{"x": 0})
	s = took(s, 20, SawDrops{read(20, []bond.Drops{{Name: "eth0", Index: 9, Counts: map[string]uint64{"x": 500}},
		{Name: "tap0", Index: 5, Counts: map[string]uint64{"x": 500}}})})
	if n, _ := s.NIC("eth0"); n.DropRate != 0 {
		t.Errorf("got %v a second between two NICs of one name", n.DropRate)
	}
	if len(s.NICs) != 1 {
		t.Errorf("got %+v: drops of what is not watched made a NIC", s.NICs)
	}
}
