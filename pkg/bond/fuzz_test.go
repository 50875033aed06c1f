package bond

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// split cuts a recorded dump into payloads as far as its headers are valid, and
// returns the rest as one more payload.
func split(dump []byte) [][]byte {
	var out [][]byte
	for len(dump) >= unix.SizeofNlMsghdr {
		n := int(binary.NativeEndian.Uint32(dump))
		if n < unix.SizeofNlMsghdr || n > len(dump) {
			break
		}
		out = append(out, dump[unix.SizeofNlMsghdr:n])
		dump = dump[min((n+3)&^3, len(dump)):]
	}
	return append(out, dump)
}

// FuzzDecode checks these invariants for any messages. Decoding them twice gives the
// same result. Every ifindex has one place among bonds, slaves of one bond, NICs and
// uppers, except that a bond may be another's slave. Lists are sorted. The links that
// uppers and addresses refer to exist. Following the messages as events ends in the
// same picture as a dump of them.
func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(readFile(f, "testdata/dumps/"+s.name+"/rtm-getlink-dump.bin"))
	}
	var host []byte
	for _, m := range append(proxmox(), address(7, "192.0.2.10/24"), address(4, "2001:db8::10/64")) {
		host = binary.NativeEndian.AppendUint32(host, uint32(unix.SizeofNlMsghdr+len(m)))
		host = append(append(host, make([]byte, unix.SizeofNlMsghdr-4)...), m...)
	}
	f.Add(host)
	f.Fuzz(func(t *testing.T, dump []byte) {
		messages := split(dump)
		all := linksOf(messages, messages, nil)
		if diff := cmp.Diff(all, linksOf(messages, messages, nil)); diff != "" {
			t.Fatalf("decoded again (-first +second):\n%s", diff)
		}
		known := checkPlaces(t, all)
		for _, u := range all.Uppers {
			for _, i := range u.Lowers {
				if !known[i] {
					t.Errorf("%s uses %d, which is not there", u.Name, i)
				}
			}
		}
		for _, a := range all.Addresses {
			if !known[a.Index] {
				t.Errorf("%s is on %d, which is not there", a.IP, a.Index)
			}
			all.Carriers(a.IP, nil)
		}
		followed := follower{graph: graph{map[int]link{}, link.hardware}}
		for _, m := range messages {
			followed.apply(unix.RTM_NEWLINK, m)
		}
		dumped := graph{map[int]link{}, link.hardware}
		dumped.add(messages)
		for i := range dumped.links { // events also remove links: compare the remaining ones
			if _, ok := followed.graph.links[i]; !ok {
				delete(dumped.links, i)
			}
		}
		if diff := cmp.Diff(dumped.picture(), followed.graph.picture()); diff != "" {
			t.Errorf("dumped and followed (-dumped +followed):\n%s", diff)
		}
	})
}

// checkPlaces checks that every link has one place, and returns all ifindexes.
func checkPlaces(t *testing.T, all Links) map[int]bool {
	t.Helper()
	place, known := map[int]string{}, map[int]bool{}
	take := func(index int, as string) {
		if had, twice := place[index]; twice {
			t.Errorf("%d is %s and %s", index, had, as)
		}
		place[index], known[index] = as, true
	}
	for _, b := range all.Bonds {
		known[b.Index] = true
		for _, s := range b.Slaves {
			take(s.Index, "slave of "+b.Name)
		}
	}
	for _, n := range all.NICs {
		take(n.Index, "a NIC")
	}
	for _, u := range all.Uppers {
		take(u.Index, "an upper")
	}
	if !slices.IsSortedFunc(all.Bonds, func(a, b Bond) int { return strings.Compare(a.Name, b.Name) }) ||
		!slices.IsSortedFunc(all.NICs, func(a, b NIC) int { return strings.Compare(a.Name, b.Name) }) ||
		!slices.IsSortedFunc(all.Uppers, func(a, b Upper) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted by name")
	}
	if indexes := all.Indexes(); !slices.IsSorted(indexes) || len(slices.Compact(indexes)) != len(all.Indexes()) {
		t.Errorf("indexes %v", indexes)
	}
	return known
}

