package ceph

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// An address is the scope of a Ceph entity address (src/msg/msg_types.h): one client,
// all clients of an IP, or all of a network.
type address struct {
	net   netip.Prefix // one IP, or a network
	port  uint16
	nonce uint32
	bare  bool // true if neither port nor nonce was given
	named bool // true if the nonce was given
}

// parseAddress parses IP, IP:PORT, IP:PORT/NONCE, IP/BITS and cidr:IP:0/BITS, with or
// without a leading v1:, v2: or any:. IPv6 is in brackets if a port follows.
func parseAddress(s string) (address, bool) {
	for _, kind := range []string{"v1:", "v2:", "any:", "legacy:", "msgr2:"} {
		if rest, ok := strings.CutPrefix(s, kind); ok {
			s = rest
			break
		}
	}
	if network, ok := strings.CutPrefix(s, "cidr:"); ok {
		return parseNetwork(network)
	}
	host, tail, slash := strings.Cut(s, "/")
	if ip, err := netip.ParseAddr(host); err == nil {
		if slash {
			return parseNetwork(s)
		}
		return newAddress(address{bare: true}, ip)
	}
	pair, err := netip.ParseAddrPort(host)
	if err != nil {
		return address{}, false
	}
	a := address{port: pair.Port(), named: slash}
	if slash {
		nonce, err := strconv.ParseUint(tail, 10, 32)
		if err != nil {
			return address{}, false
		}
		a.nonce = uint32(nonce)
	}
	return newAddress(a, pair.Addr())
}

// newAddress returns an address with one IP.
func newAddress(a address, ip netip.Addr) (address, bool) {
	if ip.Zone() != "" {
		return address{}, false
	}
	ip = ip.Unmap()
	a.net = netip.PrefixFrom(ip, ip.BitLen())
	return a, true
}

// parseNetwork parses IP/BITS and IP:0/BITS.
func parseNetwork(s string) (address, bool) {
	host, bits, _ := strings.Cut(s, "/")
	if pair, err := netip.ParseAddrPort(host); err == nil {
		host = pair.Addr().String()
	}
	p, err := netip.ParsePrefix(host + "/" + bits)
	if err != nil || p.Addr().Is4In6() {
		return address{}, false
	}
	return address{net: p.Masked(), bare: true}, true
}

// String returns the address in the form of [NormalAddr].
func (a address) String() string {
	switch {
	case a.net.Bits() < a.net.Addr().BitLen():
		return a.net.String()
	case a.bare:
		return a.net.Addr().String()
	case !a.named:
		return netip.AddrPortFrom(a.net.Addr(), a.port).String()
	}
	return fmt.Sprintf("%s/%d", netip.AddrPortFrom(a.net.Addr(), a.port), a.nonce)
}

// blocks reports whether a blocklist entry a blocks b, as OSDMap::is_blocklisted
// decides (src/osd/OSDMap.cc): a is the same address, the whole IP or the network.
// For a bare IP b, it reports whether a blocks any client of b.
func (a address) blocks(b address) bool {
	if !a.net.Contains(b.net.Addr()) || a.net.Bits() > b.net.Bits() {
		return false
	}
	return a.bare || b.bare || a.port == 0 && a.nonce == 0 || a.port == b.port && a.nonce == b.nonce
}

// NormalAddr returns an entity address in the form in which the kernel prints
// client_addr: 192.0.2.7:0/3141592653, [2001:db8::7]:0/77, without a leading v1:, v2:
// or any:. A network becomes 203.0.113.0/24; a bare IP is unchanged. Text that is not
// an address is returned as text of at most 512 bytes.
func NormalAddr(s string) string {
	if a, ok := parseAddress(s); ok {
		return a.String()
	}
	return text(s)
}

// Blocking returns the entries that block one of addrs, in entries' order. addrs are
// clients' addresses (192.0.2.7:0/3141592653) or IPs. A client is blocked by an entry
// for itself, for its IP (IP:0/0) or for a network; for an IP, all entries that block
// any of its clients are returned.
func Blocking(entries []Entry, addrs []string) []Entry {
	var own []address
	for _, s := range addrs {
		if a, ok := parseAddress(s); ok {
			own = append(own, a)
		}
	}
	var found []Entry
	for _, e := range entries {
		a, ok := parseAddress(e.Addr)
		for i := 0; ok && i < len(own); i++ {
			if a.blocks(own[i]) {
				found = append(found, e)
				break
			}
		}
	}
	return found
}

// BlocklistFor returns the entries of the cluster's blocklist that block one of
// addrs: see [Blocking]. They may have expired: see Entry.Until.
func (c Cluster) BlocklistFor(addrs ...string) []Entry {
	return Blocking(c.Blocklist, addrs)
}
