//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// When a switch stops sending LACPDUs, nothing is logged, but it is reported.
func TestPartnerGone(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	if r := l.now(); !r.clear("bond-lacp") {
		t.Fatalf("the partner speaks: %s", r)
	}
	l.unwhole = true
	l.Switch.SetMute(true)
	t.Cleanup(func() { l.Switch.SetMute(false) })
	l.until(45*time.Second, "the silence is told", func(r Report) bool { return r.raised("bond-lacp", "warning") })
	l.sample("no-partner")
	l.Switch.SetMute(false)
	l.until(75*time.Second, "the partner is back", func(r Report) bool { return r.clear("bond-lacp", "bond-degraded") })
}

// NICs and bonds are added, removed and renamed while nodewatch runs.
func TestLinksChange(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	l.unwhole = true
	bonds := func(nic, bond string, want bool) {
		t.Helper()
		l.until(5*time.Second, nic+" in "+bond, func(Report) bool {
			_, is := l.metric("nodewatch_nic_receive_bytes_total", `nic="`+nic+`"`, `bond="`+bond+`"`)
			return is == want
		})
	}
	bonds("eth1", "bond0", true)
	index := l.sh("cat /sys/class/net/eth1/ifindex")
	driver := "/sys/bus/virtio/drivers/virtio_net"
	device := l.sh("basename $(readlink /sys/class/net/eth1/device)")
	l.sh("echo %s >%s/unbind", device, driver)
	bonds("eth1", "bond0", false)
	l.sh("echo %s >%s/bind", device, driver)
	t.Cleanup(func() { l.sh("ip link set stor1 down 2>/dev/null && ip link set stor1 name eth1; true") })
	if again := l.sh("cat /sys/class/net/eth1/ifindex"); again == index {
		t.Fatalf("the NIC came back with index %s", again)
	}
	l.sh("ip link set eth1 down; ip link set eth1 name stor1; ip link set stor1 master bond0")
	bonds("stor1", "bond0", true)
	l.sh("ip link set stor1 nomaster; ip link set stor1 down; ip link set stor1 name eth1")
	bonds("stor1", "bond0", false)
	l.sh("ip link add bond1 type bond mode active-backup; ip link set eth1 master bond1; ip link set bond1 up")
	bonds("eth1", "bond1", true)
	l.sample("two-bonds")
	l.sh("ip link del bond1")
	l.until(5*time.Second, "bond1 is gone", func(Report) bool {
		_, is := l.metric("nodewatch_bond_info", `bond="bond1"`)
		return !is
	})
	if r := l.now(); !r.clear("source-stalled", "nic-saturated", "nic-drops") {
		t.Errorf("only links have changed: %s", r)
	}
}

// plug connects or disconnects a NIC's cable, at both ends.
func (l *Lab) plug(nic string, in bool) {
	l.t.Helper()
	l.unwhole = true
	if !in {
		l.t.Cleanup(func() { l.plug(nic, true) })
	}
	l.Switch.SetDown(nic, !in)
	if err := l.Guest.SetLink(nic, in); err != nil {
		l.t.Fatal(err)
	}
}

// plugEth2 adds a third NIC to the running guest, until the end of the scenario.
func (l *Lab) plugEth2() {
	l.t.Helper()
	if err := l.Guest.PlugNIC(l.ctx, l.Switch, "eth2"); err != nil {
		l.environment("%v", err)
	}
	l.t.Cleanup(func() {
		if err := l.Guest.UnplugNIC("eth2"); err != nil {
			l.t.Error(err)
		}
	})
	l.waitSh("test -e /sys/class/net/eth2")
}
