package legacy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
)

// What a NIC did around an instant: 12:00:00 here, seen up to 12:00:40.
func TestLegAround(t *testing.T) {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	flow := func(second int, rx, tx, drops float64) node.Flow {
		return node.Flow{At: at.Add(time.Duration(second) * time.Second), Rx: rx * 1e9, Tx: tx * 1e9, Overload: drops, Speed: 10000}
	}
	// tens are quiet from ten minutes before, but for those given; seconds from 20 s before.
	build := func(change func(tens, seconds []node.Flow)) leg {
		var tens, seconds []node.Flow
		for s := -600; s < 40; s += 10 {
			tens = append(tens, flow(s, 1, 0.5, 0))
		}
		for s := -19; s <= 40; s++ {
			seconds = append(seconds, flow(s, 1, 0.5, 0))
		}
		change(tens, seconds)
		return leg{NIC: node.NIC{Name: "eth0", Speed: 10000, Tens: tens, Seconds: seconds}}
	}
	ten := func(s int) int { return (s + 600) / 10 }
	sec := func(s int) int { return s + 19 }
	after := func(s int) time.Time { return at.Add(time.Duration(s) * time.Second) }
	for name, c := range map[string]struct {
		change func(tens, seconds []node.Flow)
		want   past
	}{
		"calm":                 {func(_, _ []node.Flow) {}, past{known: true, most: 0.1}},
		"full before":          {func(tens, _ []node.Flow) { tens[ten(-60)] = flow(-60, 1, 9.5, 0) }, past{known: true, most: 0.95, full: after(-50), way: "tx"}},
		"full long before":     {func(tens, _ []node.Flow) { tens[ten(-310)] = flow(-310, 9, 1, 0) }, past{known: true, most: 0.1}},
		"busy before":          {func(tens, _ []node.Flow) { tens[ten(-60)] = flow(-60, 1, 8.5, 0) }, past{known: true, most: 0.85}},
		"full a second before": {func(_, seconds []node.Flow) { seconds[sec(0)] = flow(0, 9.2, 1, 0) }, past{known: true, most: 0.92, full: at, way: "rx"}},
		"full a second after":  {func(_, seconds []node.Flow) { seconds[sec(1)] = flow(1, 9.2, 1, 0) }, past{known: true, most: 0.1, full: after(1), way: "rx"}},
		"the first time counts": {func(tens, seconds []node.Flow) {
			tens[ten(-100)], seconds[sec(5)] = flow(-100, 9, 1, 0), flow(5, 1, 9, 0)
		}, past{known: true, most: 0.9, full: after(-90), way: "rx"}},
		"drops": {func(_, seconds []node.Flow) { seconds[sec(3)] = flow(3, 2, 1, 40) }, past{known: true, most: 0.1, drops: after(3)}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, build(c.change).around(at), cmp.AllowUnexported(past{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	l := build(func(_, _ []node.Flow) {})
	l.DropSince = after(-7)
	if p := l.around(at); !p.drops.Equal(after(-7)) {
		t.Errorf("the driver's drops: %s", p.drops)
	}
	l.Tens = l.Tens[ten(-20):]
	if l.around(at).known {
		t.Error("known from 20 s")
	}
	if (leg{}).around(at) != (past{}) {
		t.Error("something of an unknown NIC")
	}
}

func TestSlaveText(t *testing.T) {
	for want, speeds := range map[string][]int{"2x10G": {10000, 10000}, "10G+25G": {10000, 25000}, "2 slaves": {10000, 0}, "1x1G": {1000}, "3x2.5G": {2500, 2500, 2500}} {
		b := bond.Bond{}
		for _, s := range speeds {
			b.Slaves = append(b.Slaves, bond.Slave{Speed: s})
		}
		if got := slaveText(b); got != want {
			t.Errorf("%v: %q, want %q", speeds, got, want)
		}
	}
}
