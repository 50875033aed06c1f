//go:build lab

package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// systemImage is the image from which vm104 boots.
const systemImage = "vm-104-system"

// Three guests: vm101, of libvirt on krbd, paused by hand; vm102, a QEMU without
// libvirt on krbd, not yet started; vm104, of libvirt on librbd, which runs until its
// disk fails. The owner of each disk is reported, with and without libvirt, and so is
// which guest is stopped or stalled by its storage.
func TestGuests(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	devices := l.mapImages(2, msgr2)
	l.bootImage(systemImage)
	l.libvirtd()
	l.domain("vm104", "utc", librbdDisk(systemImage), false)
	l.domain("vm101", "localtime", krbdDisk("/dev/"+devices[0], "<iotune><read_iops_sec>77</read_iops_sec></iotune>"), true)
	l.qemu("vm102", devices[1])
	l.nodewatch("--tape /tmp/guests.tape")
	l.afterwards("rm -f /tmp/guests.tape")
	l.byLibvirt(devices)
	l.sample("guests")
	l.pausedByError()
	l.sh("%s", stopLibvirtd)
	r := l.until(25*time.Second, "libvirt's silence is told", func(r Report) bool { return r.source("libvirt") != "ok" })
	if f := r.finding("vm-paused"); f == nil || f.State == "seen" {
		t.Errorf("that vm104 continues was not seen: %s", r)
	}
	l.joined(devices)
	l.end()
	l.unprivileged()
	l.byProcess(devices)
	l.stalled(devices[0], "vm101", "vm102")
}

// byLibvirt checks the guests as libvirt reports them.
func (l *Lab) byLibvirt(devices []string) {
	l.t.Helper()
	l.joined(devices)
	if r := l.now(); r.source("libvirt") != "ok" || r.source("qemu") != "ok" || !r.clear("vm-paused", "krbd-stalled") {
		l.t.Errorf("an administrator has paused vm101: %s", r)
	}
	l.row(images[0], "krbd "+devices[0], "vm101, paused")
	l.row(images[1], "krbd "+devices[1], "vm102")
	l.row(systemImage, "librbd vda", "vm104", "running")
	if n, ok := l.metric("nodewatch_guests_paused"); !ok || n != 1 {
		l.t.Errorf("got %v paused, %v; a process alone does not tell", n, ok)
	}
	if n := l.sh(`grep '"saw":"libvirt"' /tmp/guests.tape | grep -c '"throttle":{"read_iops":77}' || true`); n == "0" {
		l.t.Error("the throttle of vm101's disk is not seen")
	}
	l.keepsSecret(l.sh("cat /tmp/guests.tape"), l.page(), string(l.fetch("/api/v1/report")), string(l.fetch("/metrics")),
		l.sh("cat /tmp/nodewatch.log"))
}

// pausedByError makes vm104's disk fail, and waits until it is reported that QEMU has
// stopped the guest. vm101, which an administrator has stopped, is not included.
func (l *Lab) pausedByError() {
	l.t.Helper()
	l.writes("vm104")
	l.blocklist(l.watcher(systemImage))
	r := l.until(20*time.Second, "the paused VM is told", func(r Report) bool { return r.finding("vm-paused") != nil })
	f := r.finding("vm-paused")
	if f.Severity != "critical" || f.Impact != "major_outage" || !strings.Contains(f.text(), "vda rbd/"+systemImage+" by librbd") ||
		strings.Contains(f.text(), "vm101") {
		l.t.Errorf("vm104 is paused by an error, vm101 by hand: %s", r)
	}
	l.row(systemImage, "librbd vda", "vm104", "paused ioerror")
	if !r.clear("krbd-stalled", "krbd-io-error", "krbd-retry-storm") {
		l.t.Errorf("krbd has no part in it: %s", r)
	}
}

// byProcess checks the guests as known from their processes alone.
func (l *Lab) byProcess(devices []string) {
	l.t.Helper()
	l.joined(devices)
	if r := l.now(); r.source("libvirt") != "absent" || r.source("qemu") != "ok" || !r.clear("vm-paused") {
		l.t.Errorf("without libvirt: libvirt is %q, qemu is %q: %s", r.source("libvirt"), r.source("qemu"), r)
	}
	l.row(images[0], "krbd "+devices[0], "vm101")
	l.row(images[1], "krbd "+devices[1], "vm102")
	l.row(systemImage, "librbd virtio-disk0", "vm104", "state not known")
	l.keepsSecret(l.page(), l.sh("cat /tmp/nodewatch.log"))
}

// joined waits until the guest of each krbd disk is reported: both use one kernel
// client, and one of them is Windows on a disk without rxbounce.
func (l *Lab) joined(devices []string) {
	l.t.Helper()
	r := l.until(15*time.Second, "the guests' disks are told", func(r Report) bool {
		return r.raised("krbd-shared-fate", "info") && r.raised("krbd-no-rxbounce", "warning")
	})
	if all := r.finding("krbd-shared-fate").text(); !strings.Contains(all, "2 VMs: vm101 and vm102") ||
		!strings.Contains(all, devices[0]+" and "+devices[1]) {
		l.t.Errorf("two guests behind one client: %s", all)
	}
	if all := r.finding("krbd-no-rxbounce").text(); !strings.Contains(all, devices[0]+" (rbd/"+images[0]+", vm101)") ||
		!strings.Contains(all, "surely Windows: vm101; no sign of Windows: vm102") {
		l.t.Errorf("vm101 is Windows, vm102 is not: %s", all)
	}
	for client, want := range map[string]float64{"krbd": 2, "librbd": 1, "none": 0} {
		for _, name := range []string{"nodewatch_guests", "nodewatch_guest_disks"} {
			if n, ok := l.metric(name, `client="`+client+`"`); !ok || n != want {
				l.t.Errorf("%s by %s: got %v, %v; want %v", name, client, n, ok, want)
			}
		}
	}
}

// stalled freezes an OSD that a disk reads from, and waits until only the guest of
// that disk is named.
func (l *Lab) stalled(device, guest, other string) {
	l.t.Helper()
	l.sh("dd if=/dev/%s of=/dev/null bs=1M iflag=direct", device)
	l.freeze(1, true)
	l.readAll(device)
	r := l.until(20*time.Second, "the stalled guest is told", func(r Report) bool { return r.finding("krbd-stalled") != nil })
	if all := r.finding("krbd-stalled").text(); !strings.Contains(all, guest) || strings.Contains(all, other) {
		l.t.Errorf("%s waits, %s does not: %s", guest, other, all)
	}
	l.freeze(1, false)
	l.readsOn()
	l.until(40*time.Second, "it is over", func(r Report) bool { return r.clear("krbd-stalled") })
}
