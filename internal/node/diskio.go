package node

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// latencyNow is the period over which a device's latency is averaged.
const latencyNow = 10 * time.Second

// latencyMost is the upper limit for the latency of one reading, in ms: requests that
// waited for minutes complete when a stall ends, and must not look like slowness
// after it.
const latencyMost = 10000

// A DiskIO is the I/O of one krbd device.
type DiskIO struct {
	Device       string
	Last         rbd.IO
	At           time.Time // time of Last
	LastProgress time.Time // when a request last completed or none was in flight; for a new device, the time of its first reading
	IOPS         float64   // completed requests per second, between the two latest readings
	ReadBytes    float64   // bytes per second
	WriteBytes   float64
	Latency      float64 // ms per completed read or write, averaged over about 10 s; 0: none completed yet

	InFlight  float64   // requests in flight, averaged over about 10 s
	Completed float64   // completed requests per second, averaged over about 10 s
	ReadRate  float64   // bytes read per second, averaged over about a minute
	QueueLong time.Time // when QueueTime rose to LongQueue or more, where it has been since; zero: it is below
}

// LongQueue is the queue time from which a device crawls: each request in flight
// takes this long at the current rate of completions.
const LongQueue = 5 * time.Second

// QueueTime returns how long a request is in flight at the current rate of
// completions: requests in flight divided by completions per second. It distinguishes
// a device that completes almost nothing, or only small requests, from a healthy one.
// It is 0 while less than one request is in flight on average, and at most an hour.
func (d *DiskIO) QueueTime() time.Duration {
	if d.InFlight < 0.9 || d.Last.InFlight() == 0 {
		return 0
	}
	const most = time.Hour
	if d.Completed*most.Seconds() <= d.InFlight {
		return most
	}
	return time.Duration(d.InFlight / d.Completed * float64(time.Second))
}

// StalledFor returns how long requests have been in flight without a completion,
// rounded to a tenth of a second: readings arrive some milliseconds off the second,
// and ten of them must add up to 10 s.
func (d DiskIO) StalledFor() time.Duration {
	return d.At.Sub(d.LastProgress).Round(100 * time.Millisecond)
}

// SawIO is a reading of the block layer's counters of krbd's devices.
type SawIO struct{ Reading[[]rbd.IO] }

// Apply implements Observation.
func (o SawIO) Apply(s Snapshot) Snapshot {
	s = s.recordReading(SourceIO, o.At, o.Every, o.after(Reading[[]rbd.IO]{Err: s.sourceErr(SourceIO)}).Err)
	if o.Err != nil {
		return s
	}
	s.IO = disksRead(s.IO, o.Value, o.At)
	return s
}

// disksRead returns the devices after a reading, by device. Nearly every reading has
// the same devices as the previous one, so their places are known.
func disksRead(before []DiskIO, reading []rbd.IO, at time.Time) []DiskIO {
	list := make([]DiskIO, len(before), max(len(before), len(reading)))
	kept := 0 // the number of places in use
	var more []DiskIO
	for i := range reading {
		io := &reading[i]
		old, found := place(before, io.Device, deviceOf)
		var d *DiskIO
		switch {
		case found && list[old].Device == "":
			kept++
			d, list[old] = &list[old], before[old]
		case found: // named twice
			more = append(more, before[old])
			d = &more[len(more)-1]
		case io.Partly == "":
			more = append(more, DiskIO{Device: io.Device, Last: *io, At: at, LastProgress: at})
		}
		if d != nil && io.Partly == "" { // otherwise its counters could not be parsed, and the previous values stay
			d.read(io, at)
		}
	}
	if kept < len(before) {
		list = slices.DeleteFunc(list, func(d DiskIO) bool { return d.Device == "" })
	}
	if len(more) > 0 {
		list = append(list, more...)
		slices.SortFunc(list, func(a, b DiskIO) int { return strings.Compare(a.Device, b.Device) })
	}
	return list
}

// DiskIO returns the I/O of the named krbd device, and whether it is known.
func (s Snapshot) DiskIO(device string) (DiskIO, bool) { return diskIO(s.IO, device) }

func diskIO(list []DiskIO, device string) (DiskIO, bool) {
	i, found := place(list, device, deviceOf)
	if !found {
		return DiskIO{}, false
	}
	return list[i], true
}

func deviceOf(d *DiskIO) string { return d.Device }

// read updates d, which must not be shared yet, from a reading. Counters that went
// down belong to another device of the same name, which starts from zero.
func (d *DiskIO) read(io *rbd.IO, at time.Time) {
	done := io.Done() - d.Last.Done()
	seconds := at.Sub(d.At).Seconds()
	if io.Done() < d.Last.Done() || seconds <= 0 {
		*d = DiskIO{Device: io.Device, Last: *io, At: at, LastProgress: at}
		return
	}
	ticks := float64(io.ReadTicks+io.WriteTicks) - float64(d.Last.ReadTicks+d.Last.WriteTicks)
	if done > 0 || io.InFlight() == 0 {
		d.LastProgress = at
	}
	if data := float64(io.Reads+io.Writes) - float64(d.Last.Reads+d.Last.Writes); data > 0 && ticks >= 0 {
		d.Latency = smoothed(d.Latency, min(ticks/data, latencyMost), seconds, latencyNow)
	}
	d.IOPS = float64(done) / seconds
	d.ReadBytes = 512 * counterDelta(d.Last.ReadSectors, io.ReadSectors) / seconds
	d.WriteBytes = 512 * counterDelta(d.Last.WriteSectors, io.WriteSectors) / seconds
	d.InFlight = ewma(d.InFlight, float64(io.InFlight()), seconds, latencyNow)
	d.Completed = ewma(d.Completed, d.IOPS, seconds, latencyNow)
	d.ReadRate = ewma(d.ReadRate, d.ReadBytes, seconds, time.Minute)
	d.Last, d.At = *io, at
	switch {
	case d.QueueTime() < LongQueue:
		d.QueueLong = time.Time{}
	case d.QueueLong.IsZero():
		d.QueueLong = at
	}
}

// ewma moves an average over about span towards value, seconds after the previous
// update.
func ewma(average, value, seconds float64, span time.Duration) float64 {
	return average + (value-average)*(1-math.Exp(-seconds/span.Seconds()))
}

// smoothed moves an average over about span towards value, seconds after the previous
// update.
func smoothed(average, value, seconds float64, span time.Duration) float64 {
	if average == 0 {
		return value
	}
	return ewma(average, value, seconds, span)
}

// counterDelta returns the increase of a counter; 0 if it went down.
func counterDelta(before, after uint64) float64 {
	if after < before {
		return 0
	}
	return float64(after - before)
}
