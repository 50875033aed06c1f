package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// A verb is one command of the script language.
type verb struct {
	usage string // the text after the verb; docs/incidents.md explains it
	do    func(*simulator, words) error
}

// verbs returns every verb by its name.
func verbs() map[string]verb {
	return map[string]verb{
		"start":    {"NODE [TIME]", (*simulator).doStart},
		"end":      {"", (*simulator).doEnd},
		"restart":  {"", (*simulator).doRestart},
		"bond":     {"NAME {…}", (*simulator).doBond},
		"slave":    {"BOND/NAME {…}", (*simulator).doSlave},
		"nic":      {"NAME {…}", (*simulator).doNIC},
		"gone":     {"NAME or BOND/NAME", (*simulator).doGone},
		"upper":    {"NAME ON {…}", (*simulator).doUpper},
		"address":  {"IP LINK", (*simulator).doAddress},
		"ovs":      {"PART", (*simulator).doOVS},
		"traffic":  {"NIC rx=… tx=… drops=… crc=… driver=…", (*simulator).doTraffic},
		"limit":    {"LINK rx|tx KIND RATE [WHERE], or LINK none", (*simulator).doLimit},
		"map":      {"COUNT {…}", (*simulator).doMap},
		"unmap":    {"DEVICES", (*simulator).doUnmap},
		"disk":     {"DEVICES {…}", (*simulator).doDisk},
		"io":       {"DEVICES iops=… latency=… inflight=…", (*simulator).doIO},
		"waits":    {"none, or DEVICES osd=… tid=… attempts=… grow=…", (*simulator).doWaits},
		"guests":   {"COUNT windows=…", (*simulator).doGuests},
		"guest":    {"NAME {…}", (*simulator).doGuest},
		"host":     {"{…}", (*simulator).doHost},
		"cluster":  {"{…}", (*simulator).doCluster},
		"reporter": {"NAME {…}", (*simulator).doReporter},
		"ack":      {"RULE SEVERITY FOR [SUBJECT]", (*simulator).doAck},
		"blind":    {"SOURCE KIND TEXT", (*simulator).doBlind},
		"sight":    {"SOURCE", (*simulator).doVisibility},
		"log":      {"TEXT", (*simulator).doLog},
		"history":  {"AGO TEXT", (*simulator).doHistory},
		"lost":     {"COUNT", (*simulator).doLost},
		"loop":     {"NAME every=… for=… TEXT|TEXT", (*simulator).doLoop},
		"calm":     {"NAME", (*simulator).doCalm},
		"play":     {"PART", (*simulator).doPlay},
	}
}

// do executes one line of the script.
func (n *simulator) do(s step) error {
	v, known := n.verbs[s.verb]
	if !known {
		return fmt.Errorf("%q is not a verb; the verbs are %s", s.verb, strings.Join(slices.Sorted(maps.Keys(n.verbs)), ", "))
	}
	if err := v.do(n, words{s}); err != nil {
		return fmt.Errorf("%s: %w; want %q", s.verb, err, strings.TrimSpace("TIME "+s.verb+" "+v.usage))
	}
	return nil
}

// words is the text after a verb.
type words struct{ step }

// first cuts off the first word.
func (w words) first() (string, string) {
	word, rest, _ := strings.Cut(w.rest, " ")
	return word, strings.TrimSpace(rest)
}

// alone returns an error if anything follows the verb.
func (w words) alone() error {
	if w.rest != "" {
		return fmt.Errorf("%q is too much", w.rest)
	}
	return nil
}

// pairs parses "k=v k=v" with the given keys.
func pairs(text string, keys ...string) (map[string]string, error) {
	list := map[string]string{}
	for _, word := range strings.Fields(text) {
		k, v, found := strings.Cut(word, "=")
		if !found || !slices.Contains(keys, k) {
			return nil, fmt.Errorf("%q is not one of %s=…", word, strings.Join(keys, "=…, "))
		}
		list[k] = v
	}
	return list, nil
}

// maxAmount is the largest number in a script: one petabit per second.
const maxAmount = 1e15

