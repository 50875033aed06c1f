package network

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

func TestNICDrops(t *testing.T) {
	for what, c := range map[string]struct {
		missed, driver float64 // frames per second on eth1
		disks          int
		seconds        int
		want           string
	}{
		"none":            {0, 0, 3, 40, ""},
		"a few":           {9, 0, 3, 40, ""},
		"not long enough": {5000, 0, 3, 20, ""},
		"by the kernel": {500, 0, 0, 32,
			"warning/operational eth1: eth1 of bond0 is dropping 500 frames/s (RX buffers exhausted), less than 0.1 % of received frames"},
		"by the driver": {0, 500, 0, 50,
			"warning/operational eth1: eth1 of bond0 is dropping 500 frames/s (RX buffers exhausted), less than 0.1 % of received frames"},
		"by the driver, short": {0, 500, 0, 32, ""},
		"both count the same": {500, 500, 0, 50,
			"warning/operational eth1: eth1 of bond0 is dropping 500 frames/s (RX buffers exhausted), less than 0.1 % of received frames"},
		"little, under krbd": {500, 0, 3, 32,
			"warning/operational eth1: eth1 of bond0 is dropping 500 frames/s (RX buffers exhausted), less than 0.1 % of received frames; 3 krbd disks use this NIC"},
		"much, under krbd": {5000, 0, 3, 32,
			"warning/operational eth1: eth1 of bond0 is dropping 5,000 frames/s (RX buffers exhausted), 0.7 % of received frames; 3 krbd disks use this NIC"},
		"much, without krbd": {5000, 0, 0, 32,
			"warning/operational eth1: eth1 of bond0 is dropping 5,000 frames/s (RX buffers exhausted), 0.7 % of received frames"},
	} {
		t.Run(what, func(t *testing.T) {
			sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).MapDisks(c.disks, "192.0.2.2").Carry("eth1", 8, 1)
			sc.Traffic["eth1"].Missed, sc.Traffic["eth1"].Driver = c.missed, c.driver
			if got := ruletest.OnlyOne(t, ruletest.Check(sc.Pass(c.seconds), nicDrops())); ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
		})
	}
}

// rx_dropped also counts unwanted frames, and a bridge with many taps raises it.
func TestNICDropsIgnoresOtherCounters(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Carry("eth1", 8, 1)
	for range 40 {
		c := &sc.Traffic["eth1"].Counters
		c.RxDropped += 10000
		c.TxDropped += 10000
		c.RxErrors += 10000
		c.RxCRC += 10000
		c.RxNoHandler += 10000
		sc.Pass(1)
	}
	if got := ruletest.Check(sc, nicDrops()); len(got) != 0 {
		t.Errorf("got %q, want nothing", ruletest.Said(&got[0]))
	}
}

// Drops in a few single seconds are bursts, however large.
func TestNICDropsMustLast(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Carry("eth1", 8, 1).Pass(20)
	for range 5 {
		sc.Traffic["eth1"].Missed = 3000
		sc.Pass(1)
		sc.Traffic["eth1"].Missed = 0
		sc.Pass(5)
	}
	if got := ruletest.Check(sc, nicDrops()); len(got) != 0 {
		t.Errorf("got %q for five seconds of thirty, want nothing", ruletest.Said(&got[0]))
	}
}

func TestNICDropsEvidence(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Carry("eth1", 5, 1)
	sc.Traffic["eth1"].Missed, sc.Traffic["eth1"].Driver = 200, 300
	sc.Pass(50)
	got := ruletest.OnlyOne(t, ruletest.Check(sc, nicDrops()))
	all := strings.Join(ruletest.FactsOf(got.Evidence), "\n")
	for _, want := range []string{
		"200 frames/s missed (missed, fifo, over), on average over 30 s",
		"300 frames/s by the driver's counters (ixgbe: rx_missed_errors and rx_no_dma_resources)",
		"rx 5 Gbit/s, tx 1 Gbit/s of 10G",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "flow_control") {
		t.Errorf("pause frames are no drops:\n%s", all)
	}
	if all := strings.Join(ruletest.FactsOf(got.Against), "\n"); !strings.Contains(all, "its link is not saturated on receive") {
		t.Errorf("got against %q", all)
	}
	if age := sc.At.Sub(got.Since); age < 40*time.Second || age > time.Minute {
		t.Errorf("got since %s before, want about 50 s", age)
	}
}

// Driver counters that are no longer read do not count as continuing drops.
func TestNICDropsForgetsADriverThatIsGone(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).Carry("eth1", 5, 1)
	sc.Traffic["eth1"].Driver = 300
	if got := ruletest.Check(sc.Pass(50), nicDrops()); len(got) != 1 {
		t.Fatal("got nothing, want the driver's drops")
	}
	sc.See(node.SawDrops{Reading: node.Reading[[]bond.Drops]{At: sc.At}})
	if got := ruletest.Check(sc, nicDrops()); len(got) != 0 {
		t.Errorf("got %q, want nothing", ruletest.Said(&got[0]))
	}
}

// While krbd's I/O cannot be read it is unknown whether disks are slow: the impact of a
// raised finding stays, and a finding without one is reported as before.
func TestNICDropsKeepsItsImpactWithoutSight(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).MapDisks(3, "192.0.2.2").Carry("eth1", 8, 1)
	sc.Traffic["eth1"].Missed = 5000
	sc.Do(nodetest.IO{Done: 10, Ms: 2}).Pass(32)
	for impact, blind := range map[report.Impact]bool{report.DegradedPerformance: true, report.Operational: false} {
		raised := rule.Raised{Finding: report.Finding{Rule: "nic-drops", Subject: "eth1", Impact: impact}}
		if got := ruletest.OnlyOne(t, ruletest.Check(sc, nicDrops(), raised)); got.Blind {
			t.Errorf("%s: blind while krbd's I/O is read", impact)
		}
		lost := *sc
		lost.See(node.SawIO{Reading: nodetest.Failed[[]rbd.IO](sc.At, node.Denied, "permission denied", "")})
		if got := ruletest.OnlyOne(t, ruletest.Check(&lost, nicDrops(), raised)); got.Blind != blind {
			t.Errorf("%s: blind is %t, want %t", impact, got.Blind, blind)
		}
	}
}

// For a moment after a reset the number of arriving frames is unknown, and so is the
// dropped share.
func TestNICDropsAfterAReset(t *testing.T) {
	sc := nodetest.New(nodetest.Over(nodetest.LACPBond(bond.Layer2))).MapDisks(3, "192.0.2.2").Carry("eth1", 8, 1)
	sc.Traffic["eth1"].Missed = 500
	sc.Pass(35)
	sc.Traffic["eth1"].Counters.RxMissed, sc.Traffic["eth1"].Counters.RxBytes, sc.Traffic["eth1"].Counters.RxPackets = 0, 0, 0
	got := ruletest.OnlyOne(t, ruletest.Check(sc.Pass(1), nicDrops()))
	if want := "warning/operational eth1: eth1 of bond0 is dropping 500 frames/s (RX buffers exhausted); 3 krbd disks use this NIC"; ruletest.Said(got) != want {
		t.Errorf("got  %q\nwant %q", ruletest.Said(got), want)
	}
}
