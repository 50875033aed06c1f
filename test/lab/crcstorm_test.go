//go:build lab

package lab

import (
	"math"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// Every large segment that comes to the guest is damaged while a read of 1 MiB
// waits: krbd sends it again without end, in either version of the protocol.
func TestCRCStormMessenger1(t *testing.T) {
	crcStorm(t, msgr1, "bad crc/signature")
}

func TestCRCStormMessenger2(t *testing.T) {
	crcStorm(t, msgr2, "integrity error, bad crc")
}

func crcStorm(t *testing.T, mode, line string) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	device := l.mapImages(1, mode)[0]
	l.until(15*time.Second, "krbd is seen", func(Report) bool { v, ok := l.metric("nodewatch_krbd_devices"); return ok && v == 1 })
	if r := l.now(); !r.clear("libceph-crc", "krbd-retry-storm", "krbd-stalled", "layer2-bond-krbd") {
		t.Fatalf("before there is a fault: %s", r)
	}
	kernel := l.kernelCount(line)
	told := l.crcFaults()
	l.damage(ethswitch.Damage{Every: 1, Least: 1000})
	l.readAll(device)
	begin := l.now().At
	r := l.until(15*time.Second, "the storm is told", func(r Report) bool { return r.raised("krbd-retry-storm", "critical") })
	if took := r.At.Sub(begin); took > 5*time.Second {
		t.Errorf("the storm began at %s, and was told %s later", begin, took)
	}
	if f := r.finding("krbd-retry-storm"); f.Impact != "major_outage" {
		t.Errorf("got %s", f.Impact)
	}
	received, before := l.received(), l.Switch.Counters()
	l.holds(5*time.Second, "the storm stays told while it lasts", func(r Report) bool { return r.raised("krbd-retry-storm", "critical") })
	more, after := l.received()-received, l.Switch.Counters()
	sent := 0.0
	for _, n := range nics {
		sent += float64(after[n].SentBytes - before[n].SentBytes)
	}
	if more < 20<<20 || math.Abs(more-sent) > 0.4*sent { // readings a second apart, of five
		t.Errorf("one read of 1 MiB waits: the switch sent %.0f bytes, nodewatch saw %.0f", sent, more)
	}
	if attempts, ok := l.metric("nodewatch_osdc_attempts_max"); !ok || attempts < 20 {
		t.Errorf("one request is sent again and again: got %v attempts, %v", attempts, ok)
	}
	if n, ok := l.metric("nodewatch_krbd_in_flight"); !ok || n < 1 {
		t.Errorf("the read is under way: got %v, %v", n, ok)
	}
	l.damage(ethswitch.Damage{})
	l.readsOn()
	r = l.until(75*time.Second, "the storm is over", func(r Report) bool { return r.clear("krbd-retry-storm") })
	if n := l.kernelCount(line) - kernel; l.crcFaults()-told != float64(n) || n < 20 {
		t.Errorf("the kernel logged %d faults, nodewatch counted %v", n, l.crcFaults()-told)
	} else {
		t.Logf("%d faults, cleared by %s", n, r.At)
	}
	if lost, _ := l.metric("nodewatch_kmsg_lost_records_total"); lost != 0 {
		t.Errorf("%v records of the kernel log were lost", lost)
	}
}

// received is how many bytes nodewatch has seen come in.
func (l *Lab) received() (sum float64) {
	l.t.Helper()
	sum, _ = l.metric("nodewatch_nic_receive_bytes_total", `bond="bond0"`)
	return sum
}

// damage sets what is damaged on the way to the guest.
func (l *Lab) damage(d ethswitch.Damage) {
	for _, n := range nics {
		l.Switch.SetDamage(n, d)
	}
	if d.Every != 0 {
		l.t.Cleanup(func() { l.damage(ethswitch.Damage{}) })
	}
}

// crcFaults is how many CRC faults nodewatch has counted, of both versions.
func (l *Lab) crcFaults() float64 {
	l.t.Helper()
	a, ok := l.metric("nodewatch_kmsg_events_total", `class="crc-fault"`)
	b, _ := l.metric("nodewatch_kmsg_events_total", `class="integrity-fault"`)
	if !ok {
		l.t.Fatal("nodewatch does not count CRC faults")
	}
	return a + b
}
