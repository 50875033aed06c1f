package legacy

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

func TestNICDrops(t *testing.T) {
	for what, c := range map[string]struct {
		missed, driver float64 // frames a second of eth1
		disks          int
		seconds        int
		want           string
	}{
		"none":                 {0, 0, 3, 40, ""},
		"a few":                {9, 0, 3, 40, ""},
		"not long enough":      {5000, 0, 3, 20, ""},
		"by the kernel":        {500, 0, 0, 32, "warning/operational eth1: eth1 of bond0 drops 500 frames a second for lack of buffers, 0.072 % of what arrives"},
		"by the driver":        {0, 500, 0, 50, "warning/operational eth1: eth1 of bond0 drops 500 frames a second for lack of buffers, 0.072 % of what arrives"},
		"by the driver, short": {0, 500, 0, 32, ""},
		"both count the same":  {500, 500, 0, 50, "warning/operational eth1: eth1 of bond0 drops 500 frames a second for lack of buffers, 0.072 % of what arrives"},
		"little, under krbd":   {500, 0, 3, 32, "warning/operational eth1: eth1 of bond0 drops 500 frames a second for lack of buffers, 0.072 % of what arrives"},
		"much, under krbd":     {5000, 0, 3, 32, "warning/degraded_performance eth1: eth1 of bond0 drops 5000 frames a second for lack of buffers, 0.72 % of what arrives; 3 krbd disks are behind it"},
		"much, without krbd":   {5000, 0, 0, 32, "warning/operational eth1: eth1 of bond0 drops 5000 frames a second for lack of buffers, 0.72 % of what arrives"},
	} {
		t.Run(what, func(t *testing.T) {
			sc := newScene(over(lacpBond(bond.Layer2))).mapped(c.disks, "192.0.2.2").carry("eth1", 8, 1)
			sc.traffic["eth1"].missed, sc.traffic["eth1"].driver = c.missed, c.driver
			if got := onlyOne(t, sc.pass(c.seconds).check(nicDrops())); said(got) != c.want {
				t.Errorf("got  %q\nwant %q", said(got), c.want)
			}
		})
	}
}

// rx_dropped counts unwanted frames too, and a bridge full of taps raises it.
func TestNICDropsLeavesOtherCountersAlone(t *testing.T) {
	sc := newScene(over(lacpBond(bond.Layer2))).carry("eth1", 8, 1)
	for range 40 {
		c := &sc.traffic["eth1"].counters
		c.RxDropped += 10000
		c.TxDropped += 10000
		c.RxErrors += 10000
		c.RxCRC += 10000
		c.RxNoHandler += 10000
		sc.pass(1)
	}
	if got := sc.check(nicDrops()); len(got) != 0 {
		t.Errorf("got %q, want nothing", said(&got[0]))
	}
}

// A tick now and then is a burst, however large.
func TestNICDropsMustLast(t *testing.T) {
	sc := newScene(over(lacpBond(bond.Layer2))).carry("eth1", 8, 1).pass(20)
	for range 5 {
		sc.traffic["eth1"].missed = 3000
		sc.pass(1)
		sc.traffic["eth1"].missed = 0
		sc.pass(5)
	}
	if got := sc.check(nicDrops()); len(got) != 0 {
		t.Errorf("got %q for five seconds of thirty, want nothing", said(&got[0]))
	}
}

func TestNICDropsEvidence(t *testing.T) {
	sc := newScene(over(lacpBond(bond.Layer2))).carry("eth1", 5, 1)
	sc.traffic["eth1"].missed, sc.traffic["eth1"].driver = 200, 300
	sc.pass(50)
	got := onlyOne(t, sc.check(nicDrops()))
	all := strings.Join(factsOf(got.Evidence), "\n")
	for _, want := range []string{
		"200 frames a second missed (missed, fifo, over), on average over 30 s",
		"300 frames a second by ixgbe's own count (rx_missed_errors and rx_no_dma_resources)",
		"rx 5.0 Gbit/s, tx 1.0 Gbit/s of 10G",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "flow_control") {
		t.Errorf("pause frames are no drops:\n%s", all)
	}
	if all := strings.Join(factsOf(got.Against), "\n"); !strings.Contains(all, "its link is not full on average") {
		t.Errorf("got against %q", all)
	}
	if age := sc.at.Sub(got.Since); age < 40*time.Second || age > time.Minute {
		t.Errorf("got since %s before, want about 50 s", age)
	}
	sc.blind(node.SourceNIC)
	if got := sc.check(nicDrops()); len(got) != 0 {
		t.Errorf("got %q while counters cannot be read, want nothing", said(&got[0]))
	}
}

// A driver that is no longer asked does not go on dropping.
func TestNICDropsForgetsADriverThatIsGone(t *testing.T) {
	sc := newScene(over(lacpBond(bond.Layer2))).carry("eth1", 5, 1)
	sc.traffic["eth1"].driver = 300
	if got := sc.pass(50).check(nicDrops()); len(got) != 1 {
		t.Fatal("got nothing, want the driver's drops")
	}
	sc.see(node.SawDrops{Reading: node.Reading[[]bond.Drops]{At: sc.at}})
	if got := sc.check(nicDrops()); len(got) != 0 {
		t.Errorf("got %q, want nothing", said(&got[0]))
	}
}

// For a moment after a reset it is not known what arrives, and so neither which
// part of it is lost.
func TestNICDropsAfterAReset(t *testing.T) {
	sc := newScene(over(lacpBond(bond.Layer2))).mapped(3, "192.0.2.2").carry("eth1", 8, 1)
	sc.traffic["eth1"].missed = 500
	sc.pass(35)
	sc.traffic["eth1"].counters.RxMissed, sc.traffic["eth1"].counters.RxBytes, sc.traffic["eth1"].counters.RxPackets = 0, 0, 0
	got := onlyOne(t, sc.pass(1).check(nicDrops()))
	if want := "warning/operational eth1: eth1 of bond0 drops 500 frames a second for lack of buffers"; said(got) != want {
		t.Errorf("got  %q\nwant %q", said(got), want)
	}
}
