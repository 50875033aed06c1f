package node

import (
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// The maximum numbers of stored samples of a NIC's traffic.
const (
	flowSeconds = 60 // single readings
	flowTens    = 90 // peaks of ten seconds each, for a quarter of an hour
)

// A NIC is the traffic of one watched NIC: a slave of a bond, or a standalone NIC.
type NIC struct {
	Name    string
	Index   int
	Speed   int // Mbit/s; 0: unknown
	Last    bond.Counters
	At      time.Time  // time of Last
	Rates   bond.Rates // between the two latest readings
	Known   bool       // Rates could be computed
	Seconds []Flow     // one per reading, oldest first, at most 60
	Tens    []Flow     // the peaks of ten seconds each, oldest first, at most 90

	RxFull, TxFull time.Time // start of continuous traffic of at least FullShare of its line rate in that direction; zero: not full
	OverloadSince  time.Time // start of continuous drops (buffers exhausted), by the kernel's counter; zero: not dropping
	BestSpeed      int       // the highest observed speed, Mbit/s

	Drops     bond.Drops // the driver's own drop counters; zero: not read
	DropRate  float64    // frames per second dropped (buffers exhausted), by the driver's counter
	DropsAt   time.Time
	DropSince time.Time // start of the period with DropRate above 0; zero: DropRate is 0
}

// FullShare is the share of its line rate from which a NIC counts as full: at an MTU
// of 1500 the preamble, gap and checksum of each frame leave 98.4 % for counted
// bytes.
const FullShare = 0.9

// A Flow is the traffic of a NIC in one second, or its peak in ten.
type Flow struct {
	At       time.Time // the end of the second, or the start of the ten seconds
	Rx, Tx   float64   // bit/s
	Overload float64   // frames per second
	RxCRC    float64   // frames per second
	Speed    int       // Mbit/s at that time
}

// Share returns the share of the line rate that the flow uses in each direction; 0 if
// the speed is unknown.
func (f Flow) Share() (rx, tx float64) {
	if f.Speed <= 0 {
		return 0, 0
	}
	line := float64(f.Speed) * 1e6
	return f.Rx / line, f.Tx / line
}

// SawCounters is a reading of the watched NICs' counters.
type SawCounters struct{ Reading[[]bond.Counters] }

// Apply implements Observation.
func (o SawCounters) Apply(s Snapshot) Snapshot {
	s = s.recordReading(SourceNIC, o.At, o.Every, o.after(Reading[[]bond.Counters]{Err: s.sourceErr(SourceNIC)}).Err)
	if o.Err != nil {
		return s
	}
	nics := make([]NIC, 0, len(o.Value))
	for _, c := range o.Value {
		old, _ := s.NIC(c.Name)
		nics = append(nics, old.read(c, o.At))
	}
	slices.SortFunc(nics, func(a, b NIC) int { return strings.Compare(a.Name, b.Name) })
	s.NICs = nics
	return s
}

// sourceErr returns the current error of the named source.
func (s Snapshot) sourceErr(name string) *Error {
	src, _ := s.Source(name)
	return src.Err
}

// NIC returns the traffic of the named NIC, and whether it is watched.
func (s Snapshot) NIC(name string) (NIC, bool) { return nic(s.NICs, name) }

func nic(list []NIC, name string) (NIC, bool) {
	i, found := place(list, name, func(n *NIC) string { return n.Name })
	if !found {
		return NIC{}, false
	}
	return list[i], true
}

// read returns the NIC updated with the counters c read at the given time.
func (n NIC) read(c bond.Counters, at time.Time) NIC {
	before, was := n.Last, n.At
	n.Name, n.Index, n.Last, n.At, n.Speed = c.Name, c.Index, c, at, c.Speed
	n.BestSpeed = max(n.BestSpeed, c.Speed)
	n.Rates, n.Known = bond.Rates{}, false
	if was.IsZero() {
		return n
	}
	n.Rates, n.Known = bond.Between(before, c, at.Sub(was))
	if !n.Known || at.Sub(was) > longGap {
		n.RxFull, n.TxFull, n.OverloadSince = time.Time{}, time.Time{}, time.Time{}
	}
	if !n.Known {
		return n
	}
	f := Flow{At: at, Rx: n.Rates.RxBits, Tx: n.Rates.TxBits, Overload: n.Rates.Overload, RxCRC: n.Rates.RxCRC, Speed: c.Speed}
	rx, tx := f.Share()
	n.RxFull = heldSince(n.RxFull, rx >= FullShare, was)
	n.TxFull = heldSince(n.TxFull, tx >= FullShare, was)
	n.OverloadSince = heldSince(n.OverloadSince, f.Overload > 0, was)
	n.Seconds = pushed(n.Seconds, f, flowSeconds)
	n.Tens = peaked(n.Tens, f, flowTens)
	return n
}

// longGap is the maximum time between two readings of one run.
const longGap = 3 * time.Second

// heldSince returns when a condition began to apply continuously: start is the
// previous value, began the time of the previous reading.
func heldSince(start time.Time, holds bool, began time.Time) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case start.IsZero():
		return began
	}
	return start
}

// pushed returns the list with one more element at its end and at most limit in all.
// It does not modify the list.
func pushed(list []Flow, f Flow, limit int) []Flow {
	if len(list) >= limit {
		list = list[len(list)-limit+1:]
	}
	out := make([]Flow, 0, len(list)+1)
	return append(append(out, list...), f)
}

// peaked returns the list with f included in the peak of its ten seconds.
func peaked(list []Flow, f Flow, limit int) []Flow {
	start := f.At.Truncate(10 * time.Second)
	if len(list) == 0 || list[len(list)-1].At.Before(start) {
		f.At = start
		return pushed(list, f, limit)
	}
	out := slices.Clone(list)
	last := &out[len(out)-1]
	last.Rx, last.Tx = max(last.Rx, f.Rx), max(last.Tx, f.Tx)
	last.Overload, last.RxCRC = max(last.Overload, f.Overload), max(last.RxCRC, f.RxCRC)
	last.Speed = f.Speed
	return out
}

// Lately returns the readings of the last d, and whether they cover it: the oldest
// began no later than d ago and there is no gap of more than two seconds.
func (n NIC) Lately(now time.Time, d time.Duration) ([]Flow, bool) {
	i := len(n.Seconds)
	for i > 0 && now.Sub(n.Seconds[i-1].At) < d {
		i--
	}
	flows := n.Seconds[i:]
	return flows, len(flows) > 0 && float64(len(flows))+2 > d.Seconds()
}

// Mean returns the mean of flows; the zero Flow for none.
func Mean(flows []Flow) Flow {
	var m Flow
	for _, f := range flows {
		m.Rx += f.Rx
		m.Tx += f.Tx
		m.Overload += f.Overload
		m.RxCRC += f.RxCRC
		m.Speed = f.Speed
		m.At = f.At
	}
	if n := float64(len(flows)); n > 0 {
		m.Rx, m.Tx, m.Overload, m.RxCRC = m.Rx/n, m.Tx/n, m.Overload/n, m.RxCRC/n
	}
	return m
}
