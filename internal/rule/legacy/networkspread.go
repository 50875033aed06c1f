package legacy

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// unknownLine is what a NIC of unknown speed counts as where a rate is compared
// with a line rate, in Mbit/s: high, so that little traffic stays little.
const unknownLine = 10000

// A portion is what one slave carried of its bond's traffic, on average.
type portion struct {
	slave  string
	speed  int // Mbit/s; 0: unknown
	rx, tx float64
}

// A spread is how one direction of a bond's traffic lies on its slaves.
type spread struct {
	way   string  // "rx", "tx"
	total float64 // bit/s
	slave string  // the one that carries most
	most  float64 // bit/s of it
	share float64 // of total, from 1/slaves to 1
	skew  float64 // 0: all carry the same; 1: one carries all
	fill  float64 // of that slave's line rate
}

// portions are what the slaves that carry traffic carried on average in the last d,
// and whether all of them could be followed for so long.
func portions(in Input, b bond.Bond, d time.Duration) ([]portion, bool) {
	var list []portion
	for _, s := range b.Carrying() {
		n, watched := in.NIC(s.Name)
		flows, covered := n.Lately(in.Now, d)
		if !watched || !covered {
			return nil, false
		}
		m := node.Mean(flows)
		list = append(list, portion{slave: s.Name, speed: n.Speed, rx: m.Rx, tx: m.Tx})
	}
	return list, len(list) > 1
}

// spreadOf tells how one way of the traffic lies on two or more slaves.
func spreadOf(list []portion, way string) spread {
	s := spread{way: way}
	speed := 0
	for _, p := range list {
		bits := p.rx
		if way == "tx" {
			bits = p.tx
		}
		s.total += bits
		if bits > s.most || s.slave == "" {
			s.slave, s.most, speed = p.slave, bits, p.speed
		}
	}
	if s.total > 0 {
		s.share = s.most / s.total
		even := 1 / float64(len(list))
		s.skew = (s.share - even) / (1 - even)
	}
	if speed <= 0 {
		speed = unknownLine
	}
	s.fill = s.most / (float64(speed) * 1e6)
	return s
}

// String is a few words for people: "96 % of 8.3 Gbit/s on eth1".
func (s spread) String() string {
	return fmt.Sprintf("%s of %s on %s", percent(s.share), bitRate(s.total), s.slave)
}
