//go:build lab

package lab

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// The log lines of a session that is lost because of a checksum, in both versions of
// the protocol.
const (
	badCRC1 = "bad crc/signature"
	badCRC2 = "integrity error, bad crc"
)

// For 20 s every large segment to the guest is damaged while two reads of 1 MiB wait,
// one in each version of the protocol: krbd resends them endlessly.
func TestCRCStorm(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	devices := append(l.mapImages(1, msgr1), l.mapImage(1, msgr2))
	l.until(15*time.Second, "krbd is seen", func(Report) bool { v, ok := l.metric("nodewatch_krbd_devices"); return ok && v == 2 })
	if r := l.now(); !r.clear("libceph-crc", "krbd-retry-storm", "krbd-stalled", "layer2-bond-krbd") {
		t.Fatalf("before there is a fault: %s", r)
	}
	logged1, logged2 := l.kernelCount(badCRC1), l.kernelCount(badCRC2)
	reported := l.faults("crc-fault")
	_, begin := l.script("true")
	l.damage(ethswitch.Damage{Every: 1, Least: 1000})
	l.readAll(devices...)
	r := l.until(15*time.Second, "the storm is told", func(r Report) bool { return r.raised("krbd-retry-storm", "critical") })
	fault := l.firstSince(append(l.kernelTimes(badCRC1), l.kernelTimes(badCRC2)...), begin)
	l.figure("storm told", r.At.Sub(fault), 5*time.Second)
	if f := r.finding("krbd-retry-storm"); f.Impact != "major_outage" {
		t.Errorf("got %s", f.Impact)
	}
	l.until(5*time.Second, "the CRC faults are told", func(r Report) bool { return r.raised("libceph-crc", "warning") })
	received, before, from := l.received(), l.Switch.Counters(), time.Now()
	l.holds(15*time.Second-time.Since(from), "the storm stays told while it lasts",
		func(r Report) bool { return r.goesOn("krbd-retry-storm", "critical") })
	l.loopIsTold(received, before)
	l.sample("storm")
	l.damage(ethswitch.Damage{})
	l.readsOn()
	r = l.until(75*time.Second, "the storm is over", func(r Report) bool { return r.clear("krbd-retry-storm") })
	logged1, logged2 = l.kernelCount(badCRC1)-logged1, l.kernelCount(badCRC2)-logged2
	if n := l.faults("crc-fault") - reported; n != float64(logged1+logged2) || logged1 < 20 || logged2 < 20 && l.speaksMsgr2() {
		t.Errorf("the kernel logged %d faults of msgr1 and %d of msgr2, nodewatch counted %v", logged1, logged2, n)
	}
	t.Logf("%d faults of msgr1, %d of msgr2", logged1, logged2)
	if lost, _ := l.metric("nodewatch_kmsg_lost_records_total"); lost != 0 {
		t.Errorf("%v records of the kernel log were lost", lost)
	}
}

// Each large segment to the OSDs is damaged while a write waits. The OSD detects the
// bad checksum and logs it; here the kernel logs only that the session was closed
// repeatedly, while the OSD is up.
func TestWriteLoop(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	device := l.mapImages(1, msgr1)[0]
	l.until(15*time.Second, "krbd is seen", func(Report) bool { v, ok := l.metric("nodewatch_krbd_devices"); return ok && v == 1 })
	if r := l.now(); !r.clear("libceph-session-loop", "krbd-retry-storm", "krbd-stalled") {
		t.Fatalf("before there is a fault: %s", r)
	}
	const closed = "socket closed (con state OPEN)"
	logged, reported := l.kernelCount(closed), l.faults("closed-open")
	_, begin := l.script("true")
	l.Switch.SetDamage(storageNIC, ethswitch.Damage{Every: 1, Least: 1000})
	t.Cleanup(func() { l.Switch.SetDamage(storageNIC, ethswitch.Damage{}) })
	l.sh("touch /tmp/write.open; (dd if=/dev/zero of=/dev/%s bs=1M count=2 oflag=direct; rm /tmp/write.open) >/tmp/write.log 2>&1 </dev/null &", device)
	r := l.until(20*time.Second, "the storm of writes is told", func(r Report) bool {
		return r.raised("krbd-retry-storm", "critical") && r.raised("libceph-session-loop", "warning")
	})
	l.figure("storm told", r.At.Sub(l.firstSince(l.kernelTimes(closed), begin)), 5*time.Second)
	if f := r.finding("krbd-retry-storm"); f.Impact != "major_outage" || !strings.Contains(f.text(), "osd") {
		t.Errorf("got %s: %s", f.Impact, f.text())
	}
	l.holds(6*time.Second, "the storm stays told, and no CRC fault is made up", func(r Report) bool {
		return r.goesOn("krbd-retry-storm", "critical") && r.clear("libceph-crc", "ceph-unreachable")
	})
	l.sample("write-loop")
	l.Switch.SetDamage(storageNIC, ethswitch.Damage{})
	err := wait(l.ctx, 30*time.Second, func() (bool, error) {
		_, code, err := l.Guest.Run(l.ctx, "test", "!", "-e", "/tmp/write.open")
		return code == 0 && err == nil, err
	})
	if err != nil {
		t.Fatalf("the write does not continue: %v", err)
	}
	counted := func() (kernel int, nodewatch float64) {
		return l.kernelCount(closed) - logged, l.faults("closed-open") - reported
	}
	l.until(10*time.Second, "all closed sessions are counted", func(Report) bool { n, m := counted(); return m == float64(n) })
	if n, _ := counted(); n < 5 {
		t.Errorf("only %d sessions were closed", n)
	}
}

// loopIsTold compares nodewatch's description of the loop with its real state: resent
// requests, reads in flight, and bytes received in vain.
func (l *Lab) loopIsTold(received float64, before map[string]ethswitch.Counters) {
	l.t.Helper()
	more, after := l.received()-received, l.Switch.Counters()
	sent := 0.0
	for _, n := range nics {
		sent += float64(after[n].SentBytes - before[n].SentBytes)
	}
	if more < 40<<20 || math.Abs(more-sent) > 0.2*sent { // readings one second apart, over fifteen seconds
		l.t.Errorf("two reads of 1 MiB wait: the switch sent %.0f bytes, nodewatch saw %.0f", sent, more)
	}
	if attempts, ok := l.metric("nodewatch_osdc_attempts_max"); !ok || attempts < 50 {
		l.t.Errorf("one request is sent repeatedly: got %v attempts, %v", attempts, ok)
	}
	if n, ok := l.metric("nodewatch_krbd_in_flight"); !ok || n < 2 {
		l.t.Errorf("the reads are under way: got %v, %v", n, ok)
	}
}

// received returns the number of bytes that nodewatch has counted as received.
func (l *Lab) received() (sum float64) {
	l.t.Helper()
	sum, _ = l.metric("nodewatch_nic_receive_bytes_total", `bond="bond0"`)
	return sum
}

// damage sets which frames to the guest are damaged.
func (l *Lab) damage(d ethswitch.Damage) {
	for _, n := range nics {
		l.Switch.SetDamage(n, d)
	}
	if d.Every != 0 {
		l.t.Cleanup(func() { l.damage(ethswitch.Damage{}) })
	}
}

// faults returns the number of log lines of a class that nodewatch has counted.
func (l *Lab) faults(class string) float64 {
	l.t.Helper()
	n, ok := l.metric("nodewatch_kmsg_events_total", `class="`+class+`"`)
	if !ok {
		l.t.Fatalf("nodewatch does not count %s", class)
	}
	return n
}
