package bond

import "fmt"

// MultiSlave reports whether the bond has more than one slave to spread traffic over.
func (b Bond) MultiSlave() bool { return len(b.Slaves) > 1 }

// Hashes reports whether the bond chooses the slave of each sent frame by its hash
// policy. In the other modes the policy has no meaning.
// (drivers/net/bonding/bond_main.c, bond_mode_uses_xmit_hash.)
func (b Bond) Hashes() bool {
	switch b.Mode {
	case LACP, BalanceXOR:
		return true
	case BalanceTLB:
		return b.DynamicLB != nil && !*b.DynamicLB
	case BalanceSLB, BalanceTCP:
		return b.Kind == OVS
	}
	return false
}

// ByPorts reports whether the bond distributes connections by their ports, so that only
// a single connection is confined to one slave.
func (b Bond) ByPorts() bool {
	return b.Mode == BalanceTCP || b.HashPolicy == Layer34 || b.HashPolicy == Encap34
}

// Layer2Like reports whether one host's traffic to a set of storage servers would not
// spread over the slaves it sends on, and why. It considers only the policy;
// MultiSlave reports whether there is more than one slave.
func (b Bond) Layer2Like() (bool, string) {
	if b.ConfiguredMode != "" {
		return false, fmt.Sprintf("mode %s is in effect instead of %s: the switch does not answer LACP, so one slave carries all traffic",
			b.Mode, b.ConfiguredMode)
	}
	if !b.Hashes() {
		return false, fmt.Sprintf("mode %s does not use a hash policy", b.Mode)
	}
	if b.Kind == OVS {
		if b.Mode == BalanceSLB {
			return true, "balance-slb hashes the source MAC and VLAN only, which are the same for all of this host's traffic"
		}
		return false, fmt.Sprintf("%s hashes addresses and ports", b.Mode)
	}
	switch b.HashPolicy {
	case Layer2:
		return true, "layer2 hashes MAC addresses: all traffic to one server or router shares a slave"
	case VLANSrcMAC:
		return true, "vlan+srcmac hashes the source MAC and VLAN only, which are the same for all of this host's traffic"
	case Layer23, Encap23:
		return false, fmt.Sprintf("%s hashes IP addresses", b.HashPolicy)
	case Layer34, Encap34:
		return false, fmt.Sprintf("%s hashes IP addresses and ports", b.HashPolicy)
	}
	return false, fmt.Sprintf("hash policy %q is not known", b.HashPolicy)
}

// Carrying returns the slaves that carry traffic now, in the order of Slaves: with
// link, active, and in 802.3ad part of the active aggregator.
func (b Bond) Carrying() []Slave {
	var out []Slave
	for _, s := range b.Slaves {
		link := s.Carrier && (s.MIIStatus == "UP" || s.MIIStatus == "")
		joined := b.AD == nil || s.Aggregator == b.AD.Aggregator
		if link && joined && s.State == slaveStates[0] {
			out = append(out, s)
		}
	}
	return out
}

// Speed returns what the bond can carry in one direction now, in Mbit/s: the sum of
// the slaves that carry traffic. It is 0, unknown, if the speed of one of them is
// unknown.
func (b Bond) Speed() int {
	sum := 0
	for _, s := range b.Carrying() {
		if s.Speed == 0 {
			return 0
		}
		sum += s.Speed
	}
	return sum
}
