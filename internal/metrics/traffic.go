package metrics

import (
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
)

// flowSpan is the period over which traffic is averaged.
const flowSpan = 10 * time.Second

// trafficFamilies returns the metrics that nodewatch derives from the counters: the
// share of its line rate that each NIC uses, and its share of its bond's traffic.
func trafficFamilies() []family {
	labels := []string{"device", "nic", "bond", "direction"}
	return []family{
		{name: "nodewatch_nic_utilization_ratio", kind: gauge, labels: labels,
			help: "Fraction of its line rate that the NIC received or sent over the last ten seconds; a saturated NIC shows about 0.98.",
			read: eachNIC(func(n placed, emit emit) {
				if flow := n.lately(); n.Speed > 0 && !flow.At.IsZero() {
					rx, tx := flow.Share()
					emit(rx, n.Name, n.Name, n.bond, "receive")
					emit(tx, n.Name, n.Name, n.bond, "transmit")
				}
			})},
		{name: "nodewatch_bond_slave_share_ratio", kind: gauge, labels: labels,
			help: "Fraction of its bond's traffic that the slave has received or sent over the last ten seconds; no sample while there is none.",
			read: shareOut},
	}
}

// lately returns what the NIC carried recently, on average; the zero Flow if that is
// unknown.
func (n placed) lately() node.Flow {
	flows, _ := n.Lately(n.At, flowSpan)
	return node.Mean(flows)
}

func shareOut(p *picture, emit emit) {
	sum := map[string]node.Flow{}
	for _, n := range p.nics {
		flow, all := n.lately(), sum[n.bond]
		all.Rx += flow.Rx
		all.Tx += flow.Tx
		sum[n.bond] = all
	}
	for _, n := range p.nics {
		flow, all := n.lately(), sum[n.bond]
		if n.bond != "" && all.Rx > 0 {
			emit(flow.Rx/all.Rx, n.Name, n.Name, n.bond, "receive")
		}
		if n.bond != "" && all.Tx > 0 {
			emit(flow.Tx/all.Tx, n.Name, n.Name, n.bond, "transmit")
		}
	}
}
