package bond

import (
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// proxmox is a hypervisor as Proxmox VE sets one up. bond0 is under the bridge vmbr0,
// which has the address. One storage VLAN is on that bridge, and one is on bond0 with
// its own bridge. There are a management NIC, taps, and the bridge and veths of a
// guest's firewall.
func proxmox() [][]byte {
	loop := nl.NewRtAttr(unix.IFLA_LINK, nl.Uint32Attr(0))
	return [][]byte{
		message(1, "lo", loop),
		message(2, "eno1", enslaved(5)...),
		message(3, "eno2", enslaved(5)...),
		message(4, "eno3"),
		message(5, "bond0", kind(kindBond, u8(nl.IFLA_BOND_MODE, 4)), master(6)),
		message(6, "vmbr0", kind(kindBridge)),
		message(7, "vmbr0.50", vlan(50), lower(6)),
		message(8, "bond0.100", vlan(100), lower(5), master(9)),
		message(9, "vmbr0v100", kind(kindBridge)),
		message(20, "tap101i0", kind("tun"), master(21)),
		message(21, "fwbr101i0", kind(kindBridge)),
		message(22, "fwln101i0", kind("veth"), lower(23), master(21)),
		message(23, "fwpr101p0", kind("veth"), lower(22), master(6)),
		message(24, "tap102i0", kind("tun"), master(6)),
		message(25, "mvt0", kind("macvtap"), lower(5)),
	}
}

// linksOf decodes dumps and completes them from the tree at /sys, unless that is nil.
func linksOf(links, addresses [][]byte, sys fs.FS) Links {
	return decode(links, addresses, sysfs{sys}, sysfs{sys}.isNIC)
}

func see(messages ...[]byte) Links { return linksOf(messages, nil, nil) }

func TestProxmox(t *testing.T) {
	got := linksOf(proxmox()[1:], [][]byte{
		address(7, "192.0.2.10/24"), address(6, "198.51.100.10/24"), address(4, "2001:db8::10/64"),
		address(20, "203.0.113.1/24"), address(21, "203.0.113.2/24"), address(6, "192.0.2.9/24"),
	}, nil)
	want := Links{
		Bonds: []Bond{{
			Name: "bond0", Index: 5, Kind: Kernel, Mode: LACP, Up: true, Miimon: -1,
			Slaves: []Slave{{Name: "eno1", Index: 2, Carrier: true}, {Name: "eno2", Index: 3, Carrier: true}},
		}},
		NICs: []NIC{{Name: "eno3", Index: 4, Up: true}},
		Uppers: []Upper{
			{Name: "bond0.100", Index: 8, Kind: "vlan", VLAN: 100, Lowers: []int{5}},
			{Name: "vmbr0", Index: 6, Kind: "bridge", Lowers: []int{5}},
			{Name: "vmbr0.50", Index: 7, Kind: "vlan", VLAN: 50, Lowers: []int{6}},
			{Name: "vmbr0v100", Index: 9, Kind: "bridge", Lowers: []int{8}},
		},
		Addresses: []Address{
			{IP: "192.0.2.9", Bits: 24, Index: 6}, {IP: "192.0.2.10", Bits: 24, Index: 7},
			{IP: "198.51.100.10", Bits: 24, Index: 6}, {IP: "2001:db8::10", Bits: 64, Index: 4},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 3, 4}, got.Indexes()); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
}

func TestLinksSeenOnce(t *testing.T) {
	for _, tt := range []struct {
		name                string
		links               [][]byte
		bonds, nics, uppers []string
		indexes             []int
	}{
		{
			name: "a VLAN as slave is no upper",
			links: [][]byte{message(1, "eth0"), message(2, "eth0.5", lower(1), master(3),
				attr(unix.IFLA_LINKINFO, nil, attr(nl.IFLA_INFO_KIND, nl.ZeroTerminated(kindVLAN)),
					attr(nl.IFLA_INFO_SLAVE_KIND, nl.ZeroTerminated(kindBond)))), message(3, "bond0", kind(kindBond))},
			bonds: []string{"bond0"}, nics: []string{"eth0"}, indexes: []int{1, 2},
		},
		{
			name: "a slave is no NIC, whatever its kind",
			links: [][]byte{message(1, "eth0", enslaved(3)...), message(2, "ib0", append(enslaved(3), kind("ipoib"))...),
				message(3, "bond0", kind(kindBond))},
			bonds: []string{"bond0"}, indexes: []int{1, 2},
		},
		{
			name: "a VLAN on a slave, under two bridges' worth of stacking",
			links: [][]byte{message(1, "eth0", enslaved(3)...), message(2, "eth0.7", vlan(7), lower(1), master(4)),
				message(3, "bond0", kind(kindBond)),
				message(4, "br0", kind(kindBridge)), message(5, "br0.8", vlan(8), lower(4), master(6)),
				message(6, "br1", kind(kindBridge))},
			bonds: []string{"bond0"}, uppers: []string{"br0", "br0.8", "br1", "eth0.7"}, indexes: []int{1},
		},
		{
			name:  "a lower in another namespace is not ours of that number",
			links: [][]byte{message(1, "eth0"), message(2, "mv0", kind(kindMacVLAN), lower(1), u32(unix.IFLA_LINK_NETNSID, 0))},
			nics:  []string{"eth0"}, indexes: []int{1},
		},
		{
			name: "the bridge's own words about its ports",
			links: [][]byte{message(1, "eth0"), family(unix.AF_BRIDGE, message(1, "eth0", enslaved(2)...)),
				family(unix.AF_BRIDGE, message(3, "eth1"))},
			nics: []string{"eth0"}, indexes: []int{1},
		},
		{
			name:  "an InfiniBand port",
			links: [][]byte{message(1, "ib0", kind("ipoib"))},
			nics:  []string{"ib0"}, indexes: []int{1},
		},
		{
			name:  "bridges in a circle on nothing",
			links: [][]byte{message(1, "br0", kind(kindBridge), master(2)), message(2, "br1", kind(kindBridge), master(1))},
		},
		{
			name:  "a bond that is its own slave",
			links: [][]byte{message(1, "bond0", kind(kindBond), master(1))},
			bonds: []string{"bond0"},
		},
		{
			name: "a link told of twice, as in an interrupted dump",
			links: [][]byte{message(1, "eth0", enslaved(3)...), message(1, "eth0", enslaved(3)...), message(3, "bond0", kind(kindBond)),
				message(3, "bond0", kind(kindBond))},
			bonds: []string{"bond0"}, indexes: []int{1},
		},
		{
			name: "ports of team and of Open vSwitch's datapath are NICs, its internal ports use them",
			links: [][]byte{message(1, "eth0", master(5)), message(2, "eth1", master(6)), message(5, "team0", kind(kindTeam)),
				message(6, "ovs-system", kind(kindOVS)), message(7, "br-storage", kind(kindOVS)),
				message(8, "tap0", kind("tun"), master(6))},
			nics: []string{"eth0", "eth1"}, uppers: []string{"br-storage", "team0"}, indexes: []int{1, 2},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := see(tt.links...)
			var bonds, nics, uppers []string
			for _, b := range all.Bonds {
				bonds = append(bonds, b.Name)
			}
			for _, n := range all.NICs {
				nics = append(nics, n.Name)
			}
			for _, u := range all.Uppers {
				uppers = append(uppers, u.Name)
			}
			want := []any{tt.bonds, tt.nics, tt.uppers, tt.indexes}
			if diff := cmp.Diff(want, []any{bonds, nics, uppers, all.Indexes()}, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("bonds, NICs, uppers, indexes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLowers: a bridge uses only ports that lead to a bond or a NIC.
func TestLowers(t *testing.T) {
	ports := [][]byte{message(9, "br0", kind(kindBridge), master(9)),
		message(10, "mv0", kind(kindMacVLAN), lower(1), u32(unix.IFLA_LINK_NETNSID, 0), master(9))}
	for i := range 8 {
		ports = append(ports, message(8-i, fmt.Sprint("eth", i), master(9)))
	}
	got := see(ports...)
	if want := []int{1, 2, 3, 4, 5, 6, 7, 8}; len(got.Uppers) != 1 || !slices.Equal(got.Uppers[0].Lowers, want) {
		t.Errorf("got %+v, want br0 on %v", got.Uppers, want)
	}
}

func TestUp(t *testing.T) {
	for f, want := range map[uint32]bool{0: false, unix.IFF_UP: false, unix.IFF_LOWER_UP: false, ready: true} {
		got := see(flags(f, message(1, "eth0")), flags(f, message(2, "bond0", kind(kindBond))))
		if got.NICs[0].Up != want || got.Bonds[0].Up != want {
			t.Errorf("flags %#x: got %v and %v, want %v", f, got.NICs[0].Up, got.Bonds[0].Up, want)
		}
	}
}

// TestPointToPoint: on such a link IFA_ADDRESS is the remote address.
func TestPointToPoint(t *testing.T) {
	a := address(1, "192.0.2.1/32")
	far := attr(unix.IFA_ADDRESS, []byte{192, 0, 2, 2}).Serialize()
	copy(a[len(a)-len(far):], far)
	got := linksOf([][]byte{message(1, "eth0")}, [][]byte{a}, nil)
	if want := []Address{{IP: "192.0.2.1", Bits: 32, Index: 1}}; !slices.Equal(got.Addresses, want) {
		t.Errorf("got %v, want %v", got.Addresses, want)
	}
}

func TestOtherLinksAreNoNICs(t *testing.T) {
	loop := message(1, "lo")
	loop[8] |= unix.IFF_LOOPBACK
	tunnel := message(2, "sit0")
	tunnel[2], tunnel[3] = 0x08, 0x03 // ARPHRD_SIT
	if got := see(loop, tunnel, message(3, "d0", kind("dummy"))); len(got.NICs) != 0 {
		t.Errorf("got NICs %v, want none", got.NICs)
	}
	sys := fstest.MapFS{
		"class/net/eth0/ifindex": {Data: []byte("1\n")},
		"class/net/eth0/device":  {Mode: fs.ModeDir},
		"class/net/odd0/ifindex": {Data: []byte("2\n")},
	}
	got := linksOf([][]byte{message(1, "eth0"), message(2, "odd0"), message(3, "new0")}, nil, sys)
	if len(got.NICs) != 2 || got.NICs[0].Name != "eth0" || got.NICs[1].Name != "new0" {
		t.Errorf("got NICs %v, want eth0, which has a device, and new0, of which sysfs knows nothing", got.NICs)
	}
}

func TestUnknownNumbersAreCarriedThrough(t *testing.T) {
	b := see(
		message(1, "bond0", kind(kindBond, u8(nl.IFLA_BOND_MODE, 9), u8(nl.IFLA_BOND_XMIT_HASH_POLICY, 17))),
		message(2, "eth0", enslaved(1, u8(nl.IFLA_BOND_SLAVE_STATE, 5), u8(nl.IFLA_BOND_SLAVE_MII_STATUS, 6), u8(slaveChurnActor, 7))...),
	).Bonds[0]
	s := b.Slaves[0]
	if b.Mode != "9" || b.HashPolicy != "17" || s.State != "5" || s.MIIStatus != "6" || s.ActorChurn != "7" {
		t.Errorf("got %+v, want the numbers 9, 17, 5, 6, 7", b)
	}
}

func TestNotSaid(t *testing.T) {
	b := see(message(1, "bond0", kind(kindBond)), message(2, "eth0", enslaved(1)...)).Bonds[0]
	want := Bond{Name: "bond0", Index: 1, Kind: Kernel, Up: true, Miimon: -1,
		Slaves: []Slave{{Name: "eth0", Index: 2, Carrier: true}}}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDamagedMessages truncates a message at every byte: it never causes a panic, and
// is either read in full or counted as damaged.
func TestDamagedMessages(t *testing.T) {
	whole := message(1, "bond0", kind(kindBond, u8(nl.IFLA_BOND_MODE, 4),
		attr(nl.IFLA_BOND_AD_INFO, nil, attr(nl.IFLA_BOND_AD_INFO_AGGREGATOR, nl.Uint16Attr(1)))))
	for n := range whole {
		if n == unix.SizeofIfInfomsg+12 { // after the name, the last attribute of the message
			continue
		}
		if got := see(slices.Clone(whole[:n])); got.Damaged != 1 || len(got.Bonds) != 0 {
			t.Errorf("cut at %d of %d: got %+v", n, len(whole), got)
		}
	}
	got := see(
		message(1, "bond0", kind(kindBond, attr(nl.IFLA_BOND_MODE, nil))),
		message(2, "eth0", enslaved(1, attr(nl.IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE, []byte{1, 2, 3}))...))
	if len(got.Bonds) != 1 || got.Bonds[0].Mode != "" || got.Bonds[0].Slaves[0].Actor != nil {
		t.Errorf("values of a length that has no meaning: got %+v", got)
	}
	got = see(message(1, "bond0", kind(kindBond, u8(nl.IFLA_BOND_MODE, 4), attr(nl.IFLA_BOND_AD_INFO, []byte{6, 0, 1, 0, 1}))))
	if got.Damaged != 1 || len(got.Bonds) != 1 || got.Bonds[0].Mode != LACP || got.Bonds[0].AD != nil {
		t.Errorf("a damaged AD_INFO: got %+v", got)
	}
	if got := linksOf(nil, [][]byte{{1, 2, 3}, address(1, "192.0.2.1/24")[:10]}, nil); got.Damaged != 2 {
		t.Errorf("two damaged addresses: %d counted", got.Damaged)
	}
}

// crowd returns a host of n links: four bonds of two NICs under bridges; the rest are
// taps and their firewalls' veths and bridges.
func crowd(n int) [][]byte {
	var all [][]byte
	index := func() int { return len(all) + 1 }
	for b := range 4 {
		bond := index()
		all = append(all, message(bond, fmt.Sprint("bond", b), kind(kindBond, u8(nl.IFLA_BOND_MODE, 4)), master(bond+3)))
		for s := range 2 {
			all = append(all, message(index(), fmt.Sprintf("eno%d%d", b, s), enslaved(bond, u8(nl.IFLA_BOND_SLAVE_STATE, 0))...))
		}
		all = append(all, message(index(), fmt.Sprint("vmbr", b), kind(kindBridge)))
	}
	for vm := 0; len(all) < n; vm++ {
		br := index()
		all = append(all, message(br, fmt.Sprintf("fwbr%di0", vm), kind(kindBridge)),
			message(br+1, fmt.Sprintf("tap%di0", vm), kind("tun"), master(br)),
			message(br+2, fmt.Sprintf("fwln%di0", vm), kind("veth"), master(br), lower(br+3)),
			message(br+3, fmt.Sprintf("fwpr%dp0", vm), kind("veth"), master(4), lower(br+2)))
	}
	return all[:n]
}

func TestCrowd(t *testing.T) {
	got := see(crowd(3000)...)
	if len(got.Bonds) != 4 || len(got.NICs) != 0 || len(got.Uppers) != 4 || got.Damaged != 0 {
		t.Errorf("got %d bonds, %d NICs, %d uppers, %d damaged; want 4, 0, 4, 0",
			len(got.Bonds), len(got.NICs), len(got.Uppers), got.Damaged)
	}
}
