//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A limit that tc has set on a bond or NIC that carries krbd's traffic is told, each
// kind that this kernel has, and is over once it is removed.
func TestThrottleLeft(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	l.mapImages(1, msgr1)
	l.until(12*time.Second, "krbd is seen", func(r Report) bool { return r.raised("krbd-no-rxbounce", "info") })
	if r := l.now(); !r.clear("throttle-left") {
		t.Errorf("no limit, and one is told: %s", r)
	}
	for _, c := range []struct{ what, link, set, remove string }{
		{"tbf", "bond0", "tc qdisc add dev bond0 root tbf rate 50mbit burst 64k latency 100ms", "tc qdisc del dev bond0 root"},
		{"htb", "bond0", "tc qdisc add dev bond0 root handle 1: htb default 10 && tc class add dev bond0 parent 1: classid 1:10 htb rate 50mbit", "tc qdisc del dev bond0 root"},
		{"police", "eth0", "tc qdisc add dev eth0 ingress && tc filter add dev eth0 parent ffff: protocol ip u32 match u32 0 0 police rate 50mbit burst 1m drop", "tc qdisc del dev eth0 ingress"},
	} {
		l.sh("%s", c.set)
		r := l.until(20*time.Second, c.what+" is told", func(r Report) bool { return r.raised("throttle-left", "warning") })
		if f := r.finding("throttle-left"); f.Subject != c.link || f.Impact != "operational" {
			t.Errorf("%s: got %s on %s, want operational on %s", c.what, f.Impact, f.Subject, c.link)
		}
		l.sh("%s", c.remove)
		l.until(90*time.Second, c.what+" is over", func(r Report) bool { return r.clear("throttle-left") })
	}
	l.sh("tc qdisc replace dev bond0 root fq_codel")
	l.holds(15*time.Second, "a default discipline is no limit", func(r Report) bool { return r.clear("throttle-left") })
}