// amount parses a number of at least 0 with an optional k, M or G.
func amount(text string) (float64, error) {
	number, scale := text, 1.0
	for suffix, by := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if t, found := strings.CutSuffix(text, suffix); found {
			number, scale = t, by
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0 && f*scale <= maxAmount) {
		return 0, fmt.Errorf("%q is not a number from 0 to 1e15 such as 300M or 9.4G", text)
	}
	return f * scale, nil
}

// count parses a whole number from 0 to the given limit.
func count(text string, limit int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > limit {
		return 0, fmt.Errorf("%q is not a whole number from 0 to %d", text, limit)
	}
	return n, nil
}

// patch writes the fields that the JSON object names into value, and does not change
// the others.
func patch(text string, value any) error {
	if text == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(value); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return fmt.Errorf("%w; the fields are %s", err, strings.Join(fields(reflect.TypeOf(value), "", 3), ", "))
		}
		return err
	}
	if rest, _ := io.ReadAll(d.Buffered()); len(strings.TrimSpace(string(rest))) > 0 {
		return fmt.Errorf("%q follows the JSON", strings.TrimSpace(string(rest)))
	}
	return nil
}

// fields returns the JSON names of the fields of a type, including those of nested
// structs, up to the given depth.
func fields(t reflect.Type, prefix string, depth int) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() || depth == 0 {
		return []string{strings.TrimSuffix(prefix, ".")}
	}
	var list []string
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			list = append(list, fields(f.Type, prefix+name+".", depth-1)...)
		}
	}
	return list
}

// doStart: start NODE [RFC 3339 time]
func (n *simulator) doStart(w words) error {
	name, at := w.first()
	if w.at != 0 || name == "" {
		return errors.New("must be at 0s and name a node")
	}
	n.in.node = name
	if at == "" {
		return nil
	}
	start, err := time.Parse(time.RFC3339, at)
	if err != nil || start.Year() < 2000 || start.Year() > 2199 {
		return fmt.Errorf("%q is not a time such as 2026-03-01T02:00:00Z", at)
	}
	n.in.start = start.UTC()
	n.boot = n.in.start.Add(-30 * 24 * time.Hour)
	n.tally.Base = n.boot
	return nil
}

// doEnd: end. It ends the script.
func (n *simulator) doEnd(w words) error { return w.alone() }

// doRestart: restart. The daemon starts again; the kernel does not.
func (n *simulator) doRestart(w words) error {
	n.begun = false
	return w.alone()
}

// doBond: bond NAME {fields of bond.Bond}
func (n *simulator) doBond(w words) error {
	name, fields := w.first()
	n.fresh[node.SourceBond] = true
	i := slices.IndexFunc(n.links.Bonds, func(b bond.Bond) bool { return b.Name == name })
	if i < 0 {
		i = len(n.links.Bonds)
		n.links.Bonds = append(n.links.Bonds, bond.Bond{
			Name: name, Index: n.index(), Kind: bond.Kernel, Mode: bond.LACP, HashPolicy: bond.Layer34, Up: true, MTU: 9000,
			MAC: "02:00:5e:10:00:00", Miimon: 100, LACPRate: "fast", LACPActive: "on", ADSelect: "stable", Ordered: true,
			AD: &bond.AD{Aggregator: 1, Ports: 2, ActorKey: 15, PartnerKey: 15, PartnerMAC: "02:00:5e:00:00:fe"},
		})
	}
	return patch(fields, &n.links.Bonds[i])
}

// index returns an unused ifindex.
func (n *simulator) index() int {
	next := 2
	for _, b := range n.links.Bonds {
		next = max(next, b.Index+1)
		for _, s := range b.Slaves {
			next = max(next, s.Index+1)
		}
	}
	for _, c := range n.links.NICs {
		next = max(next, c.Index+1)
	}
	for _, u := range n.links.Uppers {
		next = max(next, u.Index+1)
	}
	return next
}

