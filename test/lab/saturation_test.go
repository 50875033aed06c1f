//go:build lab

package lab

import (
	"math"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// All traffic on one NIC of two: reported as full and unbalanced.
func TestSaturationLayer2(t *testing.T) { saturation(t, ethswitch.Layer2) }

// The same load over connections of eight clients, hashed by ports: balanced.
func TestSaturationLayer34(t *testing.T) { saturation(t, ethswitch.Layer34) }

func saturation(t *testing.T, hash ethswitch.Hash) {
	l := scenario(t)
	l.bond("802.3ad", hash)
	l.limit(ethswitch.Rate{Bits: speed * 1e6, Buffer: 2 << 20})
	l.configured(`rules: {bond-imbalance: {window: 10s}}`) // sooner than is usual, and by more of chance
	l.spread(hash)
	before, from := l.Switch.Counters(), time.Now()
	l.holds(12*time.Second, "no storm under load", func(r Report) bool {
		return r.clear("krbd-retry-storm", "libceph-crc",
			"krbd-stalled")
	})
	after, took := l.Switch.Counters(), time.Since(from)
	bytes := func(n string) float64 { return float64(after[n].SentBytes - before[n].SentBytes) }
	most := 0.0
	for _, n := range nics {
		want := bytes(n) / (bytes("eth0") + bytes("eth1"))
		most = max(most, want)
		share, ok := l.metric("nodewatch_bond_slave_share_ratio", `nic="`+n+`"`, `direction="receive"`)
		if !ok || math.Abs(share-want) > 0.08 {
			t.Errorf("the switch sent %.2f of the traffic to %s, nodewatch says %.2f, %v", want, n, share, ok)
		}
	}
	t.Logf("%s: %.0f and %.0f bytes, %d and %d frames dropped", hash, bytes("eth0"), bytes("eth1"), after["eth0"].Dropped,
		after["eth1"].Dropped)
	l.sample("load")
	if one := most > 0.9; one != (hash == ethswitch.Layer2) {
		t.Errorf("the switch did not hash by %s: %.2f of the traffic went to one NIC", hash, most)
	}
	if hash == ethswitch.Layer2 {
		if rate := (bytes("eth0") + bytes("eth1")) * 8 / took.Seconds(); rate < 0.92*speed*1e6 {
			l.environment("the switch let through %.0f Mbit/s to a guest that did not take more: its one NIC of %d Mbit/s is not full",
				rate/1e6, speed)
		}
		r := l.until(30*time.Second, "the full NIC is told", func(r Report) bool { return r.raised("nic-saturated", "warning") })
		l.sharesMatch(before, r.finding("nic-saturated").Subject)
		l.until(260*time.Second, "the imbalance is told", func(r Report) bool { return r.raised("bond-imbalance", "warning") })
		return
	}
	if most > 0.8 {
		t.Errorf("%.2f of the traffic went to one NIC", most)
	}
	// It would be reported once its window was full and it had been observed for a
	// minute.
	before, from = l.Switch.Counters(), time.Now()
	l.holds(62*time.Second, "nothing is out of balance", func(r Report) bool {
		return r.clear("bond-imbalance", "layer2-bond-krbd",
			"bond-hash-layer2")
	})
	after, took = l.Switch.Counters(), time.Since(from)
	if rate := max(bytes("eth0"), bytes("eth1")) * 8 / took.Seconds(); rate < 0.3*speed*1e6 {
		l.environment("at %.0f Mbit/s nothing would be said of balance", rate/1e6)
	}
}

// spread loads all disks, each with a separate client. The slave on which a
// connection arrives depends on its port: an assignment in which one slave has nearly
// all of them is repeated.
func (l *Lab) spread(hash ethswitch.Hash) {
	l.t.Helper()
	for range 5 {
		devices := l.mapImages(len(images), msgr1+",noshare")
		l.load(devices)
		l.until(20*time.Second, "the load runs", func(Report) bool {
			v, ok := l.metric("nodewatch_bond_slave_share_ratio", `direction="receive"`)
			return ok && v > 0.99
		})
		before := l.Switch.Counters()
		time.Sleep(3 * time.Second)
		after := l.Switch.Counters()
		a, b := after["eth0"].SentBytes-before["eth0"].SentBytes, after["eth1"].SentBytes-before["eth1"].SentBytes
		if hash == ethswitch.Layer2 || float64(max(a, b)) < 0.75*float64(a+b) {
			return
		}
		l.unload()
		for _, d := range devices {
			l.unmap(d)
		}
	}
	l.environment("five draws of ports in a row gave nearly all to one NIC")
}
