package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

const (
	maxBonds = 16
	maxPorts = 16               // slaves of one bond, or NICs in none
	flowSpan = 10 * time.Second // over which traffic is averaged
	hot      = 0.9              // of its line: a bar is marked
)

// What a bar is of, as the style's classes name it.
const (
	fillLine  = "b-line"  // of the NIC's line rate
	fillHot   = "b-hot"   // the same, and it is full
	fillShare = "b-share" // of the bond's traffic
)

// A bondsView is the bonds, and the NICs in none.
type bondsView struct {
	Notes []string
	Bonds []bondView
	More  int // bonds that are not shown
	NICs  []portView
	Known bool
}

// A bondView is one bond.
type bondView struct {
	Name, Mode, Policy string
	Layer2             string // why its policy is layer2-like; empty: it is not
	Krbd               string // which krbd devices it carries; empty: none
	Facts              []string
	Ports              []portView
	More               int
}

// A portView is a slave, or a NIC in no bond.
type portView struct {
	Name, State, Detail string
	Tone                tone
	Drops               string // what it drops for lack of buffers; empty: nothing
	Rx, Tx              barView
}

// A barView is how much goes one way.
type barView struct {
	Known bool
	Rate  string
	Bars  []bar // which part of its line it fills, and which of the bond's traffic it carries
}

// A bar is a part of something, drawn.
type bar struct {
	Fill  string  // what it is of
	Width float64 // 0 to 100
	Text  string
}

func bondsOf(v judge.View) bondsView {
	all := v.Bonds()
	b := bondsView{Notes: append(notes(v, node.SourceBond, node.SourceNIC, node.SourceOVS), unknownDrivers(v)...), Known: ever(v, node.SourceBond) || ever(v, node.SourceOVS)}
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
	if like, why := b.Layer2Like(); like && b.MultiSlave() {
		w.Layer2 = why
	}
	var sum node.Flow
	flows := map[string]node.Flow{}
	for _, s := range b.Slaves {
		f := flowOf(v, s.Name)
		flows[s.Name] = f
		sum.Rx, sum.Tx = sum.Rx+f.Rx, sum.Tx+f.Tx
	}
	for _, s := range b.Slaves[:min(len(b.Slaves), maxPorts)] {
		p := slaveOf(b, s)
		p.Rx = barOf(flows[s.Name], flows[s.Name].Rx, sum.Rx, s.Speed)
		p.Tx = barOf(flows[s.Name], flows[s.Name].Tx, sum.Tx, s.Speed)
		p.Drops = dropsOf(v, s.Name)
		w.Ports = append(w.Ports, p)
	}
	w.More = len(b.Slaves) - len(w.Ports)
	return w
}

// policyOf is what decides which slave a frame leaves by.
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

// flowOf is what a NIC carried of late; the zero Flow if that is not known.
func flowOf(v judge.View, name string) node.Flow {
	n, _ := v.NIC(name)
	flows, _ := n.Lately(n.At, flowSpan)
	return node.Mean(flows)
}

// barOf is one direction of a flow: rate is its traffic, all that of the whole
// bond, 0 for none.
func barOf(f node.Flow, rate, all float64, mbits int) barView {
	if f.At.IsZero() {
		return barView{}
	}
	b := barView{Known: true, Rate: bits(rate)}
	if mbits > 0 {
		line, fill := rate/(float64(mbits)*1e6), fillLine
		if line >= hot {
			fill = fillHot
		}
		b.Bars = append(b.Bars, bar{fill, min(100*line, 100), percent(line) + " of its line"})
	}
	if all > 0 {
		b.Bars = append(b.Bars, bar{fillShare, 100 * rate / all, percent(rate/all) + " of the bond"})
	}
	return b
}

// dropsOf says what a NIC drops for lack of buffers; empty if nothing lately.
func dropsOf(v judge.View, name string) string {
	n, _ := v.NIC(name)
	rate := max(n.DropRate, n.Rates.Overload)
	if rate <= 0 {
		return ""
	}
	return fmt.Sprintf("drops %s frames/s for lack of buffers", digits(rate))
}

// unknownDrivers says, once for each driver whose drop counters nodewatch does not
// know, which NICs it has and which of its counters look like drops.
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
		says := fmt.Sprintf("The drop counters of driver %s (%s) are unknown: only the kernel's own are watched.", driver, strings.Join(nics[driver], ", "))
		if names := slices.Sorted(maps.Keys(counters[driver])); len(names) > 0 {
			says += " Please report those that look like drops: " + strings.Join(names, ", ") + "."
		}
		list = append(list, says)
	}
	return list
}

func nicOf(v judge.View, n bond.NIC) portView {
	f := flowOf(v, n.Name)
	p := portView{Name: n.Name, State: "in no bond", Tone: good, Detail: speed(n.Speed), Rx: barOf(f, f.Rx, 0, n.Speed), Tx: barOf(f, f.Tx, 0, n.Speed)}
	if krbd := krbdOn(v, n.Name); krbd != "" {
		p.Detail += "; " + krbd
	}
	p.Drops = dropsOf(v, n.Name)
	if !n.Up {
		p.State, p.Tone = "in no bond, no link", bad
	}
	return p
}
