package page

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// A driver whose drop counters are unknown is told once, not for each of its NICs.
func TestUnknownDriversAreToldOnce(t *testing.T) {
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
	want := []string{"The drop counters of driver hns3 (eth1, eth2) are unknown: only the kernel's own are watched. Please report those that look like drops: rx_no_bd_drop, rx_overrun."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
