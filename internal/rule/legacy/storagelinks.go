package legacy

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// fullShare is which part of its line rate a NIC carries one way when it is full.
// Counters leave out preamble, gap and checksum, so that 98.4 % is all there is.
const fullShare = 0.9

// A leg is one NIC that carries krbd's traffic.
type leg struct {
	node.NIC
	label string // "eth0 of bond0", or "eth0"
}

// storageLegs are the NICs that carry krbd's traffic; where that is not known,
// all that are watched.
func storageLegs(in Input) []leg {
	var legs []leg
	seen := map[string]bool{}
	for _, p := range in.Storage {
		for _, name := range p.Carriers {
			if !seen[name] {
				seen[name] = true
				legs = append(legs, legsOf(in, name)...)
			}
		}
	}
	if len(legs) > 0 {
		return legs
	}
	for _, n := range in.NICs {
		legs = append(legs, leg{n, n.Name})
	}
	return legs
}

// legsOf are the watched NICs of a bond, or the NIC itself.
func legsOf(in Input, name string) []leg {
	var legs []leg
	if b, found := bondOf(in, name); found {
		for _, s := range b.Slaves {
			if n, watched := in.NIC(s.Name); watched {
				legs = append(legs, leg{n, s.Name + " of " + name})
			}
		}
		return legs
	}
	if n, watched := in.NIC(name); watched {
		legs = append(legs, leg{n, name})
	}
	return legs
}

// bondOf returns the bond of the given name, and whether there is one.
func bondOf(in Input, name string) (bond.Bond, bool) {
	bonds := in.Bonds()
	i := slices.IndexFunc(bonds, func(b bond.Bond) bool { return b.Name == name })
	if i < 0 {
		return bond.Bond{}, false
	}
	return bonds[i], true
}

// A full is a NIC that carries as much as it can one way.
type full struct {
	way   string    // rx, tx
	since time.Time // of the readings without a break; at most a minute back
	share float64   // of the latest reading
	bits  float64   // of the latest reading
}

// fullNow returns the direction that the latest readings without a break fill to
// at least share, the one that has been full for longer, and whether there is one.
func fullNow(n node.NIC, now time.Time, share float64) (full, bool) {
	rx, okRx := fullWay(n, "rx", share)
	tx, okTx := fullWay(n, "tx", share)
	if okTx && (!okRx || tx.since.Before(rx.since)) {
		rx, okRx = tx, true
	}
	return rx, okRx && now.Sub(n.At) < 5*time.Second
}

func fullWay(n node.NIC, way string, share float64) (full, bool) {
	f := full{way: way}
	for i := len(n.Seconds) - 1; i >= 0; i-- {
		s, bits := n.Seconds[i].Share()
		carried := n.Seconds[i].Rx
		if way == "tx" {
			s, carried = bits, n.Seconds[i].Tx
		}
		if s < share {
			f.since = n.Seconds[i].At
			return f, i < len(n.Seconds)-1
		}
		if i == len(n.Seconds)-1 {
			f.share, f.bits = s, carried
		}
		f.since = n.Seconds[i].At.Add(-time.Second)
	}
	return f, len(n.Seconds) > 0
}

// A past is what a leg did before and after an instant.
type past struct {
	known bool      // it was watched in the minute before
	most  float64   // the largest share one way before
	full  time.Time // when it first filled up, from five minutes before; zero: never
	way   string    // in which direction
	drops time.Time // when it first dropped frames for lack of buffers, from five minutes before; zero: never
}

// around looks at what the leg did around an instant: by the second within the
// last minute, else by ten.
func (l leg) around(at time.Time) past {
	var p past
	from := at.Add(-5 * time.Minute)
	look := func(f node.Flow, began, ended time.Time) {
		if began.Before(from) {
			return
		}
		rx, tx := f.Share()
		if !ended.After(at) {
			p.most = max(p.most, rx, tx)
		}
		if max(rx, tx) >= fullShare && (p.full.IsZero() || ended.Before(p.full)) {
			p.full, p.way = ended, "rx"
			if tx > rx {
				p.way = "tx"
			}
		}
		if f.Overload > 0 && (p.drops.IsZero() || ended.Before(p.drops)) {
			p.drops = ended
		}
	}
	fine := time.Time{}
	if len(l.Seconds) > 0 {
		fine = l.Seconds[0].At.Add(-time.Second)
	}
	watched := 0
	for _, f := range l.Tens {
		if f.At.Before(fine) {
			look(f, f.At, f.At.Add(10*time.Second))
		}
		if f.At.Before(at) && at.Sub(f.At) <= time.Minute {
			watched++
		}
	}
	p.known = watched > 3
	for _, f := range l.Seconds {
		look(f, f.At.Add(-time.Second), f.At)
	}
	if !l.DropSince.IsZero() && !l.DropSince.Before(from) && (p.drops.IsZero() || l.DropSince.Before(p.drops)) {
		p.drops = l.DropSince
	}
	return p
}

// filled says when and how the leg filled up.
func (l leg) filled(p past) string {
	return fmt.Sprintf("%s was full (%s, 90 %% or more of %s) from %s", l.label, p.way, bitRate(float64(l.Speed)*1e6), clock(p.full))
}

// slaveText describes a bond's slaves: "2x10G", "10G+25G", "2 slaves".
func slaveText(b bond.Bond) string {
	speed := 0
	for i, s := range b.Slaves {
		if s.Speed == 0 {
			return counted(len(b.Slaves), "slave")
		}
		if i > 0 && s.Speed != speed {
			return mixedSpeeds(b)
		}
		speed = s.Speed
	}
	return fmt.Sprintf("%dx%s", len(b.Slaves), linkSpeed(speed))
}

func mixedSpeeds(b bond.Bond) string {
	text := ""
	for i, s := range b.Slaves {
		if i > 0 {
			text += "+"
		}
		text += linkSpeed(s.Speed)
	}
	return text
}
