//go:build lab

package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A slave and the monitor are lost at the same time, and return: each is reported
// separately. I/O continues without either, so neither a storm nor an outage is
// reported.
func TestSlaveAndMonitorLost(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.configured(`rules: {ceph-unreachable: {mons: 10s}}`)
	device := l.mapImages(1, msgr1)[0]
	l.sh("dd if=/dev/%s of=/dev/null bs=1M count=16 iflag=direct", device)
	l.Cluster.Mon.Kill()
	t.Cleanup(l.monitor)
	l.slaveLost()
	r := l.until(60*time.Second, "the monitor's loss is told", func(r Report) bool { return r.finding("ceph-unreachable") != nil })
	if f := r.finding("ceph-unreachable"); f.Severity != "warning" || f.Impact != "operational" {
		t.Errorf("I/O continues: got %s, %s", f.Severity, f.Impact)
	}
	l.sh("dd if=/dev/%s of=/dev/null bs=1M count=16 iflag=direct", device)
	l.sample("no-monitor")
	if r := l.now(); !r.raised("bond-degraded", "warning") || !r.clear("krbd-retry-storm", "krbd-stalled") {
		t.Errorf("I/O continues over one slave: %s", r)
	}
	l.monitor()
	l.plug("eth1", true)
	r = l.until(60*time.Second, "both are back", func(r Report) bool { return r.clear("ceph-unreachable", "bond-degraded") })
	if !r.quiet() {
		t.Errorf("all is well again: %s", r)
	}
	l.never("krbd-retry-storm", "krbd-stalled", "libceph-crc", "libceph-session-loop")
	if n, ok := l.metric("nodewatch_bond_slave_link_failures_total", `nic="eth1"`); !ok || n < 1 {
		t.Errorf("eth1 has failed %v times, %v", n, ok)
	}
}

// slaveLost disconnects eth1's cable, and waits until this is reported for eth1 of
// bond0.
func (l *Lab) slaveLost() {
	l.t.Helper()
	_, unplugged := l.script("true")
	l.plug("eth1", false)
	r := l.until(20*time.Second, "the lost slave is told", func(r Report) bool { return r.raised("bond-degraded", "warning") })
	f := r.finding("bond-degraded")
	l.figure("slave seen", f.Since.Sub(unplugged), 3*time.Second)
	if f.Subject != "bond0" || !strings.Contains(f.text(), "eth1") {
		l.t.Errorf("want eth1 of bond0: %s %s", f.Subject, f.text())
	}
	if n, ok := l.metric("nodewatch_bond_slave_carrier", `nic="eth1"`); !ok || n != 0 {
		l.t.Errorf("eth1's carrier is %v, %v", n, ok)
	}
	l.sample("slave-down")
}

// monitor starts the monitor if it is not running.
func (l *Lab) monitor() {
	l.t.Helper()
	if l.Cluster.Mon.Ended() {
		if err := l.Cluster.StartMon(); err != nil {
			l.t.Fatal(err)
		}
	}
}
