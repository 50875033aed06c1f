package page

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/facts"
	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// A driver with unknown drop counters is listed once, not for each of its NICs.
func TestUnknownDriversAreNamedOnce(t *testing.T) {
	var v judge.View
	for _, d := range []bond.Drops{
		{Name: "eth0", Driver: "ixgbe", Counts: map[string]uint64{"rx_missed_errors": 1}},
		{Name: "eth1", Driver: "hns3", Unlisted: map[string]uint64{"rx_no_bd_drop": 5}},
		{Name: "eth2", Driver: "hns3", Unlisted: map[string]uint64{"rx_no_bd_drop": 0, "rx_overrun": 1}},
		{Name: "eth3"},
	} {
		v.NICs = append(v.NICs, node.NIC{Name: d.Name, Drops: d})
	}
	got := unknownDrivers(v)
	want := []string{"The drop counters of driver hns3 (eth1, eth2) are unknown: only the kernel's counters are used. Please report those that look like drops: rx_no_bd_drop, rx_overrun."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The page shows the same LACP problems that the rules use.
func TestLACPIsShownAsTheFactsHaveIt(t *testing.T) {
	in := bond.PortInSync | bond.PortCollecting | bond.PortDistributing
	port := func(name string, actor, partner bond.PortState) bond.Slave {
		return bond.Slave{Name: name, Carrier: true, MIIStatus: "UP", State: "ACTIVE", Aggregator: 1, Actor: &actor, Partner: &partner}
	}
	b := bond.Bond{Name: "bond0", Kind: bond.Kernel, Mode: bond.LACP, Up: true,
		AD: &bond.AD{Aggregator: 1, Ports: 2, PartnerMAC: "00:53:00:00:00:01"}, Slaves: []bond.Slave{
			port("eth0", in, in), port("eth1", in|bond.PortDefaulted, in), port("eth2", in, in|bond.PortExpired),
			port("eth3", in, bond.PortInSync),
		}}
	headline := facts.LACPOf(b)
	if len(headline.Ports) != 3 {
		t.Fatalf("the facts tell %v", headline)
	}
	for _, s := range b.Slaves {
		p, problem := slaveOf(b, s), headline.Problem(s.Name)
		if (p.Tone == good) != (problem == "") || !strings.Contains(p.State, problem) {
			t.Errorf("%s: got %q (%s), the facts tell %q", s.Name, p.State, p.Tone, problem)
		}
	}
	b.AD = nil
	if got := strings.Join(bondFacts(b), "; "); !strings.Contains(got, facts.LACPOf(b).Bond) || facts.LACPOf(b).Bond == "" {
		t.Errorf("without an aggregator: got %q", got)
	}
}

// A bar is marked if the facts report the NIC as full, and is empty for a NIC whose
// reading is too old to be current.
func TestABarIsFullWhenTheFactsSaySo(t *testing.T) {
	v := stormView()
	n, _ := v.Facts.NICNamed("eth0")
	if got := barOf(n.Rx, n.Speed, 0); !n.Rx.Full || len(got.Bars) != 1 || got.Bars[0].Fill != fillHot {
		t.Errorf("a full NIC: %+v", got)
	}
	if got := barOf(n.Tx, n.Speed, 0); n.Tx.Full || len(got.Bars) != 1 || got.Bars[0].Fill != fillLine {
		t.Errorf("the way that is not full: %+v", got)
	}
	late := v.Snapshot
	late.Now = late.Now.Add(10 * time.Second)
	v.Facts = facts.New(late, facts.Baselines{})
	if got := bondsOf(v).Bonds[0].Ports[0]; got.Rx.Known {
		t.Errorf("a reading of ten seconds ago: %+v", got.Rx)
	}
}
