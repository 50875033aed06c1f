package bond

import "golang.org/x/sys/unix"

// Attributes of IFLA_INFO_SLAVE_DATA that golang.org/x/sys does not define yet
// (include/uapi/linux/if_link.h).
const (
	slaveChurnActor   = 11 // IFLA_BOND_SLAVE_AD_CHURN_ACTOR_STATE
	slaveChurnPartner = 12 // IFLA_BOND_SLAVE_AD_CHURN_PARTNER_STATE
)

// bond returns the Bond of a link of kind bond, without its slaves. active is the
// ifindex of the active slave, or 0. It returns false if the attributes are damaged.
func (l link) bond() (b Bond, active int, ok bool) {
	b = Bond{Name: l.name, Index: l.index, Kind: Kernel, Up: l.up(), MTU: l.mtu, MAC: l.mac, Miimon: -1}
	sound := true
	whole := attrs(l.info, func(typ uint16, v []byte) {
		switch typ {
		case unix.IFLA_BOND_MODE:
			b.Mode = ModeOf(number(v))
		case unix.IFLA_BOND_XMIT_HASH_POLICY:
			b.HashPolicy = PolicyOf(number(v))
		case unix.IFLA_BOND_MIIMON:
			b.Miimon = number(v)
		case unix.IFLA_BOND_ACTIVE_SLAVE:
			active = count(v)
		case unix.IFLA_BOND_TLB_DYNAMIC_LB:
			if n := number(v); n >= 0 {
				on := n > 0
				b.DynamicLB = &on
			}
		case unix.IFLA_BOND_AD_LACP_RATE:
			b.LACPRate = lacpRates.of(number(v))
		case unix.IFLA_BOND_AD_LACP_ACTIVE:
			b.LACPActive = lacpActives.of(number(v))
		case unix.IFLA_BOND_AD_SELECT:
			b.ADSelect = adSelects.of(number(v))
		case unix.IFLA_BOND_AD_INFO:
			b.AD, sound = decodeAD(v)
		}
	})
	if b.Mode != LACP { // the kernel sends its defaults in every mode
		b.LACPRate, b.LACPActive, b.ADSelect, b.AD = "", "", "", nil
	}
	return b, active, whole && sound
}

// decodeAD decodes an IFLA_BOND_AD_INFO. It returns nil if that is damaged.
func decodeAD(b []byte) (*AD, bool) {
	ad := AD{}
	whole := attrs(b, func(typ uint16, v []byte) {
		switch typ {
		case unix.IFLA_BOND_AD_INFO_AGGREGATOR:
			ad.Aggregator = uint16(count(v))
		case unix.IFLA_BOND_AD_INFO_NUM_PORTS:
			ad.Ports = uint16(count(v))
		case unix.IFLA_BOND_AD_INFO_ACTOR_KEY:
			ad.ActorKey = uint16(count(v))
		case unix.IFLA_BOND_AD_INFO_PARTNER_KEY:
			ad.PartnerKey = uint16(count(v))
		case unix.IFLA_BOND_AD_INFO_PARTNER_MAC:
			ad.PartnerMAC = mac(v)
		}
	})
	if !whole {
		return nil, false
	}
	return &ad, true
}

// slaveOf returns the Slave of a link that is enslaved to a bond. It returns false if
// the attributes are damaged.
func (l link) slaveOf() (Slave, bool) {
	s := Slave{Name: l.name, Index: l.index, Carrier: l.carrier(), MTU: l.mtu, Bus: l.parent}
	whole := attrs(l.slave, func(typ uint16, v []byte) {
		switch typ {
		case unix.IFLA_BOND_SLAVE_STATE:
			s.State = slaveStates.of(number(v))
		case unix.IFLA_BOND_SLAVE_MII_STATUS:
			s.MIIStatus = miiStatuses.of(number(v))
		case unix.IFLA_BOND_SLAVE_LINK_FAILURE_COUNT:
			s.LinkFailures = uint32(count(v))
		case unix.IFLA_BOND_SLAVE_PERM_HWADDR:
			s.PermMAC = mac(v)
		case unix.IFLA_BOND_SLAVE_AD_AGGREGATOR_ID:
			s.Aggregator = uint16(count(v))
		case unix.IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE:
			s.Actor = portState(v)
		case unix.IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE:
			s.Partner = portState(v)
		case slaveChurnActor:
			s.ActorChurn = churns.of(number(v))
		case slaveChurnPartner:
			s.PartnerChurn = churns.of(number(v))
		}
	})
	return s, whole
}

// portState reads an LACP port state. The kernel sends the partner's state in two
// bytes, of which IEEE 802.1AX uses the low one.
func portState(v []byte) *PortState {
	n := number(v)
	if n < 0 {
		return nil
	}
	s := PortState(n)
	return &s
}

// vlan reads the VLAN id of a link of kind vlan.
func (l link) vlan() int {
	id := 0
	attrs(l.info, func(typ uint16, v []byte) {
		if typ == unix.IFLA_VLAN_ID {
			id = count(v)
		}
	})
	return id
}