// doSlave: slave BOND/NAME {fields of bond.Slave}
func (n *simulator) doSlave(w words) error {
	path, fields := w.first()
	of, name, _ := strings.Cut(path, "/")
	n.fresh[node.SourceBond] = true
	healthy := bond.PortState(0x3f)
	for b := range n.links.Bonds {
		slaves := &n.links.Bonds[b].Slaves
		if n.links.Bonds[b].Name != of {
			continue
		}
		i := slices.IndexFunc(*slaves, func(s bond.Slave) bool { return s.Name == name })
		if i < 0 {
			i = len(*slaves)
			partner := healthy
			*slaves = append(*slaves, bond.Slave{
				Name: name, Index: n.index(), State: "ACTIVE", MIIStatus: "UP", Carrier: true,
				PermMAC:    fmt.Sprintf("02:00:5e:10:00:%02x", i),
				Aggregator: 1, Actor: &healthy, Partner: &partner, Speed: 10000, Duplex: "full", MTU: 9000, Driver: "ixgbe",
			})
		}
		return patch(fields, &(*slaves)[i])
	}
	return fmt.Errorf("no bond %q yet; known are %s", of, strings.Join(n.linkNames(), ", "))
}

// doNIC: nic NAME {fields of bond.NIC}
func (n *simulator) doNIC(w words) error {
	name, fields := w.first()
	n.fresh[node.SourceBond] = true
	i := slices.IndexFunc(n.links.NICs, func(c bond.NIC) bool { return c.Name == name })
	if i < 0 {
		i = len(n.links.NICs)
		n.links.NICs = append(n.links.NICs, bond.NIC{Name: name, Index: n.index(), MAC: "02:00:5e:20:00:00", Up: true, Speed: 10000,
			Duplex: "full", MTU: 1500, Driver: "ixgbe"})
	}
	return patch(fields, &n.links.NICs[i])
}

// doUpper: upper NAME ON {fields of bond.Upper}
func (n *simulator) doUpper(w words) error {
	name, rest := w.first()
	on, fields, _ := strings.Cut(rest, " ")
	lower := n.indexOf(on)
	if lower == 0 {
		return fmt.Errorf("no link %q yet; known are %s", on, strings.Join(n.linkNames(), ", "))
	}
	n.fresh[node.SourceBond] = true
	n.links.Uppers = append(n.links.Uppers, bond.Upper{Name: name, Index: n.index(), Kind: "vlan", Lowers: []int{lower}})
	return patch(fields, &n.links.Uppers[len(n.links.Uppers)-1])
}

// doAddress: address IP LINK
func (n *simulator) doAddress(w words) error {
	ip, link := w.first()
	index := n.indexOf(link)
	if index == 0 {
		return fmt.Errorf("no link %q yet; known are %s", link, strings.Join(n.linkNames(), ", "))
	}
	if _, err := netip.ParseAddr(ip); err != nil {
		return fmt.Errorf("%q is not an IP address", ip)
	}
	n.fresh[node.SourceBond] = true
	n.links.Addresses = append(n.links.Addresses, bond.Address{IP: ip, Bits: 24, Index: index})
	return nil
}

// linkNames returns the current names of all links.
func (n *simulator) linkNames() []string {
	var list []string
	for _, b := range n.links.Bonds {
		list = append(list, b.Name)
	}
	for _, c := range n.links.NICs {
		list = append(list, c.Name)
	}
	for _, u := range n.links.Uppers {
		list = append(list, u.Name)
	}
	return list
}

// indexOf returns the ifindex of the named link; 0: it does not exist.
func (n *simulator) indexOf(name string) int {
	for _, b := range n.links.Bonds {
		if b.Name == name {
			return b.Index
		}
	}
	for _, c := range n.links.NICs {
		if c.Name == name {
			return c.Index
		}
	}
	for _, u := range n.links.Uppers {
		if u.Name == name {
			return u.Index
		}
	}
	return 0
}

