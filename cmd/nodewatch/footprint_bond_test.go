package main

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addBond creates a bond, with two veth pairs instead of NICs, and its files in
// sysfs. The first bond carries the guests' bridge, which has the address of krbd's
// client. On a kernel without bonding it logs this and creates none.
func (h *hypervisor) addBond(b testing.TB, i int, bridge *netlink.Bridge) error {
	bond := netlink.NewLinkBond(netlink.NewLinkAttrs())
	bond.Mode, bond.XmitHashPolicy, bond.Miimon = netlink.BOND_MODE_802_3AD, netlink.BOND_XMIT_HASH_POLICY_LAYER2, 100
	master := 0
	if i == 0 {
		master = bridge.Index
	}
	name := fmt.Sprintf("bond%d", i)
	err := addLink(bond, name, master)
	if errors.Is(err, unix.EOPNOTSUPP) {
		b.Logf("there is no %s: this kernel has no bonding", name)
		return nil
	}
	if err != nil {
		return err
	}
	h.nic(b, name, bond.Index)
	slaves := []string{fmt.Sprintf("eno%d", 2*i+1), fmt.Sprintf("eno%d", 2*i+2)}
	for _, slave := range slaves {
		if err := h.addSlave(b, slave, bond.Index); err != nil {
			return err
		}
	}
	h.file(b, "sys/class/net/"+name+"/bonding/slaves", slaves[0]+" "+slaves[1]+"\n")
	if i > 0 {
		return nil
	}
	return netlink.AddrAdd(bridge, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(hostAddr).To4(), Mask: net.CIDRMask(24, 32)}})
}

// addSlave makes one end of a veth pair a slave. A slave must be down to be added.
func (h *hypervisor) addSlave(b testing.TB, name string, bond int) error {
	pair := &netlink.Veth{PeerName: name + "peer"}
	pair.Name = name
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	end := &netlink.Device{}
	if err := addLink(end, name, bond); err != nil {
		return err
	}
	h.nic(b, name, end.Index)
	return addLink(&netlink.Device{}, pair.PeerName, 0)
}

// nicCounters are the files of /sys/class/net/*/statistics that are read; the
// changing ones come first.
var nicCounters = []string{
	"rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped",
	"rx_over_errors", "rx_crc_errors", "rx_frame_errors", "rx_fifo_errors", "rx_missed_errors",
	"tx_carrier_errors", "tx_fifo_errors", "rx_nohandler",
}

// nic creates the sysfs files of a bond or NIC.
func (h *hypervisor) nic(b testing.TB, name string, index int) {
	dir := "sys/class/net/" + name + "/"
	h.file(b, dir+"ifindex", fmt.Sprintln(index))
	h.file(b, dir+"speed", "10000\n")
	h.file(b, dir+"duplex", "full\n")
	h.link(b, dir+"device", "../../../0000:41:00.0")
	for _, counter := range nicCounters {
		h.file(b, dir+"statistics/"+counter, fmt.Sprintf("%20d\n", 0))
	}
	h.nics = append(h.nics, name)
}
