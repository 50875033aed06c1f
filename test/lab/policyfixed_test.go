//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// Setting the right policy in the middle of a CRC loop does not change the loop: the
// storm is reported until I/O completes, even after the bond is no longer a risk.
func TestPolicyFixedInTheStorm(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer2)
	l.nodewatch()
	device := l.mapImages(1, msgr2)[0]
	l.until(12*time.Second, "the standing risk", func(r Report) bool { return r.raised("layer2-bond-krbd", "warning") })
	l.damage(ethswitch.Damage{Every: 1, Least: 1000})
	l.readAll(device)
	storm := func(r Report) bool { return r.goesOn("krbd-retry-storm", "critical") }
	l.until(15*time.Second, "the storm is told", func(r Report) bool { return storm(r) && r.raised("layer2-bond-krbd", "critical") })
	l.policy(ethswitch.Layer34)
	l.until(80*time.Second, "the bond is no risk any more", func(r Report) bool {
		if !storm(r) {
			t.Errorf("the storm is not told while it lasts: %s", r)
		}
		return r.clear("layer2-bond-krbd")
	})
	l.holds(5*time.Second, "the storm continues", storm)
	l.sample("policy-fixed")
	l.damage(ethswitch.Damage{})
	l.readsOn() // TestCRCStorm tests that the storm then clears
}
