// Package bond reads the bonds of a host, their slaves, hash policies and NIC
// counters from netlink, sysfs, ethtool and OVSDB. It does not judge them.
package bond

// A Bond is a bond of the kernel's bonding driver or of Open vSwitch. Strings are
// empty and pointers nil if the kernel does not report the value.
type Bond struct {
	Name       string     `json:"name"`
	Index      int        `json:"index"`       // ifindex; 0 for an Open vSwitch bond
	Kind       Kind       `json:"kind"`        // implementation: the kernel or Open vSwitch
	Mode       Mode       `json:"mode"`        // IFLA_BOND_MODE, or OVSDB Port.bond_mode
	HashPolicy HashPolicy `json:"hash_policy"` // IFLA_BOND_XMIT_HASH_POLICY; empty for Open vSwitch, where the mode determines it
	Up         bool       `json:"up"`          // IFF_UP and carrier
	MTU        int        `json:"mtu"`         // bytes
	MAC        string     `json:"mac"`         // lower-case, colons
	Miimon     int        `json:"miimon"`      // IFLA_BOND_MIIMON, milliseconds; 0 off, -1 unknown
	LACPRate   string     `json:"lacp_rate"`   // IFLA_BOND_AD_LACP_RATE: slow, fast; only in 802.3ad
	// ConfiguredMode is the configured mode if it differs from the effective Mode:
	// with Open vSwitch's lacp-fallback-ab, while the switch does not use LACP.
	ConfiguredMode Mode     `json:"configured_mode,omitempty"`
	LACPActive     string   `json:"lacp_active"`    // IFLA_BOND_AD_LACP_ACTIVE: off, on; since Linux 5.15
	ADSelect       string   `json:"ad_select"`      // IFLA_BOND_AD_SELECT: stable, bandwidth, count, actor_port_prio
	DynamicLB      *bool    `json:"tlb_dynamic_lb"` // IFLA_BOND_TLB_DYNAMIC_LB; nil if unknown
	AD             *AD      `json:"ad,omitempty"`   // IFLA_BOND_AD_INFO; nil outside 802.3ad or without an active aggregator
	Active         string   `json:"active_slave"`   // name of the active slave in active-backup, balance-tlb, balance-alb
	Slaves         []Slave  `json:"slaves"`         // in enslave order if Ordered, otherwise by ifindex
	Ordered        bool     `json:"ordered"`        // the enslave order could be read from bonding/slaves
	Ports          []string `json:"ports,omitempty"`
	// Ports names the internal ports of an Open vSwitch bridge that reach the network
	// through this bond. It is empty for kernel bonds.
}

// AD is the state of the active 802.3ad aggregator (IFLA_BOND_AD_INFO).
type AD struct {
	Aggregator uint16 `json:"aggregator"`
	Ports      uint16 `json:"ports"`
	ActorKey   uint16 `json:"actor_key"`
	PartnerKey uint16 `json:"partner_key"`
	PartnerMAC string `json:"partner_mac"` // 00:00:00:00:00:00: the switch does not use LACP
}

// A Slave is one NIC of a bond.
type Slave struct {
	Name         string     `json:"name"`
	Index        int        `json:"index"`
	State        string     `json:"state"`      // IFLA_BOND_SLAVE_STATE: ACTIVE, BACKUP
	MIIStatus    string     `json:"mii_status"` // IFLA_BOND_SLAVE_MII_STATUS: UP, GOING_DOWN, DOWN, GOING_BACK
	Carrier      bool       `json:"carrier"`    // IFF_LOWER_UP
	LinkFailures uint32     `json:"link_failures"`
	PermMAC      string     `json:"perm_mac"`      // IFLA_BOND_SLAVE_PERM_HWADDR
	Aggregator   uint16     `json:"aggregator_id"` // 0 outside 802.3ad
	Actor        *PortState `json:"actor_state"`   // IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE; nil if unknown
	Partner      *PortState `json:"partner_state"` // IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE; nil if unknown
	ActorChurn   string     `json:"actor_churn"`   // monitoring, churned, none; empty if unknown
	PartnerChurn string     `json:"partner_churn"`
	Speed        int        `json:"speed_mbps"` // Mbit/s; 0: unknown, as on a link that is down
	Duplex       string     `json:"duplex"`     // full, half; empty: unknown
	MTU          int        `json:"mtu"`
	Driver       string     `json:"driver,omitempty"` // kernel driver's name; empty if not read
	Bus          string     `json:"bus,omitempty"`    // PCI address or other bus id of the device
	LACPCurrent  *bool      `json:"lacp_current,omitempty"`
	// LACPCurrent is Open vSwitch's Interface.lacp_current: the partner's state is
	// known and fresh. It is nil if unknown, and for a kernel bond.
}

// A Kind is the implementation of a bond: the kernel's or Open vSwitch's.
type Kind string

// The kinds of bond.
const (
	Kernel Kind = "bonding"
	OVS    Kind = "openvswitch"
)

// A Mode is a bond's mode as the kernel spells it in bonding/mode, or an Open vSwitch
// bond_mode. A number unknown to this package is spelled as that number.
type Mode string

