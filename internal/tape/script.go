package tape

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// do does what one line of the script says. docs/incidents.md lists the verbs.
func (n *stage) do(s step) error {
	verbs := map[string]func(*stage, words) error{
		"start": (*stage).doStart, "end": func(*stage, words) error { return nil }, "restart": (*stage).doRestart,
		"bond": (*stage).doBond, "slave": (*stage).doSlave, "nic": (*stage).doNIC, "gone": (*stage).doGone,
		"upper": (*stage).doUpper, "address": (*stage).doAddress, "ovs": (*stage).doOVS, "traffic": (*stage).doTraffic,
		"map": (*stage).doMap, "unmap": (*stage).doUnmap, "disk": (*stage).doDisk, "io": (*stage).doIO,
		"waits": (*stage).doWaits, "guests": (*stage).doGuests, "guest": (*stage).doGuest,
		"host": (*stage).doHost, "cluster": (*stage).doCluster, "blind": (*stage).doBlind, "sight": (*stage).doSight,
		"log": (*stage).doLog, "history": (*stage).doHistory, "lost": (*stage).doLost, "loop": (*stage).doLoop,
		"calm": (*stage).doCalm, "play": (*stage).doPlay,
	}
	do, known := verbs[s.verb]
	if !known {
		return errors.New("no such verb")
	}
	return do(n, words{s})
}

// words are what follows a verb.
type words struct{ step }

// first cuts off the first word.
func (w words) first() (string, string) {
	word, rest, _ := strings.Cut(w.rest, " ")
	return word, strings.TrimSpace(rest)
}

// pairs reads "k=v k=v"; only the given keys may stand there.
func pairs(text string, keys ...string) (map[string]string, error) {
	list := map[string]string{}
	for _, word := range strings.Fields(text) {
		k, v, found := strings.Cut(word, "=")
		if !found || !slices.Contains(keys, k) {
			return nil, fmt.Errorf("%q: want %s=…", word, strings.Join(keys, "=…, "))
		}
		list[k] = v
	}
	return list, nil
}

// amount reads a number with an optional k, M or G.
func amount(text string) (float64, error) {
	scale := 1.0
	for suffix, by := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if t, found := strings.CutSuffix(text, suffix); found {
			text, scale = t, by
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number such as 300M or 9.4G", text)
	}
	return f * scale, nil
}

// patch writes the fields that JSON names into value, and leaves the others.
func patch(text string, value any) error {
	if text == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(value)
}

// doStart: start NODE [RFC 3339 time]
func (n *stage) doStart(w words) error {
	name, at := w.first()
	if w.at != 0 || name == "" {
		return errors.New("want \"0s start NODE [TIME]\"")
	}
	n.in.node = name
	if at == "" {
		return nil
	}
	start, err := time.Parse(time.RFC3339, at)
	n.in.start = start.UTC()
	n.boot = n.in.start.Add(-30 * 24 * time.Hour)
	n.tally.Base = n.boot
	return err
}

// doRestart: restart. The daemon starts anew; the kernel does not.
func (n *stage) doRestart(words) error {
	n.begun = false
	return nil
}

// doBond: bond NAME {fields of bond.Bond}
func (n *stage) doBond(w words) error {
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

// index is an ifindex nobody has yet.
func (n *stage) index() int {
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
func (n *stage) doSlave(w words) error {
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
				Name: name, Index: n.index(), State: "ACTIVE", MIIStatus: "UP", Carrier: true, PermMAC: fmt.Sprintf("02:00:5e:10:00:%02x", i),
				Aggregator: 1, Actor: &healthy, Partner: &partner, Speed: 10000, Duplex: "full", MTU: 9000, Driver: "ixgbe",
			})
		}
		return patch(fields, &(*slaves)[i])
	}
	return fmt.Errorf("no bond %q yet", of)
}

// doNIC: nic NAME {fields of bond.NIC}
func (n *stage) doNIC(w words) error {
	name, fields := w.first()
	n.fresh[node.SourceBond] = true
	i := slices.IndexFunc(n.links.NICs, func(c bond.NIC) bool { return c.Name == name })
	if i < 0 {
		i = len(n.links.NICs)
		n.links.NICs = append(n.links.NICs, bond.NIC{Name: name, Index: n.index(), MAC: "02:00:5e:20:00:00", Up: true, Speed: 10000, Duplex: "full", MTU: 1500, Driver: "ixgbe"})
	}
	return patch(fields, &n.links.NICs[i])
}

// doUpper: upper NAME ON {fields of bond.Upper}
func (n *stage) doUpper(w words) error {
	name, rest := w.first()
	on, fields, _ := strings.Cut(rest, " ")
	lower := n.indexOf(on)
	if lower == 0 {
		return fmt.Errorf("no link %q yet", on)
	}
	n.fresh[node.SourceBond] = true
	n.links.Uppers = append(n.links.Uppers, bond.Upper{Name: name, Index: n.index(), Kind: "vlan", Lowers: []int{lower}})
	return patch(fields, &n.links.Uppers[len(n.links.Uppers)-1])
}

// doAddress: address IP LINK
func (n *stage) doAddress(w words) error {
	ip, link := w.first()
	index := n.indexOf(link)
	if index == 0 {
		return fmt.Errorf("no link %q yet", link)
	}
	n.fresh[node.SourceBond] = true
	n.links.Addresses = append(n.links.Addresses, bond.Address{IP: ip, Bits: 24, Index: index})
	return nil
}

// indexOf is the ifindex of the named link; 0: there is none.
func (n *stage) indexOf(name string) int {
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

// doGone: gone NAME: the bond, slave (BOND/NAME) or NIC of that name is removed.
func (n *stage) doGone(w words) error {
	n.fresh[node.SourceBond] = true
	of, name, slave := strings.Cut(w.rest, "/")
	for b := range n.links.Bonds {
		if slave && n.links.Bonds[b].Name == of {
			n.links.Bonds[b].Slaves = slices.DeleteFunc(slices.Clone(n.links.Bonds[b].Slaves), func(s bond.Slave) bool { return s.Name == name })
		}
	}
	n.links.Bonds = slices.DeleteFunc(n.links.Bonds, func(b bond.Bond) bool { return b.Name == w.rest })
	n.links.NICs = slices.DeleteFunc(n.links.NICs, func(c bond.NIC) bool { return c.Name == w.rest })
	return nil
}

// doOVS: ovs FILE: Open vSwitch's bonds, as JSON
func (n *stage) doOVS(w words) error {
	delete(n.blind, node.SourceOVS)
	n.fresh[node.SourceOVS] = true
	n.ovs = nil
	return patch(n.in.files[w.rest], &n.ovs)
}

// doTraffic: traffic NIC rx=9.4G tx=300M drops=12k crc=0 driver=0
func (n *stage) doTraffic(w words) error {
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

// doMap: map COUNT {fields of rbd.Mapped}: so many more krbd devices
func (n *stage) doMap(w words) error {
	text, fields := w.first()
	count, err := strconv.Atoi(text)
	if err != nil || count < 1 || count > 5000 {
		return fmt.Errorf("%q is not a number of devices", text)
	}
	n.fresh[node.SourceKrbd], n.fresh[node.SourceIO] = true, true
	for range count {
		id := 0
		for _, m := range n.mapped {
			id = max(id, m.ID+1)
		}
		m := rbd.Mapped{
			ID: id, Device: fmt.Sprintf("rbd%d", id), Major: 252, Minor: uint32(16 * id), Pool: "rbd", Image: fmt.Sprintf("vm-%d-disk-0", 101+id),
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
