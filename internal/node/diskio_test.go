package node

import (
	"math"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// disk applies readings of rbd0, each at its second.
func disk(s Snapshot, readings map[float64]rbd.IO) DiskIO {
	for _, at := range sortedKeys(readings) {
		io := readings[at]
		io.Device = "rbd0"
		s = took(s, at, SawIO{read(at, []rbd.IO{io})})
	}
	d, _ := s.DiskIO("rbd0")
	return d
}

func TestDiskRatesAndLatency(t *testing.T) {
	d := disk(Snapshot{}, map[float64]rbd.IO{
		0: {Reads: 1000, ReadTicks: 9000, ReadSectors: 50, WriteSectors: 50},
		2: {Reads: 1060, ReadTicks: 9300, ReadSectors: 2098, Writes: 40, WriteTicks: 200, WriteSectors: 4146, InFlightR: 1},
	})
	if d.IOPS != 50 || d.ReadBytes != 512*1024 || d.WriteBytes != 1024*1024 || d.Latency != 5 || d.StalledFor() != 0 {
		t.Errorf("got %+v", d)
	}
}

// Latency follows within about ten seconds, the average for the baseline within about
// ten minutes.
func TestLatencyAverages(t *testing.T) {
	s := Snapshot{}
	io, at := rbd.IO{Device: "rbd0"}, 0
	run := func(seconds int, ms uint64) DiskIO {
		for range seconds {
			at++
			io.Reads += 100
			io.ReadTicks += 100 * ms
			s = took(s, float64(at), SawIO{read(float64(at), []rbd.IO{io})})
		}
		d, _ := s.DiskIO("rbd0")
		return d
	}
	run(600, 4)
	d := run(10, 100)
	if want := 4 + 96*(1-math.Exp(-1)); math.Abs(d.Latency-want) > 0.01 {
		t.Errorf("got latency %v ten seconds after it rose from 4 to 100 ms, want %v", d.Latency, want)
	}
	if d = run(60, 100); d.Latency < 99 {
		t.Errorf("got latency %v a minute later", d.Latency)
	}
	before := d.Latency
	at += 30 // nothing completes: the average does not change
	s = took(s, float64(at), SawIO{read(float64(at), []rbd.IO{io})})
	if d, _ := s.DiskIO("rbd0"); d.Latency != before || d.IOPS != 0 {
		t.Errorf("got latency %v and %v requests a second while nothing completes, want %v and 0", d.Latency, d.IOPS, before)
	}
}

func TestStuckDisks(t *testing.T) {
	for what, c := range map[string]struct {
		readings map[float64]rbd.IO
		want     time.Duration
	}{
		"idle":                       {map[float64]rbd.IO{0: {Reads: 5}, 30: {Reads: 5}}, 0},
		"busy":                       {map[float64]rbd.IO{0: {Reads: 5, InFlightR: 1}, 30: {Reads: 6, InFlightR: 1}}, 0},
		"stuck since the first look": {map[float64]rbd.IO{0: {InFlightW: 1}, 30: {InFlightW: 1}}, 30 * time.Second},
		"stuck after some": {map[float64]rbd.IO{0: {Reads: 5, InFlightR: 1}, 10: {Reads: 6, InFlightR: 1},
			30: {Reads: 6, InFlightR: 2}}, 20 * time.Second},
		"readings a bit off":            {map[float64]rbd.IO{0.003: {InFlightW: 1}, 10: {InFlightW: 1}}, 10 * time.Second},
		"writes continue, reads do not": {map[float64]rbd.IO{0: {InFlightR: 1}, 30: {Writes: 5, InFlightR: 1}}, 0},
		"a flush continues":             {map[float64]rbd.IO{0: {InFlightR: 1}, 30: {Flushes: 1, InFlightR: 1}}, 0},
		"another device of that name":   {map[float64]rbd.IO{0: {Reads: 5, InFlightR: 1}, 30: {Reads: 1, InFlightR: 1}}, 0},
	} {
		if got := disk(Snapshot{}, c.readings).StalledFor(); got != c.want {
			t.Errorf("%s: got %s, want %s", what, got, c.want)
		}
	}
}

func TestDiskCountersThatGoDownGiveNoRate(t *testing.T) {
	d := disk(Snapshot{}, map[float64]rbd.IO{0: {Reads: 1000, ReadTicks: 9000}, 1: {Reads: 10, ReadTicks: 5}})
	if d.IOPS != 0 || d.Latency != 0 || d.ReadBytes != 0 {
		t.Errorf("got %+v of a device that was replaced", d)
	}
	d = disk(Snapshot{}, map[float64]rbd.IO{0: {Reads: 10, ReadTicks: 9000, ReadSectors: 100},
		1: {Reads: 20, ReadTicks: 5, ReadSectors: 50}})
	if d.IOPS != 10 || d.Latency != 0 || d.ReadBytes != 0 {
		t.Errorf("got %+v of ticks and sectors that went down", d)
	}
}

func TestDisksAreThoseOfTheLatestReading(t *testing.T) {
	s := took(Snapshot{}, 0, SawIO{read(0, []rbd.IO{{Device: "rbd2"}, {Device: "rbd10"}, {Device: "rbd0"}})})
	for _, name := range []string{"rbd0", "rbd2", "rbd10"} {
		if d, found := s.DiskIO(name); !found || d.Device != name {
			t.Errorf("%s: got %+v", name, d)
		}
	}
	if _, found := s.DiskIO("rbd1"); found {
		t.Error("there is no rbd1")
	}
	if s = took(s, 1, SawIO{read(1, []rbd.IO{{Device: "rbd2"}})}); len(s.IO) != 1 {
		t.Errorf("got %+v, want rbd2 only", s.IO)
	}
	if s = took(s, 2, SawIO{Reading[[]rbd.IO]{Err: &Error{Kind: Failed, Since: after(2)}}}); len(s.IO) != 1 {
		t.Error("a reading that failed took devices away")
	}
}

func TestDisksAreByDeviceInWhateverOrderTheyAreRead(t *testing.T) {
	s := Snapshot{}
	for n, devices := range [][]string{{"rbd2", "rbd10", "rbd0"}, {"rbd0", "rbd2", "rbd10"}, {"rbd10", "rbd0", "rbd1"},
		{"rbd1", "rbd10", "rbd1"}, {"rbd9"}, nil} {
		var list []rbd.IO
		for i, d := range devices {
			list = append(list, rbd.IO{Device: d, Reads: uint64(100*n + i)})
		}
		s = took(s, float64(n), SawIO{read(float64(n), list)})
		if len(s.IO) != len(devices) {
			t.Fatalf("reading %d: got %d devices, want %d", n, len(s.IO), len(devices))
		}
		for i, d := range devices {
			got, found := s.DiskIO(d)
			if twice := n == 3 && d == "rbd1"; !found || got.Device != d || !twice && got.Last.Reads != uint64(100*n+i) {
				t.Errorf("reading %d: %s: got %+v", n, d, got)
			}
		}
		for i := 1; i < len(s.IO); i++ {
			if s.IO[i-1].Device > s.IO[i].Device {
				t.Errorf("reading %d: %s before %s", n, s.IO[i-1].Device, s.IO[i].Device)
			}
		}
	}
}

func TestWaits(t *testing.T) {
	saw := func(s Snapshot, at float64, requests ...rbd.Request) Snapshot {
		return took(s, at, SawPending{read(at, []rbd.Pending{{FSID: "f", ClientID: 7, Requests: requests}})})
	}
	s := saw(Snapshot{}, 0, rbd.Request{TID: 1, Attempts: 3}, rbd.Request{TID: 2, Attempts: 1})
	s = saw(s, 5, rbd.Request{TID: 1, Attempts: 40}, rbd.Request{TID: 3, Attempts: 1})
	s = saw(s, 10, rbd.Request{TID: 1, Attempts: 90}, rbd.Request{TID: 3, Attempts: 1})
	if len(s.Waits) != 2 {
		t.Fatalf("got %+v, want requests 1 and 3", s.Waits)
	}
	if w := s.Waits[0]; !w.Since.Equal(t0) || w.Attempts != 87 {
		t.Errorf("got request 1 since %s with %d attempts, want since the start with 87", w.Since, w.Attempts)
	}
	if w := s.Waits[1]; !w.Since.Equal(after(5)) || w.Attempts != 0 {
		t.Errorf("got request 3 since %s with %d attempts", w.Since, w.Attempts)
	}
	s = saw(s, 15, rbd.Request{TID: 1, Attempts: 2}) // the number of another request: its count starts again
	if w := s.Waits[0]; !w.Since.Equal(after(15)) || w.Attempts != 0 {
		t.Errorf("got since %s with %d attempts after the count went down", w.Since, w.Attempts)
	}
	s = took(s, 20, SawPending{Reading[[]rbd.Pending]{Err: &Error{Kind: Stalled, Since: after(20)}}})
	if len(s.Waits) != 1 {
		t.Error("a reading that failed took requests away")
	}
}
