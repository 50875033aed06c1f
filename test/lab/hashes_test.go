//go:build lab

package lab

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// kinds are the kinds of frames that a bond may treat differently.
var kinds = []string{"tcp", "udp", "tcp6", "fragment", "echo", "ipip", "arp", "other"}

const columns = "policy\tvlan\tkind\tsource MAC\tdestination MAC\tsource\tport\tdestination\tport\tinner source\tinner destination\tslave"

// policies are all policies of bonding; those that a kernel does not support are left
// out.
var policies = []string{"layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4", "vlan+srcmac"}

const vlan = 5

// For each policy, the kernel chooses the slave that its hash determines: flows are
// sent on a bond of three slaves, and the switch reports on which port each arrived.
// With LAB_SAMPLES, the table is written there.
func TestHashPolicies(t *testing.T) {
	l := scenario(t)
	l.unbond()
	l.plugEth2()
	slaves := append([]string{"eth2"}, nics...) // sorted by index, it would be the last
	l.Switch.SetChannel(ethswitch.Static, ethswitch.Layer2)
	l.afterwards("ip link del bond0; for n in %s; do ip link set $n down; done", strings.Join(slaves, " "))
	l.sh(`ip link add bond0 type bond mode balance-xor miimon 100
for n in %s; do ip link set $n down; ip link set $n master bond0; done
ip link set bond0 up
ip link add link bond0 name bond0.%d type vlan id %d
ip link set bond0.%d up`, strings.Join(slaves, " "), vlan, vlan, vlan)
	l.waitSh(`[ "$(grep -c 'MII Status: up' /proc/net/bonding/bond0)" = %d ]`, 1+len(slaves))
	k := l.release()
	var rows []row
	for _, policy := range policies {
		_, code, err := l.Guest.Run(l.ctx, "sh", "-c", "echo "+policy+" >/sys/class/net/bond0/bonding/xmit_hash_policy")
		if err != nil {
			l.environment("%v", err)
		}
		if code != 0 {
			t.Logf("Linux %s does not know %s", l.Kernel.Version, policy)
			if policy != "vlan+srcmac" { // added in 5.12
				t.Errorf("%s is not set", policy)
			}
			continue
		}
		chosen, used := l.chosen(policy, slaves), map[int]bool{}
		for _, r := range chosen {
			used[r.slave] = true
		}
		if len(used) != len(slaves) {
			t.Errorf("%s: %d of %d slaves were chosen", policy, len(used), len(slaves))
		}
		rows = append(rows, chosen...)
	}
	for _, r := range rows {
		if got := int(r.hash(k) % uint32(len(slaves))); got != r.slave {
			t.Errorf("computed slave %d (hash %#x): %s", got, r.hash(k), r)
		}
	}
	l.writeTable(rows, len(slaves))
}

// chosen sends flows under a policy and returns the slave of each.
func (l *Lab) chosen(policy string, slaves []string) (rows []row) {
	l.t.Helper()
	flows := someFlows(policy)
	var mu sync.Mutex
	port := map[int]string{}
	l.Switch.SetWatch(func(name string, frame []byte) {
		var n int
		if at := strings.LastIndex(string(frame), mark); at >= 0 {
			if _, err := fmt.Sscanf(string(frame[at:]), mark+"%d.", &n); err == nil {
				mu.Lock()
				port[n] = name
				mu.Unlock()
			}
		}
	})
	defer l.Switch.SetWatch(nil)
	for link, id := range map[string]uint16{"bond0": 0, fmt.Sprintf("bond0.%d", vlan): vlan} {
		var file []byte
		for n, f := range flows {
			if f.vlan == id {
				frame := f.frame(n)
				file = append(binary.BigEndian.AppendUint32(file, uint32(len(frame))), frame...)
			}
		}
		if err := l.Guest.Put(l.ctx, "/tmp/frames", 0o600, file); err != nil {
			l.environment("%v", err)
		}
		l.sh("agent send %s /tmp/frames", link)
	}
	err := wait(l.ctx, 10*time.Second, func() (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return len(port) == len(flows), nil
	})
	mu.Lock()
	defer mu.Unlock()
	if err != nil {
		l.t.Errorf("%s: only %d of %d frames came to the switch", policy, len(port), len(flows))
	}
	for n, f := range flows {
		for i, name := range slaves {
			if port[n] == name {
				rows = append(rows, row{f, i})
			}
		}
	}
	return rows
}

// mark precedes the number in each frame.
const mark = "flow "

