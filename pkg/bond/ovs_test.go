package bond

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ovsAnswer is the reply of a database with br-storage (bond of ens1 and ens2, one
// internal port), br-guests (balance-slb of ens3 and ens4 without LACP, a guest) and
// br-single (one NIC).
const ovsAnswer = `[
{"rows":[
 {"name":"br-storage","ports":["set",[["uuid","p1"],["uuid","p2"]]]},
 {"name":"br-guests","ports":["set",[["uuid","p3"],["uuid","p4"],["uuid","p5"]]]},
 {"name":"br-single","ports":["uuid","p6"]}]},
{"rows":[
 {"_uuid":["uuid","p1"],"name":"bond-st","interfaces":["set",[["uuid","i2"],["uuid","i1"]]],"bond_mode":"balance-tcp","lacp":"active","bond_active_slave":"02:00:00:00:00:01","other_config":["map",[["lacp-time","fast"]]]},
 {"_uuid":["uuid","p2"],"name":"br-storage","interfaces":["uuid","i5"],"bond_mode":["set",[]],"lacp":["set",[]],"bond_active_slave":["set",[]],"other_config":["map",[]]},
 {"_uuid":["uuid","p3"],"name":"bond-gu","interfaces":["set",[["uuid","i3"],["uuid","i4"]]],"bond_mode":"balance-slb","lacp":["set",[]],"bond_active_slave":"02:00:00:00:00:03","other_config":["map",[]]},
 {"_uuid":["uuid","p4"],"name":"tap101i0","interfaces":["uuid","i6"],"bond_mode":["set",[]],"lacp":["set",[]],"bond_active_slave":["set",[]],"other_config":["map",[]]},
 {"_uuid":["uuid","p5"],"name":"bond-ab","interfaces":["set",[["uuid","i7"],["uuid","i8"],["uuid","gone"]]],"bond_mode":["set",[]],"lacp":["set",[]],"bond_active_slave":"02:00:00:00:00:08","other_config":["map",[]]},
 {"_uuid":["uuid","p6"],"name":"ens9","interfaces":["uuid","i9"],"bond_mode":["set",[]],"lacp":["set",[]],"bond_active_slave":["set",[]],"other_config":["map",[]]}]},
{"rows":[
 {"_uuid":["uuid","i1"],"name":"ens1","type":"","ifindex":11,"link_state":"up","link_speed":10000000000,"duplex":"full","mac_in_use":"02:00:00:00:00:01","mtu":9000,"lacp_current":true,"status":["map",[["driver_name","ixgbe"]]]},
 {"_uuid":["uuid","i2"],"name":"ens2","type":"","ifindex":12,"link_state":"up","link_speed":10000000000,"duplex":"full","mac_in_use":"02:00:00:00:00:02","mtu":1500,"lacp_current":false,"status":["map",[]]},
 {"_uuid":["uuid","i3"],"name":"ens3","type":"","ifindex":13,"link_state":"up","link_speed":["set",[]],"duplex":["set",[]],"mac_in_use":"02:00:00:00:00:03","mtu":1500,"lacp_current":["set",[]],"status":["map",[]]},
 {"_uuid":["uuid","i4"],"name":"ens4","type":"","ifindex":14,"link_state":"down","link_speed":0,"duplex":["set",[]],"mac_in_use":["set",[]],"mtu":["set",[]],"lacp_current":["set",[]],"status":["map",[]]},
 {"_uuid":["uuid","i5"],"name":"br-storage","type":"internal","ifindex":15,"link_state":"up","link_speed":["set",[]],"duplex":["set",[]],"mac_in_use":"02:00:00:00:00:05","mtu":1500,"lacp_current":["set",[]],"status":["map",[]]},
 {"_uuid":["uuid","i6"],"name":"tap101i0","type":"","ifindex":16,"link_state":"up","link_speed":10000000,"duplex":"full","mac_in_use":"02:00:00:00:00:06","mtu":1500,"lacp_current":["set",[]],"status":["map",[]]},
 {"_uuid":["uuid","i7"],"name":"dpdk0","type":"dpdk","ifindex":["set",[]],"link_state":"up","link_speed":25000000000,"duplex":"full","mac_in_use":"02:00:00:00:00:07","mtu":1500,"lacp_current":["set",[]],"status":["map",[]]},
 {"_uuid":["uuid","i8"],"name":"dpdk1","type":"dpdk","ifindex":["set",[]],"link_state":"up","link_speed":25000000000,"duplex":"full","mac_in_use":"02:00:00:00:00:08","mtu":1500,"lacp_current":["set",[]],"status":["map",[]]},
 {"_uuid":["uuid","i9"],"name":"ens9","type":"","ifindex":19,"link_state":"up","link_speed":10000000000,"duplex":"full","mac_in_use":"02:00:00:00:00:09","mtu":1500,"lacp_current":["set",[]],"status":["map",[]]}]}]`

func ovsWant() []Bond {
	yes, no := true, false
	return []Bond{
		{
			Name: "bond-ab", Kind: OVS, Mode: ActiveBackup, Up: true, MTU: 1500, Miimon: -1, Active: "dpdk1", Slaves: []Slave{
				{Name: "dpdk0", State: "BACKUP", MIIStatus: "UP", Carrier: true, PermMAC: "02:00:00:00:00:07", Speed: 25000,
					Duplex: "full", MTU: 1500},
				{Name: "dpdk1", State: "ACTIVE", MIIStatus: "UP", Carrier: true, PermMAC: "02:00:00:00:00:08", Speed: 25000,
					Duplex: "full", MTU: 1500},
			},
		},
		{
			Name: "bond-gu", Kind: OVS, Mode: BalanceSLB, Up: true, MTU: 1500, Miimon: -1, Active: "ens3", Slaves: []Slave{
				{Name: "ens3", Index: 13, State: "ACTIVE", MIIStatus: "UP", Carrier: true, PermMAC: "02:00:00:00:00:03", MTU: 1500},
				{Name: "ens4", Index: 14, State: "BACKUP", MIIStatus: "DOWN"},
			},
		},
		{
			Name: "bond-st", Kind: OVS, Mode: BalanceTCP, Up: true, MTU: 1500, Miimon: -1, LACPRate: "fast", LACPActive: "on",
			Active: "ens1",
			Ports:  []string{"br-storage"}, Slaves: []Slave{
				{Name: "ens1", Index: 11, State: "ACTIVE", MIIStatus: "UP", Carrier: true, PermMAC: "02:00:00:00:00:01", Speed: 10000,
					Duplex: "full", MTU: 9000, Driver: "ixgbe", LACPCurrent: &yes},
				{Name: "ens2", Index: 12, State: "BACKUP", MIIStatus: "UP", Carrier: true, PermMAC: "02:00:00:00:00:02", Speed: 10000,
					Duplex: "full", MTU: 1500, LACPCurrent: &no},
			},
		},
	}
}

// serve serves one connection to a socket and returns that socket's path.
func serve(t *testing.T, answer func(request json.RawMessage, c net.Conn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db.sock")
	l, err := net.Listen("unix", path)
	must(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		line, err := bufio.NewReader(c).ReadBytes('\n')
		if err == nil {
			answer(line, c)
		}
	}()
	return path
}

func TestOVSBonds(t *testing.T) {
	path := serve(t, func(request json.RawMessage, c net.Conn) {
		fmt.Fprintf(c, `{"id":"e","method":"echo","params":["alive"]}{"id":null,"method":"update","params":[]}{"id":7,"result":[],"error":null}`)
		reply := json.NewDecoder(c)
		var echo any
		if err := reply.Decode(&echo); err != nil || fmt.Sprint(echo) != "map[error:<nil> id:e result:[alive]]" {
			t.Errorf("echo answered with %v, %v", echo, err)
		}
		fmt.Fprintf(c, `{"id":1,"result":%s,"error":null}`, ovsAnswer)
	})
	got, err := ReadOVS(t.Context(), path)
	must(t, err)
	if diff := cmp.Diff(ovsWant(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if speed := got[2].Speed(); speed != 10000 {
		t.Errorf("speed of bond-st is %d, want that of the member the switch talks to", speed)
	}
}

// TestOVSFallback: without a partner that uses LACP, lacp-fallback-ab makes any bond
// active-backup, and one member carries all traffic.
func TestOVSFallback(t *testing.T) {
	yes, no := []bool{true}, []bool{false}
	member := func(name, mac string, current []bool) ovsInterface {
		return ovsInterface{Name: name, Link: set[string]{"up"}, MAC: set[string]{mac}, LACPCurrent: current}
	}
	for _, tt := range []struct {
		name       string
		lacp       string
		other      map[string]string
		active     string
		one, two   []bool
		mode       Mode
		configured Mode
		carry      string
	}{
		{"no answer", "active", map[string]string{"lacp-fallback-ab": "true"}, "02:00:00:00:00:02", no, no, ActiveBackup,
			BalanceTCP, "eth1"},
		{"no answer, passive", "passive", map[string]string{"lacp-fallback-ab": "true"}, "02:00:00:00:00:01", no, no, ActiveBackup,
			BalanceTCP, "eth0"},
		{"no answer, and no active member told", "active", map[string]string{"lacp-fallback-ab": "true"}, "", no, no, ActiveBackup,
			BalanceTCP, "eth0 eth1"},
		{"an answer on one", "active", map[string]string{"lacp-fallback-ab": "true"}, "", yes, no, BalanceTCP, "", "eth0"},
		{"not known on one", "active", map[string]string{"lacp-fallback-ab": "true"}, "", nil, no, BalanceTCP, "", "eth0"},
		{"no fallback", "active", nil, "", no, no, BalanceTCP, "", ""},
		{"fallback off", "active", map[string]string{"lacp-fallback-ab": "false"}, "", no, no, BalanceTCP, "", ""},
		{"no LACP", "off", map[string]string{"lacp-fallback-ab": "true"}, "", no, no, BalanceTCP, "", "eth0 eth1"},
	} {
		p := ovsPort{Name: "bond0", Mode: set[string]{"balance-tcp"}, LACP: set[string]{tt.lacp}, ActiveMAC: set[string]{tt.active},
			Other: tt.other}
		b := p.bond([]ovsInterface{member("eth0", "02:00:00:00:00:01", tt.one), member("eth1", "02:00:00:00:00:02", tt.two)})
		var carry []string
		for _, s := range b.Carrying() {
			carry = append(carry, s.Name)
		}
		if b.Mode != tt.mode || b.ConfiguredMode != tt.configured || strings.Join(carry, " ") != tt.carry {
			t.Errorf("%s: got %s (configured %q), %v carry; want %s (%q), %s", tt.name, b.Mode, b.ConfiguredMode, carry, tt.mode,
				tt.configured, tt.carry)
		}
		if _, reason := b.Layer2Like(); (tt.configured != "") != strings.Contains(reason, "one slave carries all traffic") {
			t.Errorf("%s: %s", tt.name, reason)
		}
	}
}

// TestOVSTwice: a database that contradicts itself yields no bond twice, and no bond
// of one interface.
func TestOVSTwice(t *testing.T) {
	s, err := parseOVS([]byte(`[
{"rows":[{"name":"br0","ports":["set",[["uuid","p"],["uuid","p"],["uuid","q"]]]},{"name":"br1","ports":["uuid","p"]}]},
{"rows":[{"_uuid":["uuid","p"],"name":"p","interfaces":["set",[["uuid","i"],["uuid","j"]]]},
         {"_uuid":["uuid","q"],"name":"q","interfaces":["set",[["uuid","i"],["uuid","i"]]]}]},
{"rows":[{"_uuid":["uuid","i"],"name":"i"},{"_uuid":["uuid","j"],"name":"j"}]}]`))
	must(t, err)
	if got := s.bonds(); len(got) != 1 || got[0].Name != "p" || len(got[0].Slaves) != 2 {
		t.Errorf("got %+v, want p once, and not q", got)
	}
}

func TestOVSAbsent(t *testing.T) {
	got, err := ReadOVS(t.Context(), filepath.Join(t.TempDir(), "db.sock"))
	if len(got) != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, %v, want nothing and fs.ErrNotExist", got, err)
	}
	path := serve(t, func(json.RawMessage, net.Conn) {})
	l, err := net.Listen("unix", path+"2")
	must(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if got, err := ReadOVS(t.Context(), path+"2"); len(got) != 0 || err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a socket nobody listens on: got %v, %v, want an error that is not absence", got, err)
	}
	_, _ = ReadOVS(t.Context(), path)
}

func TestOVSHostileAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":           "",
		"cut short":         `{"id":1,"result":[{"rows":[`,
		"not JSON":          "220 mail.example ESMTP\r\n",
		"an error":          `{"id":1,"result":null,"error":{"error":"unknown database"}}`,
		"a failed select":   `{"id":1,"result":[{"error":"permission error","details":"no"},null,null],"error":null}`,
		"two answers":       `{"id":1,"result":[{"rows":[]},{"rows":[]}],"error":null}`,
		"no rows":           `{"id":1,"result":[{},{},{}],"error":null}`,
		"no result":         `{"id":1,"result":null,"error":null}`,
		"rows of numbers":   `{"id":1,"result":[{"rows":[1,2]},{"rows":[]},{"rows":[]}],"error":null}`,
		"a set of the odd":  `{"id":1,"result":[{"rows":[{"name":"b","ports":["set",[{"a":1}]]}]},{"rows":[]},{"rows":[]}],"error":null}`,
		"deep":              strings.Repeat("[", 1<<20),
		"only other things": strings.Repeat(`{"id":null,"method":"update","params":[]}`, 3),
	} {
		t.Run(name, func(t *testing.T) {
			path := serve(t, func(_ json.RawMessage, c net.Conn) { io.WriteString(c, answer) })
			got, err := ReadOVS(t.Context(), path)
			if err == nil || len(got) != 0 || !strings.HasPrefix(err.Error(), "bond: open vswitch: ") {
				t.Errorf("got %v, %v, want an error of this package", got, err)
			}
			if said := "permission error"; strings.Contains(answer, said) && !strings.Contains(err.Error(), said) {
				t.Errorf("got %v, want what the database said", err)
			}
		})
	}
}

func TestOVSAnswerIsBounded(t *testing.T) {
	const most = 1 << 12
	answer := struct {
		io.Reader
		io.Writer
	}{io.MultiReader(strings.NewReader(`{"id":1,"result":["`), strings.NewReader(strings.Repeat("x", 2*most))), io.Discard}
	if got, err := readOVS(answer, most); !errors.Is(err, errLong) {
		t.Errorf("got %v, %v, want %v", got, err, errLong)
	}
}

func TestOVSThatDoesNotAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	path := serve(t, func(_ json.RawMessage, c net.Conn) {
		io.Copy(io.Discard, c) // until the other side gives up
	})
	// On a busy machine the deadline may pass before the connection.
	if got, err := ReadOVS(ctx, path); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v, want %v", got, err, os.ErrDeadlineExceeded)
	}
}
