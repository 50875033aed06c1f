package bond

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files")

// A sample is what one machine's kernel reported about its links.
type sample struct {
	name  string
	links [][]byte // recorded replies to an RTM_GETLINK dump
	json  []ipLink // ip -d -j link, at the same time
	addrs [][]byte // derived from ip -j addr
	sys   fstest.MapFS
}

// ipLink is iproute2's output for a link.
type ipLink struct {
	Index   int      `json:"ifindex"`
	Name    string   `json:"ifname"`
	Flags   []string `json:"flags"`
	MTU     int      `json:"mtu"`
	Master  string   `json:"master"`
	Address string   `json:"address"`
	Bus     string   `json:"parentdev"`
	Info    struct {
		Kind  string         `json:"info_kind"`
		Data  map[string]any `json:"info_data"`
		Slave map[string]any `json:"info_slave_data"`
	} `json:"linkinfo"`
	Addresses []struct {
		Local string `json:"local"`
		Bits  int    `json:"prefixlen"`
	} `json:"addr_info"`
}

func samples(t testing.TB) []sample {
	t.Helper()
	dirs, err := filepath.Glob("testdata/dumps/*")
	if err != nil || len(dirs) < 14 {
		t.Fatalf("%d samples, %v", len(dirs), err)
	}
	var all []sample
	for _, dir := range dirs {
		s := sample{name: filepath.Base(dir), sys: fstest.MapFS{}}
		s.links = payloads(t, readFile(t, dir+"/rtm-getlink-dump.bin"))
		unmarshal(t, dir+"/ip-d-j-link.json", &s.json)
		var withAddresses []ipLink
		unmarshal(t, dir+"/ip-j-addr.json", &withAddresses)
		for _, l := range withAddresses {
			for _, a := range l.Addresses {
				s.addrs = append(s.addrs, address(l.Index, fmt.Sprintf("%s/%d", a.Local, a.Bits)))
			}
		}
		for _, link := range []string{"bond0", "eth0", "eth1"} {
			s.addSys(link, string(readFile(t, dir+"/sys-class-net-"+link)))
		}
		all = append(all, s)
	}
	return all
}

// addSys adds files from lines of path:content.
func (s *sample) addSys(link, lines string) {
	for line := range strings.Lines(lines) {
		name, content, _ := strings.Cut(line, ":")
		s.sys["class/net/"+link+"/"+name] = &fstest.MapFile{Data: []byte(content)}
	}
	for _, l := range s.json {
		if l.Name == link {
			s.sys["class/net/"+link+"/ifindex"] = &fstest.MapFile{Data: fmt.Appendln(nil, l.Index)}
		}
	}
	if link != "bond0" {
		s.sys["class/net/"+link+"/device"] = &fstest.MapFile{Mode: fs.ModeDir}
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unmarshal(t testing.TB, name string, into any) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, name), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// payloads returns the payloads of the RTM_NEWLINK messages in a recorded reply.
func payloads(t testing.TB, dump []byte) [][]byte {
	t.Helper()
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, m := range messages {
		if m.Header.Type == unix.RTM_NEWLINK {
			out = append(out, m.Data)
		}
	}
	return out
}

func TestSamplesGolden(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			got, err := json.MarshalIndent(linksOf(s.links, s.addrs, s.sys), "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := "testdata/golden/" + s.name + ".json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readFile(t, golden)), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSamplesAgreeWithIproute2 compares with the output of ip(8) for the same kernel
// state.
func TestSamplesAgreeWithIproute2(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			all := linksOf(s.links, s.addrs, s.sys)
			if len(all.Bonds) != 1 || len(all.NICs) != 0 || all.Damaged != 0 {
				t.Fatalf("got %d bonds, %d NICs, %d damaged; want 1, 0, 0", len(all.Bonds), len(all.NICs), all.Damaged)
			}
			b := all.Bonds[0]
			for _, l := range s.json {
				switch {
				case l.Info.Kind == "bond":
					compare(t, "bond", ipBond(l), bondAsIP(b))
				case l.Master == b.Name:
					i := slices.IndexFunc(b.Slaves, func(p Slave) bool { return p.Index == l.Index })
					if i < 0 {
						t.Fatalf("%s is not among the slaves", l.Name)
					}
					compare(t, l.Name, ipSlave(l), slaveAsIP(b.Slaves[i]))
				}
			}
		})
	}
}

func compare(t *testing.T, what string, want, got map[string]any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-ip +ours):\n%s", what, diff)
	}
}

// Both sides of a comparison are maps of strings and numbers without unreported
// values.
func ipBond(l ipLink) map[string]any {
	m := map[string]any{"name": l.Name, "index": float64(l.Index), "mtu": float64(l.MTU), "mac": l.Address,
		"up": slices.Contains(l.Flags, "UP") && slices.Contains(l.Flags, "LOWER_UP")}
	for _, k := range []string{"mode", "xmit_hash_policy", "miimon", "active_slave", "tlb_dynamic_lb"} {
		if v, ok := l.Info.Data[k]; ok {
			m[k] = v
		}
	}
	if l.Info.Data["mode"] == "802.3ad" {
		for _, k := range []string{"ad_lacp_rate", "ad_lacp_active", "ad_select", "ad_info"} {
			if v, ok := l.Info.Data[k]; ok {
				m[k] = v
			}
		}
	}
	return m
}