// someFlows returns flows of all kinds, the same in each run.
func someFlows(policy string) (flows []flow) {
	r := rand.New(rand.NewPCG(1, 2))
	mac := func() net.HardwareAddr {
		m := make(net.HardwareAddr, 6)
		for i := range m {
			m[i] = byte(r.Uint32())
		}
		m[0] = m[0]&^1 | 2 // unicast, locally administered
		return m
	}
	v4 := func() netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + r.Uint32N(254))}) }
	v6 := func() netip.Addr {
		a := netip.MustParseAddr("2001:db8::").As16()
		binary.BigEndian.PutUint64(a[8:], r.Uint64())
		return netip.AddrFrom16(a)
	}
	for i := range 64 {
		f := flow{policy: policy, kind: kinds[i%len(kinds)], srcMAC: mac(), dstMAC: mac()}
		if i >= 48 {
			f.vlan = vlan
		}
		switch f.kind {
		case "arp", "other":
		case "tcp6":
			f.src, f.dst = v6(), v6()
		default:
			f.src, f.dst = v4(), v4()
		}
		if f.kind == "ipip" {
			f.inner = [2]netip.Addr{v4(), v4()}
		}
		if f.src.IsValid() {
			f.sport, f.dport = uint16(1024+r.Uint32N(60000)), uint16(6800+r.Uint32N(500))
		}
		if f.kind == "echo" {
			f.dport = 0
		}
		flows = append(flows, f)
	}
	return flows
}

// frame returns the flow as an Ethernet frame that contains its number.
func (f flow) frame(n int) []byte {
	b := append(append([]byte(nil), f.dstMAC...), f.srcMAC...)
	b = binary.BigEndian.AppendUint16(b, f.etherType())
	return append(b, f.packet([]byte(fmt.Sprintf("%s%d.%s", mark, n, strings.Repeat(" ", 60))))...)
}

func (f flow) packet(data []byte) []byte {
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, f.sport), f.dport)
	tcp := append(append(ports, 0, 0, 0, 1, 0, 0, 0, 0, 5<<4, 16, 1, 0, 0, 0, 0, 0), data...)
	udp := append(append(ports[:4:4], 0, byte(8+len(data)), 0, 0), data...)
	switch f.kind {
	case "tcp":
		return ipv4(f.src, f.dst, 6, 0, tcp)
	case "udp":
		return ipv4(f.src, f.dst, 17, 0, udp)
	case "fragment":
		return ipv4(f.src, f.dst, 17, 0x2000, udp)
	case "echo":
		return ipv4(f.src, f.dst, 1, 0, append([]byte{8, 0, 0, 0, byte(f.sport >> 8), byte(f.sport), 0, 1}, data...))
	case "ipip":
		return ipv4(f.src, f.dst, 4, 0, ipv4(f.inner[0], f.inner[1], 6, 0, tcp))
	case "tcp6":
		b := []byte{6 << 4, 0, 0, 0, 0, byte(len(tcp)), 6, 64}
		b = append(append(b, f.src.AsSlice()...), f.dst.AsSlice()...)
		return append(b, tcp...)
	case "arp":
		return append([]byte{0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 198, 51, 100, 1, 0, 0, 0, 0, 0, 0, 198, 51, 100, 2}, data...)
	}
	return data
}

func ipv4(src, dst netip.Addr, proto byte, fragment uint16, data []byte) []byte {
	b := []byte{4<<4 | 5, 0, 0, byte(20 + len(data)), 0, 1, byte(fragment >> 8), byte(fragment), 64, proto, 0, 0}
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(b, data...)
}

// writeTable writes the flows and their slaves to LAB_SAMPLES.
func (l *Lab) writeTable(rows []row, slaves int) {
	l.t.Helper()
	root := os.Getenv("LAB_SAMPLES")
	if root == "" {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Linux %s: which slave a bond chose for which frame, as the switch saw it.\n", l.Kernel.Version)
	fmt.Fprintf(&b, "# slaves: %d, counted from 0 in the order in which they were added; mode balance-xor\n", slaves)
	b.WriteString("# Made by `make lab-samples`; frames were sent by a packet socket on the bond, those with a VLAN on its VLAN device.\n")
	fmt.Fprintf(&b, "# %s\n", columns)
	for _, r := range rows {
		fmt.Fprintln(&b, r)
	}
	dir := filepath.Join(root, l.Kernel.Version)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "hash-"+l.Kernel.Version+".txt"), []byte(b.String()), 0o644)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// waitSh waits until a script in the guest succeeds.
func (l *Lab) waitSh(format string, args ...any) {
	l.t.Helper()
	script := fmt.Sprintf(format, args...)
	err := wait(l.ctx, 20*time.Second, func() (bool, error) {
		_, code, err := l.Guest.Run(l.ctx, "sh", "-c", script)
		return code == 0 && err == nil, err
	})
	if err != nil {
		l.environment("%s: %v", script, err)
	}
}