// The kernel's modes, and Open vSwitch's own (active-backup is in both).
const (
	BalanceRR    Mode = "balance-rr"
	ActiveBackup Mode = "active-backup"
	BalanceXOR   Mode = "balance-xor"
	Broadcast    Mode = "broadcast"
	LACP         Mode = "802.3ad"
	BalanceTLB   Mode = "balance-tlb"
	BalanceALB   Mode = "balance-alb"
	BalanceSLB   Mode = "balance-slb" // Open vSwitch: source MAC and VLAN
	BalanceTCP   Mode = "balance-tcp" // Open vSwitch: layers 2 to 4
)

// A HashPolicy is an xmit_hash_policy as the kernel spells it. A number unknown to
// this package is spelled as that number.
type HashPolicy string

// The hash policies.
const (
	Layer2     HashPolicy = "layer2"
	Layer34    HashPolicy = "layer3+4"
	Layer23    HashPolicy = "layer2+3"
	Encap23    HashPolicy = "encap2+3"
	Encap34    HashPolicy = "encap3+4"
	VLANSrcMAC HashPolicy = "vlan+srcmac"
)

// A PortState is the LACP state octet of a port (IEEE 802.1AX, section 6.4.2.3).
type PortState uint8

// The bits of a PortState.
const (
	PortActive PortState = 1 << iota
	PortShortTimeout
	PortAggregating
	PortInSync
	PortCollecting
	PortDistributing
	PortDefaulted
	PortExpired
)

// Links are the links reported by rtnetlink that matter to storage traffic: bonds,
// NICs, and the VLANs and bridges on them. Taps, veths and other guest interfaces are
// left out.
type Links struct {
	Bonds     []Bond    `json:"bonds"`     // by name
	NICs      []NIC     `json:"nics"`      // links with a separate device that are in no bond, by name
	Uppers    []Upper   `json:"uppers"`    // VLANs, bridges and macvlans that lead to a bond or a NIC, by name
	Addresses []Address `json:"addresses"` // addresses on any of these, by address
	Damaged   int       `json:"damaged,omitempty"`
	// Damaged counts truncated kernel messages, and truncated attributes nested in
	// them. Their content is left out.
}

// A NIC is a network device with hardware (or virtio) behind it, outside of any bond.
type NIC struct {
	Name    string `json:"name"`
	Index   int    `json:"index"`
	MAC     string `json:"mac"`
	Up      bool   `json:"up"` // IFF_UP and carrier
	Speed   int    `json:"speed_mbps"`
	Duplex  string `json:"duplex"`
	MTU     int    `json:"mtu"`
	Driver  string `json:"driver,omitempty"`
	Bus     string `json:"bus,omitempty"`
	Virtual bool   `json:"virtual"` // a virtual function, or virtio
}

// An Upper is a link on top of others. For an internal port of Open vSwitch the
// kernel only reports which bonds and NICs Open vSwitch has in total. The port uses
// one of its Lowers; Bond.Ports names the Open vSwitch bond, if it uses one.
type Upper struct {
	Name   string `json:"name"`
	Index  int    `json:"index"`
	Kind   string `json:"kind"`           // vlan, bridge, macvlan, ipvlan, team, openvswitch: IFLA_INFO_KIND
	VLAN   int    `json:"vlan,omitempty"` // VLAN id
	Lowers []int  `json:"lowers"`         // ifindexes it uses, sorted; a bridge's taps are left out
}

// An Address is an IP address of a link.
type Address struct {
	IP    string `json:"ip"` // without prefix length
	Bits  int    `json:"bits"`
	Index int    `json:"index"`
}

// Counters are the 64-bit counters of one link (struct rtnl_link_stats64,
// include/uapi/linux/if_link.h), with the kernel's names.
type Counters struct {
	Name  string `json:"name"`
	Index int    `json:"index"`
	Speed int    `json:"speed_mbps"` // Mbit/s at the same moment; 0 if unknown

	RxPackets   uint64 `json:"rx_packets"`
	TxPackets   uint64 `json:"tx_packets"`
	RxBytes     uint64 `json:"rx_bytes"`
	TxBytes     uint64 `json:"tx_bytes"`
	RxErrors    uint64 `json:"rx_errors"`
	TxErrors    uint64 `json:"tx_errors"`
	RxDropped   uint64 `json:"rx_dropped"`
	TxDropped   uint64 `json:"tx_dropped"`
	RxOver      uint64 `json:"rx_over_errors"`
	RxCRC       uint64 `json:"rx_crc_errors"`
	RxFrame     uint64 `json:"rx_frame_errors"`
	RxFIFO      uint64 `json:"rx_fifo_errors"`
	RxMissed    uint64 `json:"rx_missed_errors"`
	TxCarrier   uint64 `json:"tx_carrier_errors"`
	TxFIFO      uint64 `json:"tx_fifo_errors"`
	RxNoHandler uint64 `json:"rx_nohandler"`
}

// Drops are the driver's counters of frames that one NIC dropped (buffers exhausted),
// by ethtool name. Do not add them up: a driver may count one frame under several
// names, and some of the frames are pause frames (see Pause).
type Drops struct {
	Name   string            `json:"name"`
	Index  int               `json:"index"`
	Driver string            `json:"driver"`
	Counts map[string]uint64 `json:"counts"` // only counters of drops (buffers exhausted), and of pause frames; nil for an unknown driver
	// Unlisted holds, for an unknown driver, at most 16 counters whose names suggest
	// drops on receive. None of them counts as a drop.
	Unlisted map[string]uint64 `json:"unlisted,omitempty"`
}
