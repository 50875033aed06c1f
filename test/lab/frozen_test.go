//go:build lab

package lab

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// An OSD is up and does not respond: the waiting disk is named, the other one is not,
// and no retry storm is reported.
func TestOSDFrozen(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	devices := l.mapImages(2, msgr1)
	waits, rests := devices[0], devices[1]
	l.sh("dd if=/dev/%s of=/dev/null bs=1M count=2 iflag=direct", waits)
	l.holds(4*time.Second, "no disk waits yet", func(r Report) bool { return r.clear("krbd-stalled") })
	l.freeze(1, true)
	l.readAll(waits)
	last := l.lastCompletion(waits)
	r := l.until(20*time.Second, "the disk is told", func(r Report) bool { return r.finding("krbd-stalled") != nil })
	f := r.finding("krbd-stalled")
	// Ten seconds must pass before it counts, plus a reading and a tick until it is
	// reported.
	l.figure("stall told", r.At.Sub(last), 13*time.Second)
	if all := f.text(); !strings.Contains(all, waits) || strings.Contains(all, rests) {
		t.Errorf("want %s and not %s: %s", waits, rests, all)
	}
	if n, ok := l.metric("nodewatch_krbd_device_stuck_seconds", `device="`+waits+`"`); !ok || n < 10 {
		t.Errorf("%s is stalled for %v s, %v", waits, n, ok)
	}
	l.until(15*time.Second, "the OSD is told", func(r Report) bool {
		f := r.finding("krbd-stalled")
		return f != nil && strings.Contains(f.Summary, "osd1") && !strings.Contains(f.text(), rests)
	})
	l.holds(4*time.Second, "it stays told and is no storm", func(r Report) bool {
		return r.finding("krbd-stalled") != nil && r.clear("krbd-retry-storm", "ceph-unreachable", "libceph-crc", "layer2-bond-krbd")
	})
	l.sample("frozen")
	l.freeze(1, false)
	l.readsOn() // TestOSDKilled tests that it then clears
}

// An OSD that is killed under load logs nothing, and returns with its data: I/O waits
// for it, and no storm is reported.
func TestOSDKilled(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	devices := l.mapImages(2, msgr1)
	l.load(devices)
	l.Cluster.OSDs[1].Kill()
	back := false
	restart := func() {
		if back {
			return
		}
		back = true
		if err := l.Cluster.StartOSD(1); err != nil {
			l.environment("%v", err)
		}
	}
	t.Cleanup(restart)
	well := func(r Report) bool { return r.clear("krbd-retry-storm", "libceph-session-loop", "libceph-crc") }
	last := l.lastCompletion(devices[0])
	r := l.until(25*time.Second, "the disks that wait are told", func(r Report) bool { return r.finding("krbd-stalled") != nil })
	l.figure("stall told", r.At.Sub(last), 13*time.Second)
	if !well(r) {
		t.Errorf("a dead OSD is no storm: %s", r)
	}
	l.sample("osd-dead")
	restart()
	l.until(60*time.Second, "I/O continues", func(r Report) bool { return well(r) && r.clear("krbd-stalled", "ceph-unreachable") })
	l.holds(3*time.Second, "all is well", well)
	l.never("krbd-retry-storm", "libceph-session-loop", "libceph-crc")
	if l.kernelCount("osd1 down") == 0 {
		t.Error("the kernel has not noticed that the OSD was down")
	}
}

// All OSDs are down: this host has lost the cluster, and no storm is reported.
func TestOSDsGone(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer2) // this policy must not be reported as the cause
	l.nodewatch()
	devices := l.mapImages(2, msgr1)
	l.sh("dd if=/dev/%s of=/dev/null bs=1M iflag=direct", devices[0]) // sessions with both OSDs
	l.until(12*time.Second, "the standing risk", func(r Report) bool { return r.raised("layer2-bond-krbd", "warning") })
	for n := range osds {
		l.Cluster.OSDs[n].Kill()
	}
	back := false
	restart := func() {
		for n := range osds {
			if back {
				return
			}
			if err := l.Cluster.StartOSD(n); err != nil {
				l.environment("%v", err)
			}
		}
		back = true
	}
	t.Cleanup(restart)
	// All objects at once: sequential reads may wait for one OSD only, and the kernel
	// does not contact another OSD for which no request waits.
	for _, d := range devices {
		l.sh("for i in $(seq 0 %d); do dd if=/dev/%s of=/dev/null bs=1M count=1 skip=$i iflag=direct >/dev/null 2>&1 </dev/null & done",
			imageMiB-1, d)
	}
	t.Cleanup(l.unload)
	r := l.until(45*time.Second, "the loss is told", func(r Report) bool { return r.raised("ceph-unreachable", "critical") })
	if f := r.finding("ceph-unreachable"); f.Impact != "major_outage" {
		t.Errorf("no I/O completes: got %s", f.Impact)
	}
	l.sample("osds-gone")
	l.holds(5*time.Second, "it is no storm and not the bond's fault", func(r Report) bool {
		return r.raised("ceph-unreachable", "critical") && r.clear("krbd-retry-storm", "libceph-crc", "libceph-session-loop") &&
			r.raised("layer2-bond-krbd", "warning")
	})
	restart()
	l.until(60*time.Second, "I/O continues", func(r Report) bool { return r.clear("ceph-unreachable", "krbd-stalled") })
	l.never("krbd-retry-storm", "libceph-crc", "libceph-session-loop")
}

// lastCompletion waits until a disk has requests in flight and none completes for
// half a second, and returns when this state was first observed.
func (l *Lab) lastCompletion(device string) (at time.Time) {
	l.t.Helper()
	var done string
	err := wait(l.ctx, 10*time.Second, func() (bool, error) {
		stat, began := l.script("cut -c1-1000 /sys/block/%s/stat", device)
		f := strings.Fields(stat)
		if len(f) < 9 || f[8] == "0" {
			done = ""
			return false, nil
		}
		if now := f[0] + " " + f[4]; now != done {
			done, at = now, began
		}
		return began.Sub(at) > 500*time.Millisecond, nil
	})
	if err != nil {
		l.t.Fatalf("%s does not stand still: %v", device, err)
	}
	return at
}

// freeze stops an OSD, or lets it continue.
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

// readAll reads disks in the background; readsOn waits for their end.
func (l *Lab) readAll(devices ...string) {
	l.t.Helper()
	l.sh("rm -f /tmp/read.*")
	for _, d := range devices {
		l.sh("touch /tmp/read.%s; (dd if=/dev/%s of=/dev/null bs=1M iflag=direct && rm /tmp/read.%s) >/tmp/readlog.%s 2>&1 </dev/null &", d, d, d, d)
	}
}

// readsOn waits until the reads in the background have ended without errors.
func (l *Lab) readsOn() {
	l.t.Helper()
	err := wait(l.ctx, 30*time.Second, func() (bool, error) {
		_, code, err := l.Guest.Run(l.ctx, "sh", "-c", "! ls /tmp/read.* 2>/dev/null")
		return code == 0 && err == nil, err
	})
	if err != nil {
		l.environment("the reads do not continue: %v", err)
	}
}
