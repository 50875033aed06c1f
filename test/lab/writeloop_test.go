//go:build lab

package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// Each large segment is damaged on its way to the OSDs while a write waits. The
// OSD finds the bad checksum and says so in its own log; here the kernel only says
// that the session was closed, again and again, while the OSD is up.
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
	logged, told := l.kernelCount(closed), l.faults("closed-open")
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
	l.holds(10*time.Second, "the storm stays told, and no CRC fault is made up", func(r Report) bool {
		return r.raised("krbd-retry-storm", "critical") && r.clear("libceph-crc", "ceph-unreachable")
	})
	l.sample("write-loop")
	l.Switch.SetDamage(storageNIC, ethswitch.Damage{})
	err := wait(l.ctx, 30*time.Second, func() (bool, error) {
		_, code, err := l.Guest.Run(l.ctx, "test", "!", "-e", "/tmp/write.open")
		return code == 0 && err == nil, err
	})
	if err != nil {
		t.Fatalf("the write does not go on: %v", err)
	}
	counted := func() (kernel int, nodewatch float64) {
		return l.kernelCount(closed) - logged, l.faults("closed-open") - told
	}
	l.until(10*time.Second, "all closed sessions are counted", func(Report) bool { n, m := counted(); return m == float64(n) })
	if n, _ := counted(); n < 5 {
		t.Errorf("only %d sessions were closed", n)
	}
}
