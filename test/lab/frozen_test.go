//go:build lab

package lab

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// An OSD that is up and does not answer: the disk that waits for it is named,
// the other one is not, and it is no retry storm.
func TestOSDFrozen(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	devices := l.mapImages(2, msgr1)
	waits, rests := devices[0], devices[1]
	l.sh("dd if=/dev/%s of=/dev/null bs=1M count=2 iflag=direct", waits)
	l.holds(6*time.Second, "no disk waits yet", func(r Report) bool { return r.clear("krbd-stalled") })
	l.freeze(1, true)
	begin := l.now().At
	l.readAll(waits)
	r := l.until(16*time.Second, "the disk is told", func(r Report) bool { return r.finding("krbd-stalled") != nil })
	f := r.finding("krbd-stalled")
	if took := r.At.Sub(begin); took > 13*time.Second {
		t.Errorf("frozen at %s, told %s later", begin, took)
	}
	if all := f.text(); !strings.Contains(all, waits) || strings.Contains(all, rests) {
		t.Errorf("want %s and not %s: %s", waits, rests, all)
	}
	if n, ok := l.metric("nodewatch_krbd_device_stuck_seconds", `device="`+waits+`"`); !ok || n < 10 {
		t.Errorf("%s is stuck for %v s, %v", waits, n, ok)
	}
	l.until(15*time.Second, "the OSD is told", func(r Report) bool {
		f := r.finding("krbd-stalled")
		return f != nil && strings.Contains(f.Summary, "osd1") && !strings.Contains(f.text(), rests)
	})
	l.holds(5*time.Second, "it stays told and is no storm", func(r Report) bool {
		return r.finding("krbd-stalled") != nil && r.clear("krbd-retry-storm", "ceph-unreachable", "libceph-crc", "layer2-bond-krbd")
	})
	l.freeze(1, false)
	l.readsOn()
	l.until(40*time.Second, "it is over", func(r Report) bool { return r.clear("krbd-stalled") })
}

// An OSD that is restarted makes I/O wait, and is no storm.
func TestOSDRestarted(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	device := l.mapImages(1, msgr2)[0]
	well := func(r Report) bool {
		return r.clear("krbd-retry-storm", "ceph-unreachable", "libceph-session-loop", "libceph-crc") && !r.raised("krbd-stalled", "critical")
	}
	err := l.Cluster.RestartOSD(1, func() {
		l.readAll(device)
		l.holds(6*time.Second, "an OSD is down", well)
	})
	if err != nil {
		t.Fatal(err)
	}
	l.readsOn()
	l.holds(10*time.Second, "the OSD is up again", well)
	if n := l.kernelCount("osd1 down"); n == 0 {
		t.Error("the kernel has not noticed that the OSD was down")
	}
}

// Without a monitor I/O goes on: that is told, and is neither storm nor outage.
func TestMonitorLost(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	device := l.mapImages(1, msgr1)[0]
	l.sh("dd if=/dev/%s of=/dev/null bs=1M count=16 iflag=direct", device)
	l.Cluster.Mon.Kill()
	t.Cleanup(l.monitor)
	r := l.until(60*time.Second, "the monitor's loss is told", func(r Report) bool { return r.finding("ceph-unreachable") != nil })
	if f := r.finding("ceph-unreachable"); f.Severity != "warning" || f.Impact != "operational" {
		t.Errorf("I/O goes on: got %s, %s", f.Severity, f.Impact)
	}
	l.sh("dd if=/dev/%s of=/dev/null bs=1M count=16 iflag=direct", device)
	if r := l.now(); !r.clear("krbd-retry-storm", "krbd-stalled") {
		t.Errorf("I/O goes on: %s", r)
	}
	l.monitor()
	l.until(60*time.Second, "the monitor is back", func(r Report) bool { return r.clear("ceph-unreachable") })
}

// monitor starts the monitor if it is dead.
func (l *Lab) monitor() {
	l.t.Helper()
	if l.Cluster.Mon.Ended() {
		if err := l.Cluster.StartMon(); err != nil {
			l.t.Fatal(err)
		}
	}
}

// freeze stops an OSD, or lets it go on.
func (l *Lab) freeze(osd int, frozen bool) {
	l.t.Helper()
	s := syscall.SIGCONT
	if frozen {
		s = syscall.SIGSTOP
		l.t.Cleanup(func() { l.freeze(osd, false) })
	}
	if err := l.Cluster.OSDs[osd].Signal(s); err != nil {
		l.t.Fatal(err)
	}
}

// readAll reads a disk in the background; readsOn waits for its end.
func (l *Lab) readAll(device string) {
	l.t.Helper()
	l.sh("rm -f /tmp/read.done; (dd if=/dev/%s of=/dev/null bs=1M iflag=direct && touch /tmp/read.done) >/tmp/read.log 2>&1 </dev/null &", device)
}

// readsOn waits until the read in the background has ended well.
func (l *Lab) readsOn() {
	l.t.Helper()
	err := wait(l.ctx, 30*time.Second, func() (bool, error) {
		_, code, err := l.Guest.Run(l.ctx, "test", "-e", "/tmp/read.done")
		return code == 0 && err == nil, err
	})
	if err != nil {
		l.t.Fatalf("the read does not go on: %v", err)
	}
}
