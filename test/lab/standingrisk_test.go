//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A bond that hashes by MAC address is reported as a risk as soon as krbd uses it,
// until its policy is layer3+4.
func TestStandingRisk(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer2)
	l.nodewatch()
	l.holds(7*time.Second, "no krbd, no risk", func(r Report) bool {
		return r.clear("layer2-bond-krbd", "krbd-retry-storm",
			"krbd-stalled")
	})
	_, before := l.script("true")
	l.mapImages(1, msgr1)
	_, mapped := l.script("true")
	r := l.until(12*time.Second, "the risk is told", func(r Report) bool { return r.raised("layer2-bond-krbd", "warning") })
	f := r.finding("layer2-bond-krbd")
	if f.Since.Before(before) {
		t.Errorf("mapped after %s, seen at %s", before, f.Since)
	}
	l.figure("risk told", r.At.Sub(mapped), 7*time.Second) // krbd's devices are listed every 5 s
	if f.Impact != "operational" || f.Subject != "bond0" {
		t.Errorf("customers feel nothing of bond0's policy yet: got %s on %s", f.Impact, f.Subject)
	}
	l.sample("risk")
	changed := l.policy("layer3+4")
	// A finding that follows from a setting clears one minute after the setting
	// changed.
	r = l.until(80*time.Second, "the risk is over", func(r Report) bool { return r.clear("layer2-bond-krbd") })
	l.figure("cleared", r.At.Sub(changed), 63*time.Second)
	changed = l.policy("layer2")
	r = l.until(12*time.Second, "the risk is back", func(r Report) bool { return r.raised("layer2-bond-krbd", "warning") })
	l.figure("back", r.At.Sub(changed), 2*time.Second)
}

// policy changes the bond's hash policy through sysfs, and returns when the change
// began, by the guest's clock.
func (l *Lab) policy(hash ethswitch.Hash) time.Time {
	l.t.Helper()
	_, began := l.script("echo %s >/sys/class/net/bond0/bonding/xmit_hash_policy", hash)
	return began
}
