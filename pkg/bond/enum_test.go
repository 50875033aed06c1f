package bond

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpellings(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    spelling
		want string // names by number from 0, then the first number without one
	}{
		{"mode", modes, "balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb 7"},
		{"hash policy", policies, "layer2 layer3+4 layer2+3 encap2+3 encap3+4 vlan+srcmac 6"},
		{"ad_select", adSelects, "stable bandwidth count actor_port_prio 4"},
		{"lacp_rate", lacpRates, "slow fast 2"},
		{"lacp_active", lacpActives, "off on 2"},
		{"slave state", slaveStates, "ACTIVE BACKUP 2"},
		{"MII status", miiStatuses, "UP GOING_DOWN DOWN GOING_BACK 4"},
		{"churn", churns, "monitoring churned none 3"},
		{"port state bit", portBits, "active short_timeout aggregating in_sync collecting distributing defaulted expired 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for n := range len(tt.s) + 1 {
				got = append(got, tt.s.of(n))
			}
			if diff := cmp.Diff(strings.Fields(tt.want), got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if got := tt.s.of(-1); got != "" {
				t.Errorf("of(-1) = %q, want nothing said", got)
			}
			for n := range 256 {
				if got, ok := tt.s.number(tt.s.of(n)); !ok || got != n {
					t.Errorf("number(of(%d)) = %d, %v", n, got, ok)
				}
			}
			for _, text := range []string{"", "0", "-1", "+9", "09", "no such"} {
				if got, ok := tt.s.number(text); ok {
					t.Errorf("number(%q) = %d, want none", text, got)
				}
			}
		})
	}
}

func TestModeAndPolicyNumbers(t *testing.T) {
	if got, ok := LACP.Number(); got != 4 || !ok || ModeOf(4) != LACP {
		t.Errorf("802.3ad is %d, %v; 4 is %s", got, ok, ModeOf(4))
	}
	if got, ok := Layer34.Number(); got != 1 || !ok || PolicyOf(1) != Layer34 {
		t.Errorf("layer3+4 is %d, %v; 1 is %s", got, ok, PolicyOf(1))
	}
	if got, ok := PolicyOf(42).Number(); got != 42 || !ok {
		t.Errorf("an unknown policy 42 comes back as %d, %v", got, ok)
	}
	if got, ok := BalanceSLB.Number(); ok {
		t.Errorf("balance-slb has the kernel's number %d, want none", got)
	}
}

func TestPortState(t *testing.T) {
	for _, tt := range []struct {
		state   PortState
		text    string
		healthy bool
	}{
		{0x3f, "active,short_timeout,aggregating,in_sync,collecting,distributing", true},
		{0x3d, "active,aggregating,in_sync,collecting,distributing", true},
		{0x3c, "aggregating,in_sync,collecting,distributing", true}, // a passive partner
		{0x00, "none", false},
		{0x4f, "active,short_timeout,aggregating,in_sync,defaulted", false}, // no partner
		{0x7f, "active,short_timeout,aggregating,in_sync,collecting,distributing,defaulted", false},
		{0xbf, "active,short_timeout,aggregating,in_sync,collecting,distributing,expired", false},
		{0x1f, "active,short_timeout,aggregating,in_sync,collecting", false},
		{0xff, "active,short_timeout,aggregating,in_sync,collecting,distributing,defaulted,expired", false},
	} {
		t.Run(fmt.Sprintf("%#02x", uint8(tt.state)), func(t *testing.T) {
			if got := tt.state.String(); got != tt.text {
				t.Errorf("got %q, want %q", got, tt.text)
			}
			if got := tt.state.Healthy(); got != tt.healthy {
				t.Errorf("healthy: got %v, want %v", got, tt.healthy)
			}
		})
	}
}
