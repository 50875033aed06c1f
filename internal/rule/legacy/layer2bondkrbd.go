package legacy

import (
	"fmt"
	"slices"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

type layer2Limits struct {
	Full          float64       `json:"full" doc:"share of a slave's line rate, one way, from which it counts as full" min:"0.5" max:"0.98"`
	FullFor       time.Duration `json:"full_for" doc:"how long a slave is full before it counts" min:"2s" max:"60s"`
	LatencyFactor float64       `json:"latency_factor" doc:"how many times its usual latency a krbd disk must take to count as slow" min:"1.5" max:"100"`
	Latency       time.Duration `json:"latency" doc:"latency below which no krbd disk counts as slow" min:"1ms" max:"10s"`
	SlowShare     float64       `json:"slow_share" doc:"share of the busy krbd disks that must be slow, at least two of them unless there is one" min:"0.01" max:"1"`
	Drops         time.Duration `json:"drops" doc:"how long a slave drops frames for lack of buffers before it counts" min:"2s" max:"60s"`
	Faults        int           `json:"faults" doc:"sessions of one OSD lost in a minute that count; a CRC fault counts alone" min:"1" max:"1000"`
}

func layer2BondKrbd(storms *stormLimits) Rule {
	limits := &layer2Limits{Full: fullShare, FullFor: 5 * time.Second, LatencyFactor: 3, Latency: 50 * time.Millisecond, SlowShare: 0.25, Drops: 5 * time.Second, Faults: 2}
	return Rule{
		ID:        "layer2-bond-krbd",
		Title:     "a bond that hashes by MAC address carries krbd's traffic",
		Component: Storage,
		Severity:  "warning, critical",
		Impact:    "operational as a standing risk; degraded_performance while a storm builds up; major_outage in the storm",
		Needs:     []string{node.SourceBond, node.SourceKrbd},
		Keep:      45 * time.Second,                          // traffic comes in waves; the stage must not change with each
		Fact:      func(report.Finding) bool { return true }, // whether it is there at all is a setting; a storm that goes on is krbd-retry-storm's
		Limits:    limits,
		About: "The pattern of the RL1 Node 2 outage, in three stages. Standing risk (warning, customers feel nothing): a bond of several slaves that carries krbd's traffic chooses the slave by MAC address, or by MAC address and VLAN, so that all traffic to one server, or through one router, shares one NIC; and all krbd disks share one kernel client, so that what that NIC cannot carry stalls all of them. " +
			"Building (critical, degraded performance): one slave is at 90 % or more of its line rate one way for 5 s, and krbd feels it: a quarter of the busy disks take at least 3 times their usual latency, or the NIC keeps dropping frames for lack of buffers, or sessions are lost. Saturation alone, as by a backup or a migration, does not count: that is nic-saturated. " +
			"Storm (critical, major outage): krbd-retry-storm's condition for disks behind this bond; its thresholds are shared. " +
			"The policy counts as layer2-like when this host's storage traffic would not spread under it: layer2, vlan+srcmac, Open vSwitch's balance-slb. In active-backup, broadcast, balance-rr, balance-alb and balance-tlb with dynamic load balancing it has no meaning. " +
			"The policy decides only what this host sends; the switch decides what it receives, and a storage client mostly receives: change both. Better still, move the guests to librbd.",
		Do: []string{
			"Set the bond's policy to layer3+4, now and in the network configuration, and have the switch hash its side of the LAG by addresses and ports.",
			"Move the guests to librbd; map the disks of Windows guests that stay with rxbounce.",
			"While a storm builds up: find what fills the slave and limit it; the throttle of krbd-retry-storm is first aid.",
		},
		Check: func(in Input) []report.Finding {
			var found []report.Finding
			if len(in.Mapped.Value) == 0 {
				return nil
			}
			for _, b := range in.Bonds() {
				if like, why := b.Layer2Like(); like && b.MultiSlave() {
					if _, carries := in.CarriesStorage(b.Name); carries {
						found = append(found, limits.judge(in, storms, b, why))
					}
				}
			}
			return found
		},
	}
}

// judge says which stage a bond is at. If it was worse and the sources that would
// show that have gone blind, it stays as it was.
func (l *layer2Limits) judge(in Input, storms *stormLimits, b bond.Bond, why string) report.Finding {
	was, raised := in.Was(b.Name)
	stormy := raised && was.Impact == report.MajorOutage
	p := patternOf(in, b, why)
	f := p.standing(in)
	if s, seen := storms.see(in, stormy); seen {
		if s = s.of(in, p.clients, p.names); len(s.stalled)+len(s.resent) > 0 {
			return p.storm(in, f, s)
		}
	}
	fill := l.filling(in, p)
	switch {
	case len(fill.signs) > 0:
		return p.building(in, f, fill)
	case stormy && in.anyBlind(node.SourceIO), raised && !stormy && milder(f, was) && fill.hidden(in), in.anyBlind(bondSource(b)):
		f.State = report.Blind
	}
	return f
}

// anyBlind reports whether one of the sources is blind.
func (in Input) anyBlind(sources ...string) bool {
	return slices.ContainsFunc(sources, func(name string) bool { return in.Blind(name) != nil })
}

// A pattern is one bond that carries krbd's traffic and does not spread it.
type pattern struct {
	bond    bond.Bond
	why     string
	clients []uint64
	devices []rbd.Mapped
	names   []string // of devices
	users   users
	legs    []leg
}

func patternOf(in Input, b bond.Bond, why string) pattern {
	p := pattern{bond: b, why: why, legs: legsOf(in, b.Name)}
	for _, path := range in.Storage {
		if slices.Contains(path.Carriers, b.Name) {
			p.clients = append(p.clients, path.Clients...)
		}
	}
	slices.Sort(p.clients)
	p.clients = slices.Compact(p.clients)
	p.devices = devicesOf(in.Mapped.Value, p.clients)
	p.names = make([]string, len(p.devices))
	for i := range p.devices {
		p.names[i] = p.devices[i].Device
	}
	p.users = usersOf(in, p.names)
	return p
}

// devicesOf are the devices of the given clients; the list itself if all are.
func devicesOf(list []rbd.Mapped, clients []uint64) []rbd.Mapped {
	foreign := func(m rbd.Mapped) bool { return !slices.Contains(clients, m.ClientID) }
	if !slices.ContainsFunc(list, foreign) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), foreign)
}

// exposure is that of the bond's devices.
func (p pattern) exposure(in Input) exposure {
	if len(p.devices) == len(in.Mapped.Value) {
		return exposureOfAll(in)
	}
	return exposureOf(in, p.devices)
}

// shared is "78 krbd disks of 65 VMs share one kernel client".
func (p pattern) shared() string {
	disks := counted(len(p.devices), "krbd disk") + p.users.of()
	switch {
	case len(p.devices) == 1:
		return disks + " depends on it"
	case len(p.clients) == 1:
		return disks + " share one kernel client"
	}
	return fmt.Sprintf("%s share %d kernel clients", disks, len(p.clients))
}

// hash is what the bond chooses a slave by, as its configuration names it.
func (p pattern) hash() string {
	if p.bond.HashPolicy == "" {
		return string(p.bond.Mode)
	}
	return string(p.bond.HashPolicy)
}

func (p pattern) name() string {
	return fmt.Sprintf("%s (%s, %s)", p.bond.Name, p.bond.Mode, slaveText(p.bond))
}
