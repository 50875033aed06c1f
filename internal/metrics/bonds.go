package metrics

import "github.com/nodewatch/nodewatch/pkg/bond"

// noPartner is the partner's address if the switch does not speak LACP.
const noPartner = "00:00:00:00:00:00"

// bondFamilies returns the metrics of bonds and their slaves. The label nic is the former name of
// device, which is node_exporter's name; it is removed in the release after the next.
func bondFamilies() []family {
	label, slave := []string{"bond"}, []string{"bond", "device", "nic"}
	return []family{
		{name: "nodewatch_bond_info", kind: gauge, labels: []string{"bond", "mode", "xmit_hash_policy", "kind"},
			help: "Always 1; the labels describe the configuration of the bond.",
			read: eachBond(func(_ *picture, b bond.Bond, emit emit) {
				emit(1, b.Name, string(b.Mode), string(b.HashPolicy), string(b.Kind))
			})},
		{name: "nodewatch_bond_storage_carrier", kind: gauge, labels: label,
			help: "1 if the bond carries krbd's traffic.",
			read: eachBond(func(p *picture, b bond.Bond, emit emit) {
				_, carries := p.CarriesStorage(b.Name)
				emit(truth(carries), b.Name)
			})},
		{name: "nodewatch_bond_layer2_like", kind: gauge, labels: label,
			help: "1 if the bond's mode and hash policy do not distribute the storage traffic that this host sends.",
			read: eachBond(func(_ *picture, b bond.Bond, emit emit) {
				like, _ := b.Layer2Like()
				emit(truth(like && b.MultiSlave()), b.Name)
			})},
		{name: "nodewatch_bond_slaves", kind: gauge, labels: label,
			help: "Number of slaves of the bond.",
			read: eachBond(func(_ *picture, b bond.Bond, emit emit) { emit(float64(len(b.Slaves)), b.Name) })},
		{name: "nodewatch_bond_carrying_slaves", kind: gauge, labels: label,
			help: "Number of slaves that carry traffic: they have a link, are active, and in 802.3ad are part of the active aggregator.",
			read: eachBond(func(_ *picture, b bond.Bond, emit emit) { emit(float64(len(b.Carrying())), b.Name) })},
		{name: "nodewatch_bond_aggregator_ports", kind: gauge, labels: label,
			help: "Number of ports in the active aggregator; only in 802.3ad.",
			read: eachBond(func(_ *picture, b bond.Bond, emit emit) {
				if b.AD != nil {
					emit(float64(b.AD.Ports), b.Name)
				}
			})},
		{name: "nodewatch_bond_lacp_partner", kind: gauge, labels: label,
			help: "1 if the switch sends LACP; only in 802.3ad.",
			read: eachBond(func(_ *picture, b bond.Bond, emit emit) {
				if b.AD != nil {
					emit(truth(b.AD.PartnerMAC != "" && b.AD.PartnerMAC != noPartner), b.Name)
				}
			})},
		{name: "nodewatch_bond_slave_carrier", kind: gauge, labels: slave,
			help: "1 if the slave has a link.",
			read: eachSlave(func(b bond.Bond, s bond.Slave, emit emit) { emit(truth(s.Carrier), b.Name, s.Name, s.Name) })},
		{name: "nodewatch_bond_slave_link_failures_total", kind: counter, labels: slave,
			help: "Number of times that the slave has lost its link since it was enslaved.",
			read: eachSlave(func(b bond.Bond, s bond.Slave, emit emit) { emit(float64(s.LinkFailures), b.Name, s.Name, s.Name) })},
	}
}

// eachBond reads a metric from every bond.
func eachBond(read func(p *picture, b bond.Bond, emit emit)) func(*picture, emit) {
	return func(p *picture, emit emit) {
		for _, b := range p.bonds {
			read(p, b, emit)
		}
	}
}

// eachSlave reads a metric from every slave that is shown among the NICs.
func eachSlave(read func(b bond.Bond, s bond.Slave, emit emit)) func(*picture, emit) {
	return func(p *picture, emit emit) {
		left := maxNICs
		for _, b := range p.bonds {
			for _, s := range b.Slaves {
				if left--; left >= 0 {
					read(b, s, emit)
				}
			}
		}
	}
}
