package bond

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

func event(typ uint16, payload []byte) syscall.NetlinkMessage {
	return syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: typ}, Data: payload}
}

// family replaces the address family of a message.
func family(n byte, payload []byte) []byte {
	payload = bytes.Clone(payload)
	payload[0] = n
	return payload
}

func flags(n uint32, payload []byte) []byte {
	payload = bytes.Clone(payload)
	copy(payload[8:], nl.Uint32Attr(n))
	return payload
}

// TestFollowedEvents starts each case from the Proxmox host.
func TestFollowedEvents(t *testing.T) {
	bond := func(policy int) []byte {
		return message(5, "bond0", kind(kindBond, u8(nl.IFLA_BOND_MODE, 4), u8(nl.IFLA_BOND_XMIT_HASH_POLICY, policy)), master(6))
	}
	port := func(state int) []byte {
		return message(2, "eno1", enslaved(5, u8(nl.IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE, state))...)
	}
	for _, tt := range []struct {
		name   string
		typ    uint16
		event  []byte
		before []byte // an event sent before it, if any
		want   bool
	}{
		{name: "hash policy", typ: unix.RTM_NEWLINK, event: bond(0), want: true},
		{name: "hash policy said again", typ: unix.RTM_NEWLINK, before: bond(1), event: bond(1)},
		{name: "new bond", typ: unix.RTM_NEWLINK, event: message(50, "bond1", kind(kindBond)), want: true},
		{name: "bond deleted", typ: unix.RTM_DELLINK, event: bond(0), want: true},
		{name: "bond renamed", typ: unix.RTM_NEWLINK, event: message(5, "storage", kind(kindBond, u8(nl.IFLA_BOND_MODE, 4)), master(6)),
			want: true},
		{name: "LACP state of a slave", typ: unix.RTM_NEWLINK, before: port(0x3f), event: port(0x47), want: true},
		{name: "slave without carrier", typ: unix.RTM_NEWLINK, event: flags(unix.IFF_UP, message(2, "eno1", enslaved(5)...)), want: true},
		{name: "slave released", typ: unix.RTM_NEWLINK, event: message(2, "eno1"), want: true},
		{name: "slave gone", typ: unix.RTM_DELLINK, event: message(2, "eno1"), want: true},
		{name: "NIC enslaved", typ: unix.RTM_NEWLINK, event: message(4, "eno3", enslaved(5)...), want: true},
		{name: "NIC down", typ: unix.RTM_NEWLINK, event: flags(0, message(4, "eno3")), want: true},
		{name: "NIC plugged in", typ: unix.RTM_NEWLINK, event: message(51, "eno4"), want: true},
		{name: "NIC renamed", typ: unix.RTM_NEWLINK, event: message(4, "mgmt0"), want: true},
		{name: "VLAN on the bond", typ: unix.RTM_NEWLINK, event: message(52, "bond0.7", vlan(7), lower(5)), want: true},
		{name: "VLAN deleted", typ: unix.RTM_DELLINK, event: message(7, "vmbr0.50", vlan(50), lower(6)), want: true},
		{name: "bond out of its bridge", typ: unix.RTM_NEWLINK, event: message(5, "bond0", kind(kindBond, u8(nl.IFLA_BOND_MODE, 4))),
			want: true},
		{name: "tap made", typ: unix.RTM_NEWLINK, event: message(60, "tap103i0", kind("tun"))},
		{name: "tap put into the bridge", typ: unix.RTM_NEWLINK, event: message(24, "tap102i0", kind("tun"), master(6))},
		{name: "the bridge's own word on its port", typ: unix.RTM_NEWLINK, event: family(unix.AF_BRIDGE, message(5, "bond0", master(6)))},
		{name: "the bridge's own word on a port that left", typ: unix.RTM_DELLINK,
			event: family(unix.AF_BRIDGE, message(5, "bond0", master(6)))},
		{name: "bridge takes another MAC and MTU for a tap", typ: unix.RTM_NEWLINK,
			event: message(6, "vmbr0", u32(unix.IFLA_MTU, 1400), attr(unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, 9}), kind(kindBridge))},
		{name: "a guest's firewall bridge", typ: unix.RTM_NEWLINK, event: message(61, "fwbr103i0", kind(kindBridge))},
		{name: "a guest's firewall bridge gone", typ: unix.RTM_DELLINK, event: message(21, "fwbr101i0", kind(kindBridge))},
		{name: "a guest's veth", typ: unix.RTM_NEWLINK, event: message(62, "fwpr103p0", kind("veth"), lower(63), master(6))},
		{name: "macvtap on the bond", typ: unix.RTM_NEWLINK, event: message(64, "mvt1", kind("macvtap"), lower(5))},
		{name: "cut short", typ: unix.RTM_NEWLINK, event: bond(0)[:30]},
		{name: "no link at all", typ: unix.RTM_NEWADDR, event: bond(0)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := follower{graph: graph{map[int]link{}, link.hardware}}
			f.graph.add(proxmox()[1:])
			f.last = f.graph.picture()
			if tt.before != nil {
				f.take([]syscall.NetlinkMessage{event(unix.RTM_NEWLINK, tt.before)})
			}
			if got := f.take([]syscall.NetlinkMessage{event(tt.typ, tt.event)}); got != tt.want {
				t.Errorf("changed: got %v, want %v", got, tt.want)
			}
			if got := f.take(nil); got {
				t.Error("no event, and yet a change")
			}
		})
	}
}