// doGone: gone NAME: removes the bond, slave (BOND/NAME) or NIC of that name.
func (n *simulator) doGone(w words) error {
	n.fresh[node.SourceBond] = true
	found := false
	remove := func(is bool) bool {
		found = found || is
		return is
	}
	of, name, slave := strings.Cut(w.rest, "/")
	for b := range n.links.Bonds {
		if slave && n.links.Bonds[b].Name == of {
			n.links.Bonds[b].Slaves = slices.DeleteFunc(slices.Clone(n.links.Bonds[b].Slaves),
				func(s bond.Slave) bool { return remove(s.Name == name) })
		}
	}
	n.links.Bonds = slices.DeleteFunc(n.links.Bonds, func(b bond.Bond) bool { return remove(b.Name == w.rest) })
	n.links.NICs = slices.DeleteFunc(n.links.NICs, func(c bond.NIC) bool { return remove(c.Name == w.rest) })
	n.links.Uppers = slices.DeleteFunc(n.links.Uppers, func(u bond.Upper) bool { return remove(u.Name == w.rest) })
	if !found {
		return fmt.Errorf("no link %q; known are %s", w.rest, strings.Join(n.linkNames(), ", "))
	}
	return nil
}

// doOVS: ovs FILE: sets Open vSwitch's bonds, from JSON
func (n *simulator) doOVS(w words) error {
	delete(n.hidden, node.SourceOVS)
	n.fresh[node.SourceOVS] = true
	n.ovs = nil
	text, err := n.in.part(w.rest)
	if err != nil {
		return err
	}
	return patch(text, &n.ovs)
}

// doTraffic: traffic NIC rx=9.4G tx=300M drops=12k crc=0 driver=0
func (n *simulator) doTraffic(w words) error {
	nic, rest := w.first()
	list, err := pairs(rest, "rx", "tx", "drops", "crc", "driver")
	t := n.carries(nic)
	for k, v := range list {
		f, e := amount(v)
		err = errors.Join(err, e)
		*map[string]*float64{"rx": &t.rx, "tx": &t.tx, "drops": &t.drops, "crc": &t.crc, "driver": &t.driver}[k] = f
	}
	return err
}

// doLimit: limit LINK rx|tx KIND RATE [WHERE]: adds a tc limit; limit LINK none:
// removes all limits of the link.
func (n *simulator) doLimit(w words) error {
	link, rest := w.first()
	n.fresh[node.SourceLimits] = true
	if rest == "none" {
		n.limits = slices.DeleteFunc(slices.Clone(n.limits), func(l bond.Limit) bool { return l.Link == link })
		return nil
	}
	list := strings.SplitN(rest, " ", 4)
	if len(list) < 3 || list[0] != "rx" && list[0] != "tx" {
		return fmt.Errorf("%q is not rx or tx, a kind such as tbf, and a rate such as 2G", rest)
	}
	rate, err := amount(list[2])
	where := "root"
	if len(list) == 4 {
		where = list[3]
	}
	n.limits = append(n.limits, bond.Limit{Link: link, Way: list[0], Kind: list[1], Where: where, Rate: uint64(rate)})
	return err
}

// everyLink names all existing links, and those that have a limit.
func (n *simulator) everyLink() []string {
	names := n.linkNames()
	for _, b := range slices.Concat(n.links.Bonds, n.ovs) {
		for _, s := range b.Slaves {
			names = append(names, s.Name)
		}
	}
	for _, l := range n.limits {
		names = append(names, l.Link)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// doMap: map COUNT {fields of rbd.Mapped}: adds the given number of krbd devices
func (n *simulator) doMap(w words) error {
	text, fields := w.first()
	devices, err := count(text, 5000)
	if err != nil {
		return err
	}
	n.fresh[node.SourceKrbd], n.fresh[node.SourceIO] = true, true
	for range devices {
		id := 0
		for _, m := range n.mapped {
			id = max(id, m.ID+1)
		}
		m := rbd.Mapped{
			ID: id, Device: fmt.Sprintf("rbd%d", id), Major: 252, Minor: uint32(16 * id), Pool: "rbd",
			Image:   fmt.Sprintf("vm-%d-disk-0", 101+id),
			ImageID: fmt.Sprintf("1016d614%04x", id), ClientID: 4123, ClientAddr: "192.0.2.12", Nonce: "192.0.2.12:0/3141592653",
			FSID: "33b862db-5e43-43fb-927c-e4b2e2132a65", Size: 32 << 30, Features: 0x3d, Options: &rbd.Options{},
		}
		if err := patch(fields, &m); err != nil {
			return err
		}
		n.mapped = append(n.mapped, m)
	}
	return nil
}
