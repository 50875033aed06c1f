package facts

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// unknownLine is what a NIC of unknown speed counts as where a rate is compared with
// a line rate, in Mbit/s: high, so that little traffic stays little.
const unknownLine = 10000

// A Spread is how a bond's traffic lies on its slaves.
type Spread struct {
	Like     bool   // the policy does not spread one host's storage traffic: layer2 and its like
	Why      string // what the policy hashes
	Measured bool   // all slaves that carry traffic were followed for that time
	Rx, Tx   Direction
	Expected []node.SeenSlave // slaves the bond has had, by name
	Missing  []node.SeenSlave // of Expected, those it has no more
}

// A Direction is how one way of a bond's traffic lay on its slaves, on average.
type Direction struct {
	Way   string  // "rx", "tx"
	Total float64 // bit/s
	Slave string  // the one that carried most
	Max   float64 // bit/s of it
	Share float64 // of Total, from 1/slaves to 1
	Skew  float64 // 0: all carry the same; 1: one carries all
	Fill  float64 // of that slave's line rate
}

// Even reports whether the slaves share the traffic evenly, and there is enough of
// it to tell.
func (d Direction) Even(slaves int) bool {
	const little = 50e6 // bit/s
	return d.Total > little && slaves > 0 && d.Share < 1.3/float64(slaves)
}

// Spread returns how a bond's traffic lies on its slaves, over the last minute.
func (f *Facts) Spread(b bond.Bond) Spread { return f.SpreadOver(b, time.Minute) }

// SpreadOver is Spread over the last d, at most a minute.
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

// Carries are the slaves that carry traffic now. An 802.3ad bond without an active
// aggregator has none: the kernel then gives frames to no slave
// (drivers/net/bonding/bond_main.c, bond_update_slave_arr).
func (f *Facts) Carries(b bond.Bond) []bond.Slave {
	if b.Kind == bond.Kernel && b.Mode == bond.LACP && b.AD == nil {
		return nil
	}
	return b.Carrying()
}

// GoneBonds are the kernel's bonds that have been there since nodewatch started and
// are not any more, by name.
func (f *Facts) GoneBonds() []node.SeenBond {
	var list []node.SeenBond
	for _, b := range f.SeenBonds() {
		if !b.Gone.IsZero() {
			list = append(list, b)
		}
	}
	return list
}

// noPartner is the partner's MAC address of a bond that no switch answers.
const noPartner = "00:00:00:00:00:00"

// A LACP is what is wrong between a bond and its switch.
type LACP struct {
	Bond  string        // what is wrong with the bundle as a whole; empty: nothing
	Ports []PortProblem // ports that have a link and a problem, in the order of the slaves
}

// OK reports whether nothing is wrong.
func (l LACP) OK() bool { return l.Bond == "" && len(l.Ports) == 0 }

// Problem is what is wrong with one port; empty: nothing.
func (l LACP) Problem(slave string) string {
	for _, p := range l.Ports {
		if p.Slave == slave {
			return p.Problem
		}
	}
	return ""
}

// A PortProblem is a slave and what is wrong with its port, the cause before its
// consequences.
type PortProblem struct{ Slave, Problem string }

// LACPOf returns what is wrong between a bond and its switch; nothing of a bond that
// does not speak LACP.
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
