//go:build lab

package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// A client that the cluster has shut out gets errors, and the filesystem on its
// disk turns read-only.
func TestBlocklisted(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	device := l.mapImages(1, msgr2)[0]
	l.sh("mke2fs -q -F -t ext4 /dev/%s && mount -t ext4 /dev/%s /mnt", device, device)
	l.afterwards("umount -l /mnt")
	l.until(15*time.Second, "a filesystem in use", func(Report) bool { v, ok := l.metric("nodewatch_krbd_devices"); return ok && v == 1 })
	if r := l.now(); !r.clear("krbd-io-error") {
		t.Fatalf("before there is an error: %s", r)
	}
	client := l.sh("cat /sys/bus/rbd/devices/*/client_addr")
	if _, err := l.Cluster.Ceph(l.ctx, "osd", "blocklist", "add", client, "3600"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := l.Cluster.Ceph(l.ctx, "osd", "blocklist", "rm", client); err != nil {
			t.Error(err)
		}
	})
	l.sh("dd if=/dev/zero of=/mnt/file bs=64k count=4 conv=fsync >/tmp/write.log 2>&1 || true")
	r := l.until(10*time.Second, "the errors are told", func(r Report) bool { return r.raised("krbd-io-error", "critical") })
	if all := r.finding("krbd-io-error").text(); !strings.Contains(all, device) {
		t.Errorf("want %s: %s", device, all)
	}
	if !r.clear("krbd-retry-storm", "ceph-unreachable", "libceph-crc") {
		t.Errorf("errors are no storm: %s", r)
	}
	if n := l.kernelCount("result -108"); n == 0 {
		t.Error("the kernel has logged no error")
	}
}
