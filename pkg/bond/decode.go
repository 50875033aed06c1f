package bond

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// decode returns the Links in the payloads of the replies to an RTM_GETLINK and an
// RTM_GETADDR dump (rtnetlink(7)). sys is the tree at /sys, the source of the order
// of enslavement, speed, duplex, driver and bus; if it is nil, these stay unknown.
//
// Damaged messages are counted in Links.Damaged and left out.
func decode(links, addresses [][]byte, sys sysfs, isNIC func(link) bool) Links {
	g := graph{map[int]link{}, isNIC}
	damaged := g.add(links)
	all := g.picture()
	all.Damaged += damaged
	sys.fill(&all)
	all.addAddresses(addresses)
	return all
}

// add adds the messages that matter and returns how many were damaged.
func (g graph) add(messages [][]byte) (damaged int) {
	for _, m := range messages {
		l, ok := decodeLink(m)
		switch {
		case !ok:
			damaged++
		case l.family == unix.AF_UNSPEC && g.matters(l):
			g.links[l.index] = l
		}
	}
	return damaged
}

// addAddresses adds the addresses that belong to a link of l.
func (l *Links) addAddresses(messages [][]byte) {
	ours := map[int]bool{}
	for _, b := range l.Bonds {
		ours[b.Index] = true
	}
	for _, n := range l.NICs {
		ours[n.Index] = true
	}
	for _, u := range l.Uppers {
		ours[u.Index] = true
	}
	type found struct {
		ip netip.Addr
		Address
	}
	var all []found
	for _, m := range messages {
		ip, a, ok := decodeAddress(m)
		switch {
		case !ok:
			l.Damaged++
		case ours[a.Index]:
			all = append(all, found{ip, a})
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		if c := a.ip.Compare(b.ip); c != 0 {
			return c
		}
		return a.Index - b.Index
	})
	for _, f := range all {
		l.Addresses = append(l.Addresses, f.Address)
	}
}

// decodeAddress decodes the payload of an RTM_NEWADDR message (struct ifaddrmsg and
// its attributes). On a point-to-point link IFA_ADDRESS is the remote address and
// IFA_LOCAL the local one; for IPv6 the kernel sends IFA_LOCAL only there.
func decodeAddress(m []byte) (netip.Addr, Address, bool) {
	if len(m) < unix.SizeofIfAddrmsg {
		return netip.Addr{}, Address{}, false
	}
	var local, address netip.Addr
	whole := attrs(m[unix.SizeofIfAddrmsg:], func(typ uint16, v []byte) {
		switch typ {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(v)
		}
	})
	if local.IsValid() {
		address = local
	}
	a := Address{IP: address.String(), Bits: int(m[1]), Index: int(int32(binary.NativeEndian.Uint32(m[4:])))}
	return address, a, whole && address.IsValid()
}
