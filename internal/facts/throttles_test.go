package facts

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// A limit counts only on links that carry krbd's traffic, and is compared with the
// capacity of that link.
func TestThrottles(t *testing.T) {
	links := bond.Links{
		Bonds: []bond.Bond{{Name: "bond0", Index: 10, Kind: bond.Kernel, Mode: bond.BalanceXOR, Up: true, Slaves: []bond.Slave{
			{Name: "eth0", Index: 2, State: "ACTIVE", MIIStatus: "UP", Carrier: true, Speed: 10000},
			{Name: "eth1", Index: 3, State: "ACTIVE", MIIStatus: "UP", Carrier: true, Speed: 10000},
		}}},
		NICs: []bond.NIC{{Name: "eno1", Index: 4, Up: true, Speed: 1000}},
		Uppers: []bond.Upper{{Name: "bond0.40", Index: 11, Kind: "vlan", Lowers: []int{10}},
			{Name: "vmbr4", Index: 12, Kind: "bridge", Lowers: []int{11}}},
		Addresses: []bond.Address{{IP: "192.0.2.12", Bits: 24, Index: 12}},
	}
	n := nodetest.New(links).MapDisks(1, "192.0.2.12")
	if diff := cmp.Diff([]string{"bond0", "bond0.40", "eth0", "eth1", "vmbr4"}, n.Snapshot.StorageLinks()); diff != "" {
		t.Fatalf("links that carry storage (-want +got):\n%s", diff)
	}
	limits := bond.Limits{Links: n.Snapshot.StorageLinks()}
	for _, l := range []struct {
		link string
		rate uint64
	}{{"vmbr4", 17e9}, {"bond0.40", 18e9}, {"bond0", 19e9}, {"eth0", 8e9}, {"eth1", 9e9}, {"eno1", 1e6}, {"tap101i0", 1e6}} {
		limits.Limits = append(limits.Limits, bond.Limit{Link: l.link, Way: "tx", Kind: "tbf", Where: "root", Rate: l.rate})
	}
	n.See(node.SawLimits{Reading: nodetest.Reading(n.At, 0, limits)})
	f := factsOf(n)
	got := map[string]float64{}
	for _, th := range f.Throttles(0.9) {
		got[th.Link] = th.Line
	}
	if diff := cmp.Diff(map[string]float64{"vmbr4": 20e9, "eth0": 10e9}, got); diff != "" {
		t.Errorf("limits below nine tenths of the line, and that line (-want +got):\n%s", diff)
	}
	if !f.LimitsKnown() {
		t.Error("every link was read, and that is not known")
	}
	limits.Links = limits.Links[1:]
	n.See(node.SawLimits{Reading: nodetest.Reading(n.At, 0, limits)})
	if factsOf(n).LimitsKnown() {
		t.Error("a link was not read, and its limits are said to be known")
	}
}
