//go:build lab

package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// Three guests: vm101 of libvirt's on krbd, vm102 a QEMU by hand on krbd, vm104 of
// libvirt's on librbd, none of them running. Whose disk is whose is told, by
// libvirt and without it, and who it is that waits for an OSD.
func TestGuests(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	devices := l.mapImages(2, msgr2)
	l.libvirtd()
	l.domain("vm101", "localtime", krbdDisk("/dev/"+devices[0], "<iotune><read_iops_sec>77</read_iops_sec></iotune>"), true)
	l.domain("vm104", "utc", librbdDisk(images[3]), true)
	l.qemu("vm102", devices[1])
	l.nodewatch("--tape /tmp/guests.tape")
	l.afterwards("rm -f /tmp/guests.tape")

	l.joined(devices)
	if r := l.now(); r.source("libvirt") != "ok" || r.source("qemu") != "ok" || !r.clear("vm-paused", "krbd-stalled") {
		t.Errorf("an administrator has paused them: %s", r)
	}
	l.row(images[0], "krbd "+devices[0], "vm101, paused", "idle")
	l.row(images[1], "krbd "+devices[1], "vm102", "idle")
	l.row(images[3], "librbd vda", "vm104", "paused user")
	if n, ok := l.metric("nodewatch_guests_paused"); !ok || n != 2 {
		t.Errorf("got %v paused, %v", n, ok) // a process does not tell
	}
	if n := l.sh(`grep '"saw":"libvirt"' /tmp/guests.tape | grep -c '"throttle":{"read_iops":77}' || true`); n == "0" {
		t.Error("the throttle of vm101's disk is not seen")
	}
	l.keepsSecret(l.sh("cat /tmp/guests.tape"), l.page(), l.sh("cat /tmp/nodewatch.log"))

	l.sh("%s", stopLibvirtd)
	l.until(25*time.Second, "libvirt's silence is told", func(r Report) bool { return r.source("libvirt") != "ok" })
	l.joined(devices)
	l.end()
	l.unprivileged()
	if r := l.now(); r.source("libvirt") != "absent" || r.source("qemu") != "ok" {
		t.Errorf("without libvirt: %s is %q, %s is %q", "libvirt", r.source("libvirt"), "qemu", r.source("qemu"))
	}
	l.joined(devices)
	l.row(images[0], "krbd "+devices[0], "vm101", "idle")
	l.row(images[3], "librbd virtio-disk0", "vm104", "state not known")
	l.keepsSecret(l.page(), l.sh("cat /tmp/nodewatch.log"))
	l.stalled(devices[0], "vm101", "vm102")
}

// joined waits until it is told which guest has which krbd disk: both stand behind
// one kernel client, and one of them is Windows on a disk without rxbounce.
func (l *Lab) joined(devices []string) {
	l.t.Helper()
	r := l.until(15*time.Second, "the guests' disks are told", func(r Report) bool {
		return r.raised("krbd-shared-fate", "info") && r.raised("krbd-no-rxbounce", "warning")
	})
	if all := r.finding("krbd-shared-fate").text(); !strings.Contains(all, "2 VMs: vm101 and vm102") || !strings.Contains(all, devices[0]+" and "+devices[1]) {
		l.t.Errorf("two guests behind one client: %s", all)
	}
	if all := r.finding("krbd-no-rxbounce").text(); !strings.Contains(all, devices[0]+" (rbd/"+images[0]+", vm101)") || strings.Contains(all, "vm102") {
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

// stalled freezes an OSD that a disk reads from, and waits until the guest on it
// is named, and no other.
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

// A VM that QEMU has stopped for an I/O error is told; one that an administrator
// has stopped is not.
func TestGuestPaused(t *testing.T) {
	const image, other = "vm-105-system", "vm-106-system"
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.bootImage(image)
	l.bootImage(other)
	l.libvirtd()
	l.domain("vm105", "utc", librbdDisk(image), false)
	l.domain("vm106", "utc", librbdDisk(other), true)
	l.nodewatch()
	l.writes("vm105")
	if n, ok := l.metric("nodewatch_guests_paused"); !ok || n != 1 {
		t.Errorf("got %v paused, %v; want vm106", n, ok)
	}
	lift := l.blocklist(l.watcher(image))
	r := l.until(20*time.Second, "the paused VM is told", func(r Report) bool { return r.finding("vm-paused") != nil })
	f := r.finding("vm-paused")
	if f.Severity != "critical" || f.Impact != "partial_outage" || !strings.Contains(f.text(), "vda rbd/"+image+" by librbd") || strings.Contains(f.text(), "vm106") {
		t.Errorf("vm105 is paused by an error, vm106 by hand: %s", r)
	}
	l.row(image, "librbd vda", "vm105", "paused ioerror")
	l.row(other, "librbd vda", "vm106", "paused user")
	if !r.clear("krbd-stalled", "krbd-io-error", "krbd-retry-storm") {
		t.Errorf("krbd has no part in it: %s", r)
	}
	lift()
	l.sh("%s", virsh("destroy vm105")) // librbd's client is shut out for good, whatever the list says
	l.domain("vm105", "utc", librbdDisk(image), false)
	l.until(20*time.Second, "it is over", func(r Report) bool { return r.clear("vm-paused") })
	l.sh("%s", virsh("suspend vm105"))
	l.until(20*time.Second, "it is paused by hand", func(Report) bool { n, _ := l.metric("nodewatch_guests_paused"); return n == 2 })
	if r := l.now(); !r.clear("vm-paused") {
		t.Errorf("paused by hand: %s", r)
	}
}
