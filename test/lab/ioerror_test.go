//go:build lab

package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A blocklisted client gets I/O errors, and the file system on its disk becomes
// read-only. Both are still reported after the client is removed from the blocklist,
// until the disk is unmapped.
func TestBlocklisted(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	device := l.mapImages(1, msgr2)[0]
	l.mount(device)
	remounts := l.faults("fs-readonly")
	l.until(15*time.Second, "a disk in use", func(Report) bool { v, ok := l.metric("nodewatch_krbd_devices"); return ok && v == 1 })
	if r := l.now(); !r.clear("krbd-io-error") {
		t.Fatalf("before there is an error: %s", r)
	}
	l.sh("dd if=/dev/zero of=/mnt/file bs=64k count=4 conv=fsync 2>&1")
	client := l.sh("cat /sys/bus/rbd/devices/*/client_addr")
	l.ceph("osd", "blocklist", "add", client, "3600")
	allowed := false
	allow := func() {
		if !allowed {
			l.ceph("osd", "blocklist", "rm", client)
			allowed = true
		}
	}
	t.Cleanup(allow)
	_, begin := l.script("dd if=/dev/zero of=/mnt/file bs=64k count=4 conv=fsync,notrunc >/tmp/write.log 2>&1 || true")
	r := l.until(15*time.Second, "the errors and the filesystem are reported", func(r Report) bool {
		f := r.find("krbd-io-error", "blocklisted")
		return r.raised("krbd-io-error", "critical") && f != nil && strings.Contains(f.text(), device+": its filesystem failed as well")
	})
	l.figure("errors told", r.At.Sub(l.firstSince(l.kernelTimes("result -108"), begin)), 5*time.Second)
	l.waitSh("touch /mnt/file; sync; dmesg | grep -q 'Remounting filesystem read-only'") // this happens when the journal writes
	l.until(10*time.Second, "the remount is counted", func(Report) bool { return l.faults("fs-readonly") > remounts })
	if !r.clear("krbd-retry-storm", "ceph-unreachable", "libceph-crc") {
		t.Errorf("errors are no storm: %s", r)
	}
	l.sample("read-only")
	t.Logf("the mount's flags: %s", l.sh("grep ' /mnt ' /proc/mounts"))
	allow()
	l.holds(5*time.Second, "what was broken stays reported", func(r Report) bool { return r.find("krbd-io-error", "blocklisted") != nil })
	l.sh("umount -l /mnt")
	l.unmap(device)
	l.until(20*time.Second, "the disk is gone, and its errors", func(r Report) bool { return r.clear("krbd-io-error") })
}

// A client that the OSDs have not heard from for too long loses its watch. This has
// no impact on customers, because the client registers again by itself.
func TestWatchLost(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.watchTimeout("8")
	t.Cleanup(func() { l.watchTimeout("30") })
	l.nodewatch()
	device := l.mapImages(1, msgr1)[0]
	l.until(15*time.Second, "a disk", func(Report) bool { v, ok := l.metric("nodewatch_krbd_devices"); return ok && v == 1 })
	const lost = "encountered watch error: -107"
	before := l.kernelCount(lost)
	_, begin := l.script("true")
	for _, n := range nics {
		l.plug(n, false)
	}
	r := l.until(20*time.Second, "the node is cut off", func(r Report) bool { return r.raised("bond-degraded", "critical") })
	if f := r.finding("bond-degraded"); f.Impact != "major_outage" || !r.clear("krbd-retry-storm") {
		t.Errorf("without a link nothing reaches the disks: %s", r)
	}
	time.Sleep(time.Until(begin.Add(12 * time.Second))) // the timeout of the watch
	for _, n := range nics {
		l.plug(n, true)
	}
	err := wait(l.ctx, 60*time.Second, func() (bool, error) { return l.kernelCount(lost) > before, nil })
	if err != nil {
		l.environment("the watch was not lost: %v", err)
	}
	r = l.until(15*time.Second, "the lost watch is told", func(r Report) bool { return r.raised("krbd-io-error", "warning") })
	l.figure("watch told", r.At.Sub(l.firstSince(l.kernelTimes(lost), begin)), 5*time.Second)
	if f := r.finding("krbd-io-error"); f.Impact != "operational" || !strings.Contains(f.text(), device) {
		t.Errorf("a lost watch of %s: got %s, %s", device, f.Impact, f.text())
	}
	l.sample("watch-lost")
	l.sh("dd if=/dev/%s of=/dev/null bs=1M count=2 iflag=direct", device)
	l.unmap(device)
	l.until(20*time.Second, "the disk is gone, and what was said of it", func(r Report) bool { return r.clear("krbd-io-error") })
}

// mount creates a file system on a disk and mounts it on /mnt.
func (l *Lab) mount(device string) {
	l.t.Helper()
	l.sh("mke2fs -q -F -t ext4 /dev/%s && mount -t ext4 /dev/%s /mnt", device, device)
	l.afterwards("! grep -q ' /mnt ' /proc/mounts || umount -l /mnt")
}

// unmap unmaps a disk.
func (l *Lab) unmap(device string) {
	l.t.Helper()
	l.sh("echo '%s force' >/sys/bus/rbd/remove_single_major", strings.TrimPrefix(device, "rbd"))
}

// ceph runs the ceph command, which must succeed.
func (l *Lab) ceph(args ...string) {
	l.t.Helper()
	if _, err := l.Cluster.Ceph(l.ctx, args...); err != nil {
		l.environment("%v", err)
	}
}

// watchTimeout sets the time in seconds after which OSDs drop new watches of a silent
// client.
func (l *Lab) watchTimeout(seconds string) {
	l.t.Helper()
	if err := l.Cluster.Tell(l.ctx, "osd_client_watch_timeout", seconds); err != nil {
		l.environment("%v", err)
	}
}
