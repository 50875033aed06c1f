package lab

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A flow is one kind of frame, with the fields that a bond's hash policy evaluates.
type flow struct {
	policy       string
	vlan         uint16 // VLAN device on the bond on which it was sent; 0: none
	kind         string // tcp, udp, tcp6, fragment, echo, ipip, arp, other
	srcMAC       net.HardwareAddr
	dstMAC       net.HardwareAddr
	src, dst     netip.Addr // invalid without IP
	sport, dport uint16     // for an echo request, sport is the identifier; for ipip, the inner ports
	inner        [2]netip.Addr
}

// A row is a flow and the slave that the kernel chose for it, numbered from 0 in the
// order in which the slaves were added.
type row struct {
	flow
	slave int
}

func (r row) String() string {
	addr := func(a netip.Addr) string {
		if !a.IsValid() {
			return "-"
		}
		return a.String()
	}
	return strings.Join([]string{r.policy, fmt.Sprint(r.vlan), r.kind, r.srcMAC.String(), r.dstMAC.String(),
		addr(r.src), fmt.Sprint(r.sport), addr(r.dst), fmt.Sprint(r.dport), addr(r.inner[0]), addr(r.inner[1]), fmt.Sprint(r.slave)}, "\t")
}

func parseRow(line string) (r row, err error) {
	f := strings.Split(line, "\t")
	if len(f) != 12 {
		return r, fmt.Errorf("%d fields, want 12", len(f))
	}
	r.policy, r.kind = f[0], f[2]
	number := func(text string) uint16 {
		n, e := strconv.ParseUint(text, 10, 16)
		if e != nil {
			err = e
		}
		return uint16(n)
	}
	addr := func(text string) (a netip.Addr) {
		if text != "-" {
			var e error
			if a, e = netip.ParseAddr(text); e != nil {
				err = e
			}
		}
		return a
	}
	r.vlan, r.sport, r.dport, r.slave = number(f[1]), number(f[6]), number(f[8]), int(number(f[11]))
	r.src, r.dst, r.inner = addr(f[5]), addr(f[7]), [2]netip.Addr{addr(f[9]), addr(f[10])}
	for i, mac := range []*net.HardwareAddr{&r.srcMAC, &r.dstMAC} {
		var e error
		if *mac, e = net.ParseMAC(f[3+i]); e != nil {
			err = e
		}
	}
	return r, err
}

// A release is a kernel's version.
type release struct{ major, minor int }

func (k release) before(major, minor int) bool {
	return k.major < major || k.major == major && k.minor < minor
}

// hash returns the hash that the bonding driver computes
// (drivers/net/bonding/bond_main.c, __bond_xmit_hash; net/core/flow_dissector.c for
// the encap policies), on a little-endian machine.
func (f flow) hash(k release) uint32 {
	switch {
	case f.policy == "vlan+srcmac":
		three := func(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
		return uint32(f.vlan) ^ three(f.srcMAC[:3]) ^ three(f.srcMAC[3:])
	case f.policy == "layer2" || !f.dissected():
		return f.ethernet(k)
	}
	var h uint32
	switch f.policy {
	case "layer2+3", "encap2+3":
		h = f.ethernet(k)
	case "layer3+4", "encap3+4":
		h = f.transport()
	}
	src, dst := f.addresses()
	h ^= word(dst) ^ word(src)
	h ^= h >> 16
	h ^= h >> 8
	if strings.HasSuffix(f.policy, "3+4") || k.before(5, 18) {
		h >>= 1
	}
	return h
}

// dissected reports whether the driver parses more of the frame than Ethernet. For
// the encap policies it uses the flow dissector, which supports ARP but takes no
// addresses from it.
func (f flow) dissected() bool {
	return f.kind != "other" && (f.kind != "arp" || strings.HasPrefix(f.policy, "encap"))
}

func (f flow) etherType() uint16 {
	switch f.kind {
	case "tcp6":
		return 0x86dd
	case "arp":
		return 0x0806
	case "other":
		return 0x88b5 // EtherType for local experiments (IEEE 802)
	}
	return 0x0800
}

// ethernet computes bond_eth_hash. Before 5.15 it used the type in network byte
// order.
func (f flow) ethernet(k release) uint32 {
	kind := f.etherType()
	if k.before(5, 15) {
		kind = kind<<8 | kind>>8
	}
	return uint32(f.dstMAC[5]) ^ uint32(f.srcMAC[5]) ^ uint32(kind)
}

// transport returns the fourth-layer part of the hash: both ports, or type, code and
// identifier of an echo request.
func (f flow) transport() uint32 {
	switch {
	case f.kind == "echo":
		return 8 | uint32(f.sport)<<16
	case f.kind == "fragment", f.kind == "arp", f.kind == "ipip" && !strings.HasPrefix(f.policy, "encap"):
		return 0
	}
	b := binary.BigEndian.AppendUint16(nil, f.sport)
	return binary.LittleEndian.Uint32(binary.BigEndian.AppendUint16(b, f.dport))
}

func (f flow) addresses() (src, dst netip.Addr) {
	switch {
	case f.kind == "arp":
		return netip.Addr{}, netip.Addr{}
	case f.kind == "ipip" && strings.HasPrefix(f.policy, "encap"):
		return f.inner[0], f.inner[1]
	}
	return f.src, f.dst
}

// word returns an address as a number: for IPv6, the XOR of its four words.
func word(a netip.Addr) (w uint32) {
	for b := a.AsSlice(); len(b) >= 4; b = b[4:] {
		w ^= binary.LittleEndian.Uint32(b)
	}
	return w
}

// TestKernelChoosesByTheHash compares the tables of real kernels' choices, as
// observed by the switch, with the computation.
func TestKernelChoosesByTheHash(t *testing.T) {
	tables, err := filepath.Glob("testdata/hash-*.txt")
	if err != nil || len(tables) == 0 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, name := range tables {
		t.Run(filepath.Base(name), func(t *testing.T) { checkTable(t, name) })
	}
}

func checkTable(t *testing.T, name string) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var k release
	var slaves, rows int
	seen := map[string]map[int]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "#") {
			// The other header lines are for human readers.
			_, _ = fmt.Sscanf(line, "# Linux %d.%d", &k.major, &k.minor)
			_, _ = fmt.Sscanf(line, "# slaves: %d", &slaves)
			continue
		}
		r, err := parseRow(line)
		if err != nil || slaves == 0 || k.major == 0 {
			t.Fatalf("%q: %v", line, err)
		}
		if got := int(r.hash(k) % uint32(slaves)); got != r.slave {
			t.Errorf("computed slave %d (hash %#x): %s", got, r.hash(k), line)
		}
		rows++
		if seen[r.policy] == nil {
			seen[r.policy] = map[int]bool{}
		}
		seen[r.policy][r.slave] = true
	}
	if rows < 200 || len(seen) < 5 {
		t.Errorf("%d rows of %d policies", rows, len(seen))
	}
	for policy, chosen := range seen {
		if len(chosen) != slaves {
			t.Errorf("%s: only slaves %v of %d were chosen", policy, chosen, slaves)
		}
	}
}