func bondAsIP(b Bond) map[string]any {
	m := map[string]any{"name": b.Name, "index": float64(b.Index), "mtu": float64(b.MTU), "mac": b.MAC, "up": b.Up,
		"mode": string(b.Mode), "xmit_hash_policy": string(b.HashPolicy), "miimon": float64(b.Miimon)}
	said(m, "active_slave", b.Active)
	said(m, "ad_lacp_rate", b.LACPRate)
	said(m, "ad_lacp_active", b.LACPActive)
	said(m, "ad_select", b.ADSelect)
	if b.DynamicLB != nil {
		m["tlb_dynamic_lb"] = map[bool]float64{true: 1}[*b.DynamicLB]
	}
	if b.AD != nil {
		m["ad_info"] = map[string]any{"aggregator": float64(b.AD.Aggregator), "num_ports": float64(b.AD.Ports),
			"actor_key": float64(b.AD.ActorKey), "partner_key": float64(b.AD.PartnerKey), "partner_mac": b.AD.PartnerMAC}
	}
	return m
}

func said(m map[string]any, key, text string) {
	if text != "" {
		m[key] = text
	}
}

func ipSlave(l ipLink) map[string]any {
	m := map[string]any{"index": float64(l.Index), "mtu": float64(l.MTU),
		"carrier": slices.Contains(l.Flags, "LOWER_UP"), "bus": l.Bus}
	for k, v := range l.Info.Slave {
		if list, ok := v.([]any); ok { // the bits of a port state
			text := strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
			if text == "" {
				text = "none"
			}
			v = text
		}
		if k != "prio" && k != "queue_id" {
			m[k] = v
		}
	}
	return m
}

func slaveAsIP(s Slave) map[string]any {
	m := map[string]any{"index": float64(s.Index), "mtu": float64(s.MTU), "carrier": s.Carrier, "bus": s.Bus,
		"state": s.State, "mii_status": s.MIIStatus, "link_failure_count": float64(s.LinkFailures), "perm_hwaddr": s.PermMAC}
	if s.Aggregator != 0 {
		m["ad_aggregator_id"] = float64(s.Aggregator)
	}
	for key, state := range map[string]*PortState{"ad_actor_oper_port_state": s.Actor, "ad_partner_oper_port_state": s.Partner} {
		if state != nil {
			m[key], m[key+"_str"] = float64(*state), state.String()
		}
	}
	return m
}

// TestSamplesAgreeWithLibrary compares with netlink.LinkDeserialize where that
// decodes the same attributes.
func TestSamplesAgreeWithLibrary(t *testing.T) {
	for _, s := range samples(t) {
		for _, m := range s.links {
			want, err := netlink.LinkDeserialize(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := decodeLink(m)
			if !ok {
				t.Fatalf("%s: %s is damaged", s.name, want.Attrs().Name)
			}
			a := want.Attrs()
			if got.index != a.Index || got.name != a.Name || got.mtu != a.MTU || got.master != a.MasterIndex ||
				got.lower != a.ParentIndex || got.flags != a.RawFlags || got.parent != a.ParentDev {
				t.Errorf("%s: %s is %+v, want %+v", s.name, a.Name, got, a)
			}
			if want, ok := want.(*netlink.Bond); ok {
				b, active, _ := got.bond()
				policy, _ := b.HashPolicy.Number()
				if b.Mode != Mode(want.Mode.String()) || policy != int(want.XmitHashPolicy) ||
					active != max(want.ActiveSlave, 0) || b.Miimon != want.Miimon {
					t.Errorf("%s: bond is %+v, want %+v", s.name, b, want)
				}
			}
		}
	}
}

// TestSamplesChurn compares with /proc/net/bonding, the only other source of the
// churn state. Linux before 6.1.y does not send it.
func TestSamplesChurn(t *testing.T) {
	for _, s := range samples(t) {
		proc := string(readFile(t, "testdata/dumps/"+s.name+"/proc-net-bonding-bond0"))
		for _, p := range linksOf(s.links, nil, nil).Bonds[0].Slaves {
			want := ""
			if _, after, ok := strings.Cut(proc, "Slave Interface: "+p.Name+"\n"); ok && !strings.HasPrefix(s.name, "5.10") {
				_, after, _ = strings.Cut(after, "Actor Churn State: ")
				want, _, _ = strings.Cut(after, "\n")
			}
			if p.ActorChurn != want || p.PartnerChurn != want {
				t.Errorf("%s: %s: churn is %q and %q, want %q", s.name, p.Name, p.ActorChurn, p.PartnerChurn, want)
			}
		}
	}
}
