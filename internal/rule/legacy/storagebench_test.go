package legacy

import (
	"fmt"
	"testing"

	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

// bigRig is ten times the incident: 780 krbd disks of 650 VMs, one in ten of them
// Windows, 1,820 OSDs, 4 bonds.
func bigRig(b *testing.B) *rig {
	r := newRig(b, 0)
	for i := range 780 {
		os := "linux"
		if i%10 == 0 {
			os = "windows"
		}
		r.addVM(fmt.Sprintf("vm%d", 101+i), os)
		if i >= 650 { // a second disk of one of the first
			last := len(r.guests) - 1
			g := &r.guests[i-650]
			g.Disks = append(g.Disks, r.guests[last].Disks...)
			r.guests = r.guests[:last]
		}
		r.mapped[i].Holders = []rbd.Holder{{Device: fmt.Sprintf("dm-%d", i), Kind: "lvm"}}
	}
	for i := 1; i < 4; i++ {
		other := r.links.Bonds[0]
		other.Name, other.Index = fmt.Sprintf("bond%d", i), 100+i
		other.Slaves = nil
		for j := range 2 {
			name, index := fmt.Sprintf("eth%d", 2*i+j), 10*i+j
			other.Slaves = append(other.Slaves, rigSlave(name, index))
			r.nics = append(r.nics, rigPort(name, index))
		}
		r.links.Bonds = append(r.links.Bonds, other)
	}
	r.run(70)
	return r
}

// BenchmarkStorageRules runs all storage rules once over ten times the incident:
// on a quiet node, in a storm of all OSDs, and once every disk has I/O errors.
func BenchmarkStorageRules(b *testing.B) {
	check := func(b *testing.B, r *rig) {
		rules := storageRules()
		s := r.view.Snapshot
		inputs := make([]Input, len(rules))
		for i, rule := range rules {
			inputs[i] = Input{Snapshot: s, Raised: raisedOf(r.view.Report, rule.ID)}
		}
		b.ReportAllocs()
		for b.Loop() {
			for i, rule := range rules {
				rule.Check(inputs[i])
			}
		}
		b.ReportMetric(float64(len(r.view.Report.Findings)), "findings")
	}
	b.Run("quiet", func(b *testing.B) { check(b, bigRig(b)) })
	b.Run("storm", func(b *testing.B) {
		r := bigRig(b).carry(0, 9.8, 1).stall()
		for range 20 {
			for osd := range 1820 {
				peer := fmt.Sprintf("osd%d", osd)
				r.add(kmsg.Count{Class: kmsg.CRC, Peer: peer, Detail: "data", N: 2}).log(kmsg.ClosedOpen, peer, 1)
			}
			r.run(1)
		}
		check(b, r)
	})
	b.Run("errors", func(b *testing.B) {
		r := bigRig(b)
		for i := range r.mapped {
			r.disk(kmsg.RBDResult, r.mapped[i].Device, -108).disk(kmsg.FSReadOnly, fmt.Sprintf("dm-%d", i), 0).disk(kmsg.BlockError, r.mapped[i].Device, 0)
		}
		check(b, r.run(2))
	})
}

// BenchmarkStorageRule runs each rule by itself in the storm.
func BenchmarkStorageRule(b *testing.B) {
	r := bigRig(b).carry(0, 9.8, 1).stall()
	for range 20 {
		for osd := range 1820 {
			peer := fmt.Sprintf("osd%d", osd)
			r.add(kmsg.Count{Class: kmsg.CRC, Peer: peer, Detail: "data", N: 2}).log(kmsg.ClosedOpen, peer, 1)
		}
		r.run(1)
	}
	for _, rule := range storageRules() {
		in := Input{Snapshot: r.view.Snapshot, Raised: raisedOf(r.view.Report, rule.ID)}
		b.Run(rule.ID, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rule.Check(in)
			}
		})
	}
}
