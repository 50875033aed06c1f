package bond

import (
	"cmp"
	"slices"
	"testing"
)

func TestLayer2Like(t *testing.T) {
	off, on := false, true
	for _, tt := range []struct {
		name string
		b    Bond
		want bool
	}{
		{"802.3ad layer2", Bond{Mode: LACP, HashPolicy: Layer2}, true},
		{"802.3ad vlan+srcmac", Bond{Mode: LACP, HashPolicy: VLANSrcMAC}, true},
		{"802.3ad layer2+3", Bond{Mode: LACP, HashPolicy: Layer23}, false},
		{"802.3ad layer3+4", Bond{Mode: LACP, HashPolicy: Layer34}, false},
		{"802.3ad encap2+3", Bond{Mode: LACP, HashPolicy: Encap23}, false},
		{"802.3ad encap3+4", Bond{Mode: LACP, HashPolicy: Encap34}, false},
		{"802.3ad, a policy of tomorrow", Bond{Mode: LACP, HashPolicy: "17"}, false},
		{"balance-xor layer2", Bond{Mode: BalanceXOR, HashPolicy: Layer2}, true},
		{"balance-tlb layer2, static", Bond{Mode: BalanceTLB, HashPolicy: Layer2, DynamicLB: &off}, true},
		{"balance-tlb layer2, by load", Bond{Mode: BalanceTLB, HashPolicy: Layer2, DynamicLB: &on}, false},
		{"balance-tlb layer2, not said", Bond{Mode: BalanceTLB, HashPolicy: Layer2}, false},
		{"balance-alb layer2", Bond{Mode: BalanceALB, HashPolicy: Layer2, DynamicLB: &off}, false},
		{"active-backup layer2", Bond{Mode: ActiveBackup, HashPolicy: Layer2}, false},
		{"broadcast layer2", Bond{Mode: Broadcast, HashPolicy: Layer2}, false},
		{"balance-rr layer2", Bond{Mode: BalanceRR, HashPolicy: Layer2}, false},
		{"a mode of tomorrow", Bond{Mode: "9", HashPolicy: Layer2}, false},
		{"Open vSwitch balance-slb", Bond{Kind: OVS, Mode: BalanceSLB}, true},
		{"Open vSwitch balance-tcp", Bond{Kind: OVS, Mode: BalanceTCP}, false},
		{"Open vSwitch active-backup", Bond{Kind: OVS, Mode: ActiveBackup}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.b.Kind = cmp.Or(tt.b.Kind, Kernel)
			got, reason := tt.b.Layer2Like()
			if got != tt.want || reason == "" {
				t.Errorf("got %v, %q, want %v and a reason", got, reason, tt.want)
			}
		})
	}
}

func TestSpeedIsThatOfCarryingSlaves(t *testing.T) {
	slave := func(name string, change func(*Slave)) Slave {
		s := Slave{Name: name, State: "ACTIVE", MIIStatus: "UP", Carrier: true, Speed: 10000}
		change(&s)
		return s
	}
	fine := slave("fine", func(*Slave) {})
	for _, tt := range []struct {
		name  string
		other Slave
		ad    *AD
		want  []string
		speed int
	}{
		{"both", slave("other", func(*Slave) {}), nil, []string{"fine", "other"}, 20000},
		{"backup", slave("other", func(s *Slave) { s.State = "BACKUP" }), nil, []string{"fine"}, 10000},
		{"no carrier", slave("other", func(s *Slave) { s.Carrier = false }), nil, []string{"fine"}, 10000},
		{"MII down", slave("other", func(s *Slave) { s.MIIStatus = "DOWN" }), nil, []string{"fine"}, 10000},
		{"MII not said", slave("other", func(s *Slave) { s.MIIStatus = "" }), nil, []string{"fine", "other"}, 20000},
		{"other aggregator", slave("other", func(s *Slave) { s.Aggregator = 2 }), &AD{Aggregator: 0}, []string{"fine"}, 10000},
		{"slower", slave("other", func(s *Slave) { s.Speed = 1000 }), nil, []string{"fine", "other"}, 11000},
		{"speed unknown", slave("other", func(s *Slave) { s.Speed = 0 }), nil, []string{"fine", "other"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := Bond{AD: tt.ad, Slaves: []Slave{fine, tt.other}}
			if got := names(b.Carrying()); !slices.Equal(got, tt.want) {
				t.Errorf("carrying %v, want %v", got, tt.want)
			}
			if got := b.Speed(); got != tt.speed {
				t.Errorf("speed %d, want %d", got, tt.speed)
			}
		})
	}
	if (Bond{}).Speed() != 0 || (Bond{Slaves: []Slave{fine}}).MultiSlave() || !(Bond{Slaves: []Slave{fine, fine}}).MultiSlave() {
		t.Error("MultiSlave is for two slaves and more, and no slave has no speed")
	}
}
