package facts

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/human"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// A NIC is one watched NIC with its role and load.
type NIC struct {
	*node.NIC
	Bond    string // bond of which it is a slave; empty: none
	Label   string // "eth0 of bond0", or "eth0"
	Rx, Tx  Load
	Devices int // number of krbd devices whose traffic it carries, or shares with the other slaves; 0: none
}

// A Load is the load of a NIC in one direction.
type Load struct {
	Way   string    // "rx", "tx"
	Known bool      // the latest reading is recent and could be compared with the previous one
	Bits  float64   // bit/s, of the latest reading
	Share float64   // share of its line rate; 0: its speed is unknown
	Full  bool      // at least node.FullShare now
	Since time.Time // start of the continuous saturation
}

// stale is the maximum age of a NIC's latest reading to count as current.
const stale = 5 * time.Second

// AllNICs returns the watched NICs, by name.
func (f *Facts) AllNICs() []NIC { return f.nics() }

// NICNamed returns the watched NIC of that name, and whether there is one.
func (f *Facts) NICNamed(name string) (*NIC, bool) {
	i, found := f.byNIC()[name]
	if !found {
		return nil, false
	}
	return &f.nics()[i], true
}

func (f *Facts) indexNICs() map[string]int {
	index := make(map[string]int, len(f.nics()))
	for i := range f.nics() {
		index[f.nics()[i].Name] = i
	}
	return index
}

func (f *Facts) findNICs() []NIC {
	bondOf := map[string]string{}
	for _, b := range f.Bonds() {
		for _, s := range b.Slaves {
			bondOf[s.Name] = b.Name
		}
	}
	list := make([]NIC, len(f.Snapshot.NICs))
	for i := range f.Snapshot.NICs {
		n := &f.Snapshot.NICs[i]
		list[i] = NIC{NIC: n, Bond: bondOf[n.Name], Label: n.Name, Rx: Load{Way: "rx"}, Tx: Load{Way: "tx"}}
		carrier := n.Name
		if b := list[i].Bond; b != "" {
			list[i].Label, carrier = n.Name+" of "+b, b
		}
		list[i].Devices, _ = f.CarriesStorage(carrier)
		if len(n.Seconds) == 0 || f.Now.Sub(n.At) > stale || !n.Known {
			continue
		}
		latest := n.Seconds[len(n.Seconds)-1]
		list[i].Rx.Known, list[i].Tx.Known = true, true
		list[i].Rx.Bits, list[i].Tx.Bits = latest.Rx, latest.Tx
		list[i].Rx.Share, list[i].Tx.Share = latest.Share()
		list[i].Rx.Since, list[i].Tx.Since = n.RxFull, n.TxFull
		list[i].Rx.Full, list[i].Tx.Full = !n.RxFull.IsZero(), !n.TxFull.IsZero()
	}
	return list
}

// Fuller returns the direction in which the NIC is full (of both, the one that has
// been full for longer), and whether it is full.
func (n *NIC) Fuller() (Load, bool) {
	switch {
	case n.Rx.Full && (!n.Tx.Full || !n.Tx.Since.Before(n.Rx.Since)):
		return n.Rx, true
	case n.Tx.Full:
		return n.Tx, true
	}
	return Load{}, false
}

// FullAt returns the load in one direction, with share as the threshold in place of
// node.FullShare: Full is true if each of the latest readings, without a gap, is at
// least share.
func (n *NIC) FullAt(direction string, share float64) Load {
	l := n.Rx
	if direction == "tx" {
		l = n.Tx
	}
	if share == node.FullShare {
		return l
	}
	since := l.Since
	l.Full, l.Since = false, time.Time{}
	if l.Bits == 0 {
		return l
	}
	for i := len(n.Seconds) - 1; i >= 0; i-- {
		s, tx := n.Seconds[i].Share()
		if direction == "tx" {
			s = tx
		}
		if s < share {
			return l
		}
		l.Full, l.Since = true, n.Seconds[i].At.Add(-time.Second)
	}
	if !since.IsZero() && since.Before(l.Since) && share <= node.FullShare {
		l.Since = since
	}
	return l
}

// A Dropping is a NIC that keeps dropping frames because receive buffers are exhausted.
type Dropping struct {
	Since  time.Time
	Rate   float64 // frames/s now
	Source string  // the source that counts them: nic, or nic-drops for the driver's own counters
}

// Dropping returns when the NIC began to drop frames continuously, and whether it
// drops frames now.
func (f *Facts) Dropping(n *NIC) (Dropping, bool) {
	d := Dropping{Since: f.Now, Source: node.SourceNIC, Rate: max(n.Rates.Overload, 0)}
	if !n.OverloadSince.IsZero() && f.Blind(node.SourceNIC) == nil {
		d.Since = n.OverloadSince
	}
	if !n.DropSince.IsZero() && n.DropSince.Before(d.Since) && f.Blind(node.SourceDrops) == nil {
		d.Since, d.Source = n.DropSince, node.SourceDrops
	}
	d.Rate = max(d.Rate, n.DropRate)
	return d, d.Since.Before(f.Now)
}