// FuzzOrder: for any content of bonding/slaves, ordering loses no slave, invents
// none, and changes the order only if it reports that.
func FuzzOrder(f *testing.F) {
	f.Add("eth1 eth0", 2)
	f.Add("eth0 eth1 eth2 ++more++", 4)
	f.Add("\x00eth0\n", 1)
	f.Fuzz(func(t *testing.T, list string, n int) {
		var slaves []Slave
		for i := range min(max(n, 0), 8) {
			slaves = append(slaves, Slave{Name: "eth" + string(rune('0'+i)), Index: i})
		}
		got := slices.Clone(slaves)
		ordered := order(got, list)
		if !ordered {
			if diff := cmp.Diff(slaves, got); diff != "" {
				t.Errorf("not ordered, and yet (-before +after):\n%s", diff)
			}
		}
		if ordered && len(got) > 0 && !strings.Contains(strings.Join(strings.Fields(list), " "), got[0].Name) {
			t.Errorf("%s is not in %q", got[0].Name, list)
		}
		slices.SortFunc(got, func(a, b Slave) int { return a.Index - b.Index })
		if diff := cmp.Diff(slaves, got); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
}

// A speech is a connection whose remote side has already sent everything.
type speech struct {
	io.Reader
	io.Writer
}

// FuzzOVS: for any content of a database, its bonds have at least two slaves, no port
// yields two bonds, and reading it again yields the same.
func FuzzOVS(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":` + ovsAnswer + `,"error":null}`))
	f.Add([]byte(`{"id":"e","method":"echo","params":[]}{"id":1,"result":null,"error":"no"}`))
	f.Add([]byte(`{"id":1,"result":[{"rows":[{"name":"b","ports":["set",[["uuid","p"],["uuid","p"]]]}]},{"rows":[{"_uuid":["uuid","p"],"name":"p","interfaces":["set",[["uuid","i"],["uuid","i"]]]}]},{"rows":[{"_uuid":["uuid","i"],"name":"i"}]}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		read := func() ([]Bond, int) {
			s, err := readOVS(speech{bytes.NewReader(answer), io.Discard}, maxAnswer)
			if err != nil {
				return nil, 0
			}
			return s.bonds(), len(s.ports)
		}
		got, ports := read()
		if len(got) > ports {
			t.Errorf("%d bonds of %d ports", len(got), ports)
		}
		for _, b := range got {
			if !b.MultiSlave() || b.Kind != OVS || b.Speed() < 0 {
				t.Errorf("bond %+v", b)
			}
		}
		again, _ := read()
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("read again (-first +second):\n%s", diff)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Error(err)
		}
	})
}

// FuzzDrops: the selected statistics of a driver add up to no more than all its
// statistics, and a name without a ring is unchanged.
func FuzzDrops(f *testing.F) {
	f.Add("bnxt_en", "[0]: rx_discards", "[1]: rx_discards")
	f.Add("virtio_net", "rx0_drops", "rx_queue_0_drops")
	f.Add("atlantic", "Queue[0] AllocFails", "TC0 Queue[1] AllocFails")
	f.Add("i40e", "rx_dropped", "rx_missed_errors")
	f.Add("hns3", "rx_drop", "rxq0: rx_drop")
	f.Add("mlx5_core", "rx_prio0_discards", "rx_prio_discards")
	f.Fuzz(func(t *testing.T, driver, a, b string) {
		all := map[string]uint64{a: 1}
		all[b]++
		sum := uint64(0)
		for name, n := range dropsOf(driver, all) {
			sum += n
			c := overload[driver]
			if name != c.otherwise && !slices.ContainsFunc(c.names, func(want string) bool { return alike(want, name) }) {
				t.Errorf("picked %q of %q and %q, which %s does not list", name, a, b, driver)
			}
		}
		for name := range unlistedOf(driver, all) {
			if _, known := overload[driver]; known || strings.HasPrefix(name, "tx") {
				t.Errorf("%s: %q of %q and %q looks like a drop on receive", driver, name, a, b)
			}
		}
		if sum > 2 {
			t.Errorf("picked %d of %v", sum, all)
		}
		for _, name := range []string{a, b} {
			if rest, ofRing := ringless(name); !ofRing && rest != name || ofRing && len(rest) > len(name) {
				t.Errorf("%q without its ring is %q", name, rest)
			}
		}
	})
}
