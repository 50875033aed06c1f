//go:build lab

package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A limit that tc has set on a bond or NIC with krbd's traffic is reported, for each
// kind that this kernel supports; after its removal it is no longer read, and a
// default discipline in its place does not count. internal/judge tests that a
// setting's finding ends a minute later, which needs no kernel.
func TestThrottleLeft(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	l.mapImages(1, msgr1)
	l.until(12*time.Second, "krbd is seen", func(r Report) bool { return r.raised("krbd-no-rxbounce", "info") })
	if r := l.now(); !r.clear("throttle-left") {
		t.Errorf("no limit, and one is told: %s", r)
	}
	// reported waits until the link's finding contains a limit of the kind.
	reported := func(link, kind string) {
		t.Helper()
		r := l.until(25*time.Second, kind+" on "+link+" is told", func(r Report) bool {
			f := r.find("throttle-left", link)
			return f != nil && f.Severity == "warning" && strings.Contains(f.Summary, kind)
		})
		if f := r.find("throttle-left", link); f.Impact != "operational" {
			t.Errorf("%s: got %s, want operational", kind, f.Impact)
		}
	}
	l.sh("tc qdisc add dev bond0 root tbf rate 50mbit burst 64k latency 100ms")
	l.sh("tc qdisc add dev eth0 ingress && tc filter add dev eth0 parent ffff: protocol ip u32 match u32 0 0 police rate 50mbit burst 1m drop")
	reported("bond0", "tbf")
	reported("eth0", "police")
	l.sh("tc qdisc del dev bond0 root && tc qdisc add dev bond0 root handle 1: htb default 10 && tc class add dev bond0 parent 1: classid 1:10 htb rate 50mbit")
	reported("bond0", "htb")
	l.sh("tc qdisc del dev bond0 root && tc qdisc add dev bond0 root fq_codel && tc qdisc del dev eth0 ingress")
	l.until(25*time.Second, "no limit is read any more", func(Report) bool {
		_, limited := l.metric("nodewatch_link_limit_bytes")
		return !limited
	})
}