// NICsOf returns the watched NICs of a bond, or the NIC itself.
func (f *Facts) NICsOf(carrier string) []*NIC {
	var list []*NIC
	if b, found := f.BondNamed(carrier); found {
		for _, s := range b.Slaves {
			if n, watched := f.NICNamed(s.Name); watched {
				list = append(list, n)
			}
		}
		return list
	}
	if n, watched := f.NICNamed(carrier); watched {
		list = append(list, n)
	}
	return list
}

// StorageNICs returns the NICs that carry krbd's traffic and true or, if that is
// unknown, all watched NICs and false.
func (f *Facts) StorageNICs() (list []*NIC, known bool) {
	seen := map[string]bool{}
	for _, p := range f.Storage {
		for _, carrier := range p.Carriers {
			if !seen[carrier] {
				seen[carrier] = true
				list = append(list, f.NICsOf(carrier)...)
			}
		}
	}
	if len(list) > 0 {
		return list, true
	}
	for i := range f.nics() {
		list = append(list, &f.nics()[i])
	}
	return list, false
}

// BondNamed returns the bond of that name, and whether there is one.
func (f *Facts) BondNamed(name string) (bond.Bond, bool) {
	bonds := f.Bonds()
	i := slices.IndexFunc(bonds, func(b bond.Bond) bool { return b.Name == name })
	if i < 0 {
		return bond.Bond{}, false
	}
	return bonds[i], true
}

// BondSource returns the source that reads the bond.
func BondSource(b bond.Bond) string {
	if b.Kind == bond.OVS {
		return node.SourceOVS
	}
	return node.SourceBond
}

// A History summarizes a NIC's load and drops before an instant.
type History struct {
	Known     bool      // the NIC was watched all the time
	Peak      float64   // the largest share of its line rate in one direction
	Direction string    // direction of Peak: "rx" or "tx"
	Full      float64   // number of seconds in which it was full
	FullAt    time.Time // when it was first full; zero: never
	Dropped   float64   // frames dropped (buffers exhausted)
	DropAt    time.Time // when it first dropped frames; zero: never
}

// Before returns the history of the NIC in the d before an instant: by second within
// the last minute, otherwise from the peaks of 10 s periods.
func (n *NIC) Before(at time.Time, d time.Duration) History {
	var h History
	from, watched := at.Add(-d), 0.0
	add := func(flow node.Flow, began, ended time.Time) {
		if ended.After(at) || began.Before(from) {
			return
		}
		seconds := ended.Sub(began).Seconds()
		watched += seconds
		rx, tx := flow.Share()
		if rx > h.Peak {
			h.Peak, h.Direction = rx, "rx"
		}
		if tx > h.Peak {
			h.Peak, h.Direction = tx, "tx"
		}
		if max(rx, tx) >= node.FullShare {
			h.Full += seconds
			if h.FullAt.IsZero() {
				h.FullAt = began
			}
		}
		if flow.Overload > 0 {
			h.Dropped += flow.Overload * seconds
			if h.DropAt.IsZero() {
				h.DropAt = began
			}
		}
	}
	fine := at
	if len(n.Seconds) > 0 {
		fine = n.Seconds[0].At.Add(-time.Second)
	}
	for _, flow := range n.Tens {
		if ended := flow.At.Add(10 * time.Second); !ended.After(fine) {
			add(flow, flow.At, ended)
		}
	}
	for _, flow := range n.Seconds {
		add(flow, flow.At.Add(-time.Second), flow.At)
	}
	if !n.DropSince.IsZero() && n.DropSince.Before(at) && (h.DropAt.IsZero() || n.DropSince.Before(h.DropAt)) {
		h.DropAt = Later(n.DropSince, from)
		h.Dropped = max(h.Dropped, n.DropRate*at.Sub(h.DropAt).Seconds())
	}
	h.Known = watched >= 0.6*d.Seconds()
	return h
}

// Corrupted returns how many of the 10 s periods of the last ten minutes counted
// corrupted frames, the highest rate per second, and when that was.
func (n *NIC) Corrupted(now time.Time) (times int, most float64, at time.Time) {
	for _, flow := range n.Tens {
		if now.Sub(flow.At) > 10*time.Minute || flow.RxCRC == 0 {
			continue
		}
		times++
		if flow.RxCRC >= most {
			most, at = flow.RxCRC, flow.At
		}
	}
	return times, most, at
}

// SlaveText describes a bond's slaves: "2x10G", "10G+25G", "2 slaves".
func SlaveText(b bond.Bond) string {
	even, text := true, ""
	for i, s := range b.Slaves {
		if s.Speed == 0 {
			return human.Count(len(b.Slaves), "slave")
		}
		even = even && s.Speed == b.Slaves[0].Speed
		if i > 0 {
			text += "+"
		}
		text += human.LinkSpeed(s.Speed)
	}
	switch {
	case len(b.Slaves) == 0:
		return "no slave"
	case even:
		return fmt.Sprintf("%dx%s", len(b.Slaves), human.LinkSpeed(b.Slaves[0].Speed))
	}
	return text
}
