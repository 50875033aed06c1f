package metrics

import (
	"maps"
	"slices"

	"github.com/nodewatch/nodewatch/pkg/bond"
)

// nicFamilies returns the kernel's counters of slaves and of standalone NICs.
func nicFamilies() []family {
	all := []family{
		{name: "nodewatch_nics", kind: gauge,
			help: "Number of monitored slaves and standalone NICs; metrics are exported for at most 64 of them, slaves first.",
			read: func(p *picture, emit emit) { emit(float64(len(p.NICs))) }},
		{name: "nodewatch_nic_speed_bytes", kind: gauge, labels: []string{"device", "nic", "bond"},
			help: "Line rate of the NIC in bytes per second; no sample if it is unknown.",
			read: eachNIC(func(n placed, emit emit) {
				if n.Speed > 0 {
					emit(float64(n.Speed)*1e6/8, n.Name, n.Name, n.bond)
				}
			})},
	}
	for _, c := range []struct {
		name, help string
		read       func(bond.Counters) uint64
	}{
		{"receive_bytes", "Number of bytes received by the NIC.", func(c bond.Counters) uint64 { return c.RxBytes }},
		{"transmit_bytes", "Number of bytes sent by the NIC.", func(c bond.Counters) uint64 { return c.TxBytes }},
		{"receive_packets", "Number of packets received by the NIC.", func(c bond.Counters) uint64 { return c.RxPackets }},
		{"transmit_packets", "Number of packets sent by the NIC.", func(c bond.Counters) uint64 { return c.TxPackets }},
		{"receive_missed", "Number of frames that the NIC dropped because the host did not read them fast enough (rx_missed_errors).",
			func(c bond.Counters) uint64 { return c.RxMissed }},
		{"receive_fifo", "Number of frames that the NIC dropped because its buffer was full (rx_fifo_errors).",
			func(c bond.Counters) uint64 { return c.RxFIFO }},
		{"receive_over", "Number of frames that the NIC dropped because no buffer was free (rx_over_errors).",
			func(c bond.Counters) uint64 { return c.RxOver }},
		{"receive_crc", "Number of frames received with a wrong Ethernet checksum (rx_crc_errors).",
			func(c bond.Counters) uint64 { return c.RxCRC }},
		{"receive_nohandler", "Number of frames received on an inactive slave (rx_nohandler).",
			func(c bond.Counters) uint64 { return c.RxNoHandler }},
		{"receive_dropped", "Number of frames that the kernel dropped on receive, unwanted protocols included: not a sign of overload (rx_dropped).", func(c bond.Counters) uint64 { return c.RxDropped }},
		{"transmit_dropped", "Number of frames that the kernel dropped before it sent them (tx_dropped).",
			func(c bond.Counters) uint64 { return c.TxDropped }},
	} {
		all = append(all, family{name: "nodewatch_nic_" + c.name + "_total", kind: counter, labels: []string{"device", "nic", "bond"},
			help: c.help,
			read: eachNIC(func(n placed, emit emit) { emit(float64(c.read(n.Last)), n.Name, n.Name, n.bond) })})
	}
	all = append(all, family{name: "nodewatch_link_limit_bytes", kind: gauge, labels: []string{"link", "direction", "kind", "where"},
		help: "Rate limit (tc) of a link that carries krbd's traffic, in bytes per second; only the first 64.",
		read: func(p *picture, emit emit) {
			seen := map[bond.Limit]bool{}
			for _, l := range p.Limits.Value.Limits {
				rate := l.Rate
				if l.Rate = 0; len(seen) < maxLimits && !seen[l] { // two limits at the same place would have the same labels
					seen[l] = true
					emit(float64(rate)/8, l.Link, l.Way, l.Kind, l.Where)
				}
			}
		}})
	return append(all, family{name: "nodewatch_nic_driver_events_total", kind: counter,
		labels: []string{"device", "nic", "bond", "counter"},
		help:   "Value of the driver's own counters of frames dropped because buffers were exhausted, and of pause frames, by their names in ethtool -S.",
		read: eachNIC(func(n placed, emit emit) {
			names := slices.Sorted(maps.Keys(n.Drops.Counts))
			for _, name := range names[:min(len(names), maxCounters)] {
				emit(float64(n.Drops.Counts[name]), n.Name, n.Name, n.bond, name)
			}
		})})
}

// eachNIC reads a metric from every NIC that is shown.
func eachNIC(read func(n placed, emit emit)) func(*picture, emit) {
	return func(p *picture, emit emit) {
		for _, n := range p.nics {
			read(n, emit)
		}
	}
}
