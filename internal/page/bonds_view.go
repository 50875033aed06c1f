package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

const (
	maxBonds = 16
	maxPorts = 16 // slaves of one bond, or standalone NICs
)

// The kinds of bars, as CSS classes.
const (
	fillLine  = "b-line"  // share of the NIC's line rate
	fillHot   = "b-hot"   // the same, for a full NIC
	fillShare = "b-share" // share of the bond's traffic
)

// A bondsView shows the bonds and the standalone NICs.
type bondsView struct {
	Notes []string
	Bonds []bondView
	More  int // number of bonds not shown
	NICs  []portView
	Known bool
}

// firstBonds is the number of bonds shown before the fold.
const firstBonds = 2

// First returns the bonds before the fold.
func (b bondsView) First() []bondView { return b.Bonds[:min(len(b.Bonds), firstBonds)] }

// Rest returns the bonds behind the fold.
func (b bondsView) Rest() []bondView { return b.Bonds[min(len(b.Bonds), firstBonds):] }

// A bondView shows one bond.
type bondView struct {
	Name, Mode, Policy string
	Layer2             string // reason why its policy counts as layer2; empty: it does not
	Krbd               string // the krbd devices whose traffic it carries; empty: none
	Facts              []string
	Ports              []portView
	More               int
}

// A portView shows a slave or a standalone NIC.
type portView struct {
	Name, State, Detail string
	Tone                tone
	Drops               string // the frames dropped (buffers exhausted); empty: none
	Rx, Tx              barView
}

// A barView shows the traffic in one direction.
type barView struct {
	Known bool
	Rate  string
	Bars  []bar // shares of the NIC's line rate and of the bond's traffic
}

// A bar draws a share.
type bar struct {
	Fill  string  // the kind of bar
	Width float64 // percent, 0 to 100
	Text  string
}

func bondsOf(v judge.View) bondsView {
	all := slices.Clone(v.Bonds())
	slices.SortStableFunc(all, func(a, b bond.Bond) int { // bonds that carry krbd's traffic first
		of, _ := v.CarriesStorage(b.Name)
		is, _ := v.CarriesStorage(a.Name)
		return of - is
	})
	b := bondsView{Notes: append(notes(v, node.SourceBond, node.SourceNIC, node.SourceOVS), unknownDrivers(v)...),
		Known: ever(v, node.SourceBond) || ever(v, node.SourceOVS)}
	for _, one := range all[:min(len(all), maxBonds)] {
		b.Bonds = append(b.Bonds, bondOf(v, one))
	}
	b.More = len(all) - len(b.Bonds)
	for _, n := range v.Links.Value.NICs {
		_, carries := v.CarriesStorage(n.Name)
		if (n.Up || carries) && len(b.NICs) < maxPorts {
			b.NICs = append(b.NICs, nicOf(v, n))
		}
	}
	return b
}

func bondOf(v judge.View, b bond.Bond) bondView {
	w := bondView{Name: b.Name, Mode: string(b.Mode), Policy: policyOf(b), Krbd: krbdOn(v, b.Name), Facts: bondFacts(b)}
	if like, policy := b.Layer2Like(); like && b.MultiSlave() {
		w.Layer2 = policy
	}
	rx, tx := 0.0, 0.0
	for _, s := range b.Slaves {
		if n, watched := v.Facts.NICNamed(s.Name); watched {
			rx, tx = rx+n.Rx.Bits, tx+n.Tx.Bits
		}
	}
	for _, s := range b.Slaves[:min(len(b.Slaves), maxPorts)] {
		p := slaveOf(b, s)
		p.carry(v.Facts, s.Name, rx, tx)
		w.Ports = append(w.Ports, p)
	}
	w.More = len(b.Slaves) - len(w.Ports)
	return w
}

// policyOf names the policy that selects the slave for a frame.
func policyOf(b bond.Bond) string {
	if b.Hashes() && b.HashPolicy != "" {
		return "hash " + string(b.HashPolicy)
	}
	return ""
}

func krbdOn(v judge.View, name string) string {
	if devices, carries := v.CarriesStorage(name); carries {
		return "carries " + plural(devices, "krbd disk", "krbd disks")
	}
	return ""
}

// carry adds the traffic and drops of the NIC with that name. rx and tx are the
// traffic of its whole bond in bit/s, 0 for none.
func (p *portView) carry(f *facts.Facts, name string, rx, tx float64) {
	n, watched := f.NICNamed(name)
	if !watched {
		return
	}
	p.Rx, p.Tx = barOf(n.Rx, n.Speed, rx), barOf(n.Tx, n.Speed, tx)
	if d, now := f.Dropping(n); now {
		p.Drops = fmt.Sprintf("dropping %s frames/s (RX buffers exhausted)", digits(d.Rate))
	}
}

// barOf shows the load of a NIC with a speed in Mbit/s, 0 for unknown, and its share
// of all traffic of the bond, 0 for no bond.
func barOf(l facts.Load, mbits int, all float64) barView {
	if !l.Known {
		return barView{}
	}
	b := barView{Known: true, Rate: bits(l.Bits)}
	if mbits > 0 {
		fill := fillLine
		if l.Full {
			fill = fillHot
		}
		b.Bars = append(b.Bars, bar{fill, min(100*l.Share, 100), percent(l.Share) + " of its line"})
	}
	if all > 0 {
		b.Bars = append(b.Bars, bar{fillShare, 100 * l.Bits / all, percent(l.Bits/all) + " of the bond"})
	}
	return b
}

// unknownDrivers lists, once for each driver with unknown drop counters, its NICs and
// those of its counters that may be drop counters.
func unknownDrivers(v judge.View) []string {
	nics, counters := map[string][]string{}, map[string]map[string]bool{}
	for _, n := range v.NICs {
		d := n.Drops
		if d.Driver == "" || d.Counts != nil {
			continue
		}
		nics[d.Driver] = append(nics[d.Driver], n.Name)
		if counters[d.Driver] == nil {
			counters[d.Driver] = map[string]bool{}
		}
		for name := range d.Unlisted {
			counters[d.Driver][name] = true
		}
	}
	var list []string
	for _, driver := range slices.Sorted(maps.Keys(nics)) {
		says := fmt.Sprintf("The drop counters of driver %s (%s) are unknown: only the kernel's counters are used.", driver,
			strings.Join(nics[driver], ", "))
		if names := slices.Sorted(maps.Keys(counters[driver])); len(names) > 0 {
			says += " Please report those that look like drops: " + strings.Join(names, ", ") + "."
		}
		list = append(list, says)
	}
	return list
}

func nicOf(v judge.View, n bond.NIC) portView {
	p := portView{Name: n.Name, State: "in no bond", Tone: good, Detail: speed(n.Speed)}
	p.carry(v.Facts, n.Name, 0, 0)
	if krbd := krbdOn(v, n.Name); krbd != "" {
		p.Detail += "; " + krbd
	}
	if !n.Up {
		p.State, p.Tone = "in no bond, no link", bad
	}
	return p
}
