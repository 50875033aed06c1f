package facts

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// unknownLine is the assumed line rate of a NIC of unknown speed, in Mbit/s. It is
// high, so that little traffic remains a small share.
const unknownLine = 10000

// A Spread describes how a bond's traffic is distributed over its slaves.
type Spread struct {
	Like     bool   // the policy does not spread one host's storage traffic: layer2 and similar
	Why      string // the fields that the policy hashes
	Measured bool   // all slaves that carry traffic were read for the whole period
	Rx, Tx   Direction
	Expected []node.SeenSlave // slaves that the bond has had, by name
	Missing  []node.SeenSlave // the slaves of Expected that the bond no longer has
}

// A Direction describes how one direction of a bond's traffic is distributed over its
// slaves, on average.
type Direction struct {
	Way   string  // "rx", "tx"
	Total float64 // bit/s
	Slave string  // the slave that carried most
	Max   float64 // bit/s on that slave
	Share float64 // that slave's share of Total, from 1/slaves to 1
	Skew  float64 // 0: all slaves carry the same; 1: one carries everything
	Fill  float64 // that slave's share of its line rate
}

// Even reports whether the slaves share the traffic evenly, and there is enough
// traffic to judge.
func (d Direction) Even(slaves int) bool {
	const little = 50e6 // bit/s
	return d.Total > little && slaves > 0 && d.Share < 1.3/float64(slaves)
}

// Spread returns how a bond's traffic is distributed over its slaves, over the last
// minute.
func (f *Facts) Spread(b bond.Bond) Spread { return f.SpreadOver(b, time.Minute) }

// SpreadOver returns Spread over the last d, at most a minute.
func (f *Facts) SpreadOver(b bond.Bond, d time.Duration) Spread {
	s := Spread{Rx: Direction{Way: "rx"}, Tx: Direction{Way: "tx"}}
	s.Like, s.Why = b.Layer2Like()
	for _, seen := range f.SeenBonds() {
		if seen.Name != b.Name {
			continue
		}
		s.Expected = seen.Slaves
		for _, slave := range seen.Slaves {
			if !slave.Gone.IsZero() {
				s.Missing = append(s.Missing, slave)
			}
		}
	}
	carrying := f.Carries(b)
	s.Measured = len(carrying) > 1 && f.Blind(node.SourceNIC) == nil
	for _, slave := range carrying {
		n, watched := f.NICNamed(slave.Name)
		if !watched {
			s.Measured = false
			break
		}
		flows, covered := n.Lately(f.Now, d)
		if !covered {
			s.Measured = false
			break
		}
		m := node.Mean(flows)
		s.Rx.add(slave.Name, n.Speed, m.Rx)
		s.Tx.add(slave.Name, n.Speed, m.Tx)
	}
	s.Rx.done(len(carrying))
	s.Tx.done(len(carrying))
	return s
}

func (d *Direction) add(slave string, speed int, bits float64) {
	d.Total += bits
	if bits > d.Max || d.Slave == "" {
		if speed <= 0 {
			speed = unknownLine
		}
		d.Slave, d.Max, d.Fill = slave, bits, bits/(float64(speed)*1e6)
	}
}

func (d *Direction) done(slaves int) {
	if d.Total <= 0 || slaves < 2 {
		return
	}
	even := 1 / float64(slaves)
	d.Share = d.Max / d.Total
	d.Skew = (d.Share - even) / (1 - even)
}

// Carries returns the slaves that carry traffic now. An 802.3ad bond without an
// active aggregator has none: the kernel then passes frames to no slave
// (drivers/net/bonding/bond_main.c, bond_update_slave_arr).
func (f *Facts) Carries(b bond.Bond) []bond.Slave {
	if b.Kind == bond.Kernel && b.Mode == bond.LACP && b.AD == nil {
		return nil
	}
	return b.Carrying()
}

// GoneBonds returns the kernel's bonds that have existed since nodewatch started and
// no longer exist, by name.
func (f *Facts) GoneBonds() []node.SeenBond {
	var list []node.SeenBond
	for _, b := range f.SeenBonds() {
		if !b.Gone.IsZero() {
			list = append(list, b)
		}
	}
	return list
}

// noPartner is the partner's MAC address of a bond without an LACP partner.
const noPartner = "00:00:00:00:00:00"

// A LACP describes the problems between a bond and its switch.
type LACP struct {
	Bond  string        // the problem with the bundle as a whole; empty: none
	Ports []PortProblem // ports that have a link and a problem, in the order of the slaves
}

// OK reports whether there is no problem.
func (l LACP) OK() bool { return l.Bond == "" && len(l.Ports) == 0 }

// Problem returns the problem with one port; empty: none.
func (l LACP) Problem(slave string) string {
	for _, p := range l.Ports {
		if p.Slave == slave {
			return p.Problem
		}
	}
	return ""
}

// A PortProblem is a slave and the problem with its port, the cause before its
// consequences.
type PortProblem struct{ Slave, Problem string }

// LACPOf returns the problems between a bond and its switch; none for a bond without
// LACP.
func LACPOf(b bond.Bond) LACP {
	var l LACP
	switch {
	case b.Kind == bond.OVS:
		for _, s := range b.Slaves {
			if b.LACPActive != "" && s.LACPCurrent != nil && !*s.LACPCurrent && !LinkDown(s) {
				l.Ports = append(l.Ports, PortProblem{s.Name, "receives no LACP from the switch (lacp_current false)"})
			}
		}
		return l
	case b.Mode != bond.LACP:
		return l
	case b.AD != nil && b.AD.PartnerMAC == noPartner:
		l.Bond = "the switch does not answer LACP (partner MAC " + noPartner + ")"
	case b.AD == nil && len(b.Slaves) > 0:
		l.Bond = "it has no active aggregator: no slave carries traffic"
	}
	for _, s := range b.Slaves {
		if text := portProblem(b, s); text != "" && !LinkDown(s) {
			l.Ports = append(l.Ports, PortProblem{s.Name, text})
		}
	}
	return l
}

func portProblem(b bond.Bond, s bond.Slave) string {
	const taken = bond.PortInSync | bond.PortCollecting | bond.PortDistributing
	switch {
	case s.Actor != nil && *s.Actor&bond.PortDefaulted != 0:
		return "receives no LACP from the switch (defaulted)"
	case s.Actor != nil && *s.Actor&bond.PortExpired != 0:
		return "has not received LACP from the switch in time (expired)"
	case s.Partner != nil && *s.Partner&(bond.PortDefaulted|bond.PortExpired) != 0:
		return "is not received by the switch (the partner reports " + s.Partner.String() + ")"
	case b.AD != nil && s.Aggregator != b.AD.Aggregator:
		return fmt.Sprintf("is in aggregator %d, the active one is %d: it carries no traffic", s.Aggregator, b.AD.Aggregator)
	case s.Partner != nil && *s.Partner&taken != taken:
		return "is not added to the bundle by the switch (the partner reports " + s.Partner.String() + ")"
	case s.ActorChurn == "churned":
		return "is churning: this host cannot add it to the bundle"
	case s.PartnerChurn == "churned":
		return "is churning: the switch cannot add it to the bundle"
	}
	return ""
}

// LinkDown reports whether a slave has no link.
func LinkDown(s bond.Slave) bool {
	return !s.Carrier || s.MIIStatus == "DOWN"
}
