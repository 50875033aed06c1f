package nodetest

import "github.com/nodewatch/nodewatch/pkg/bond"

// LACPBond returns bond0: two 10G slaves in 802.3ad, as negotiated with a healthy
// switch.
func LACPBond(policy bond.HashPolicy) bond.Bond {
	healthy := bond.PortActive | bond.PortShortTimeout | bond.PortAggregating | bond.PortInSync |
		bond.PortCollecting | bond.PortDistributing
	b := bond.Bond{
		Name: "bond0", Index: 10, Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: policy, Up: true, MTU: 1500, Miimon: 100,
		LACPRate: "fast", LACPActive: "on",
		AD: &bond.AD{Aggregator: 1, Ports: 2, ActorKey: 15, PartnerKey: 7, PartnerMAC: "02:00:5e:00:53:01"}, Ordered: true,
	}
	for i, name := range []string{"eth0", "eth1"} {
		b.Slaves = append(b.Slaves, bond.Slave{
			Name: name, Index: 2 + i, State: "ACTIVE", MIIStatus: "UP", Carrier: true, Aggregator: 1, Actor: &healthy, Partner: &healthy,
			ActorChurn: "none", PartnerChurn: "none", Speed: 10000, Duplex: "full", MTU: 1500, Driver: "ixgbe",
		})
	}
	return b
}

// PlainBond returns bond0 in a mode without LACP.
func PlainBond(mode bond.Mode, policy bond.HashPolicy) bond.Bond {
	b := LACPBond(policy)
	b.Mode, b.AD, b.LACPRate, b.LACPActive = mode, nil, "", ""
	for i := range b.Slaves {
		b.Slaves[i].Aggregator, b.Slaves[i].Actor, b.Slaves[i].Partner, b.Slaves[i].ActorChurn, b.Slaves[i].PartnerChurn = 0,
			nil, nil, "", ""
	}
	return b
}

// OVSBond returns an Open vSwitch bond of two slaves.
func OVSBond(mode bond.Mode) bond.Bond {
	b := PlainBond(mode, "")
	b.Kind, b.Index, b.Miimon, b.Ports = bond.OVS, 0, -1, []string{"storage0"}
	return b
}

// Over returns links with the given bonds; a VLAN on the first one has the address
// 192.0.2.2.
func Over(bonds ...bond.Bond) bond.Links {
	l := bond.Links{Bonds: bonds}
	if len(bonds) > 0 && bonds[0].Index > 0 {
		l.Uppers = []bond.Upper{{Name: "bond0.20", Index: 20, Kind: "vlan", VLAN: 20, Lowers: []int{bonds[0].Index}}}
		l.Addresses = []bond.Address{{IP: "192.0.2.2", Bits: 24, Index: 20}}
	}
	return l
}

// Lose removes the link of a slave, as the kernel shows it.
func Lose(s *bond.Slave) {
	s.Carrier, s.MIIStatus, s.Speed, s.Duplex, s.State = false, "DOWN", 0, "", "BACKUP"
}
