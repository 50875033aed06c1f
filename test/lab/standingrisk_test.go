//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A bond that hashes by MAC address is a risk from the moment krbd uses it, and
// none any more once its policy is layer3+4.
func TestStandingRisk(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer2)
	l.nodewatch()
	l.holds(7*time.Second, "no krbd, no risk", func(r Report) bool { return r.clear("layer2-bond-krbd", "krbd-retry-storm", "krbd-stalled") })
	before := l.now().At
	l.mapImages(1, msgr1)
	mapped := l.now().At
	r := l.until(12*time.Second, "the risk is told", func(r Report) bool { return r.raised("layer2-bond-krbd", "warning") })
	f := r.finding("layer2-bond-krbd")
	// krbd's devices are listed every 5 s.
	if f.Since.Before(before) || f.Since.After(mapped.Add(7*time.Second)) {
		t.Errorf("mapped between %s and %s, seen at %s", before, mapped, f.Since)
	}
	if f.Impact != "operational" || f.Subject != "bond0" {
		t.Errorf("customers feel nothing of bond0's policy yet: got %s on %s", f.Impact, f.Subject)
	}
	changed := l.policy("layer3+4")
	r = l.until(10*time.Second, "the risk is over", func(r Report) bool { return r.clear("layer2-bond-krbd") })
	if took := r.At.Sub(changed); took > 2*time.Second {
		t.Errorf("the policy is right since %s, and was seen to be %s later", changed, took)
	}
	changed = l.policy("layer2")
	r = l.until(12*time.Second, "the risk is back", func(r Report) bool { return r.raised("layer2-bond-krbd", "warning") })
	if f := r.finding("layer2-bond-krbd"); f.Since.Sub(changed) > 2*time.Second {
		t.Errorf("the policy is wrong since %s, and was seen to be at %s", changed, f.Since)
	}
}

// policy changes the bond's hash policy by sysfs, and returns the time of the
// latest report at that moment.
func (l *Lab) policy(hash ethswitch.Hash) time.Time {
	l.t.Helper()
	l.sh("echo %s >/sys/class/net/bond0/bonding/xmit_hash_policy", hash)
	return l.now().At
}
