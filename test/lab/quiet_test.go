//go:build lab

package lab

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/test/lab/ethswitch"
)

// calm reports whether no finding is critical.
func calm(r Report) bool {
	for _, f := range r.Findings {
		if f.Severity == "critical" {
			return false
		}
	}
	return true
}

// Every OSD is restarted in turn under load. Each is down for less than the time
// after which I/O counts as stalled, because no other OSD has its data.
func TestRollingRestart(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	l.load(append(l.mapImages(1, msgr1), l.mapImage(1, msgr2)))
	well := func(r Report) bool {
		return calm(r) && r.clear("krbd-retry-storm", "libceph-crc", "libceph-session-loop", "ceph-unreachable")
	}
	for n := range osds {
		up := fmt.Sprintf("osd%d up", n)
		before := l.kernelCount(up)
		err := l.Cluster.RestartOSD(n, func() { l.holds(3*time.Second, "an OSD is down", well) })
		if err != nil {
			l.environment("%v", err)
		}
		l.holds(7*time.Second, "an OSD was restarted", well)
		if err := wait(l.ctx, 20*time.Second, func() (bool, error) { return l.kernelCount(up) > before, nil }); err != nil {
			l.environment("no %q in the kernel's log: %v", up, err)
		}
		if l.kernelCount(fmt.Sprintf("osd%d down", n)) == 0 {
			t.Errorf("the kernel has not noticed that osd%d was down", n)
		}
	}
	l.sample("restarted")
}

// One connection fills a slave, as a migration does, on a bond that also carries
// krbd's traffic: a full NIC and a standing risk are reported, but no imminent storm.
func TestMigration(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer2)
	l.limit(ethswitch.Rate{Bits: speed * 1e6, Buffer: 512 << 10})
	l.nodewatch()
	l.mapImages(1, msgr1)
	l.until(12*time.Second, "the standing risk", func(r Report) bool { return r.raised("layer2-bond-krbd", "warning") })
	port := l.source()
	l.sh("(nc %s %d >/dev/null) >/dev/null 2>&1 </dev/null &", storageIP, port)
	l.until(20*time.Second, "the full NIC is told", func(r Report) bool { return r.raised("nic-saturated", "warning") })
	l.sample("migration")
	l.holds(8*time.Second, "no storm builds up", func(r Report) bool { return calm(r) && r.raised("layer2-bond-krbd", "warning") })
}

// In active-backup mode the hash policy, layer2 by default, has no effect.
func TestActiveBackup(t *testing.T) {
	l := scenario(t)
	l.bond("active-backup", ethswitch.Layer2)
	l.nodewatch()
	l.load(l.mapImages(2, msgr2))
	l.until(15*time.Second, "krbd and the bond are seen", func(Report) bool {
		n, ok := l.metric("nodewatch_krbd_devices")
		_, is := l.metric("nodewatch_bond_info", `bond="bond0"`, `mode="active-backup"`)
		return ok && n == 2 && is
	})
	l.sample("active-backup")
	l.holds(12*time.Second, "nothing is wrong", func(r Report) bool {
		return calm(r) && r.clear("layer2-bond-krbd", "bond-hash-layer2", "bond-lacp", "bond-degraded", "bond-imbalance")
	})
}

// A layer2 bond without storage traffic is reported as advice at most, even if
// another NIC carries krbd's traffic.
func TestLayer2WithoutStorage(t *testing.T) {
	l := scenario(t)
	l.besideStorage()
	l.nodewatch()
	l.mapImages(1, msgr1)
	r := l.until(25*time.Second, "krbd and the advice", func(r Report) bool {
		n, ok := l.metric("nodewatch_krbd_devices")
		return ok && n == 1 && r.raised("bond-hash-layer2", "info")
	})
	l.sample("layer2")
	l.holds(6*time.Second, "it stays advice", func(r Report) bool {
		return r.raised("bond-hash-layer2", "info") && r.clear("layer2-bond-krbd") && calm(r)
	})
	if f := r.finding("bond-hash-layer2"); f.Subject != "bond0" {
		t.Errorf("got advice for %s", f.Subject)
	}
	l.never("layer2-bond-krbd")
}

// besideStorage uses eth0 alone for the storage network, and creates a layer2 bond of
// eth1 and a NIC that is plugged in.
func (l *Lab) besideStorage() {
	l.t.Helper()
	l.unbond()
	l.plugEth2()
	l.Switch.SetChannel(ethswitch.None, ethswitch.Layer2)
	l.afterwards("ip addr flush dev eth0; ip link del bond0; for n in eth0 eth1 eth2; do ip link set $n down; done")
	l.sh(`ip addr add %s/24 dev eth0
ip link set eth0 up
ip link add bond0 type bond mode balance-xor miimon 100 xmit_hash_policy layer2
for n in eth1 eth2; do ip link set $n down; ip link set $n master bond0; done
ip link set bond0 up`, guestIP)
	l.waitSh("ping -c1 -W1 %s", storageIP)
}

// source serves an endless stream of zeros to one client on the storage network.
func (l *Lab) source() (port int) {
	l.t.Helper()
	var listener net.Listener
	err := l.children.Within(func() (err error) {
		listener, err = net.Listen("tcp", storageIP+":0")
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	done := make(chan struct{})
	l.t.Cleanup(func() { <-done })
	var client atomic.Pointer[net.Conn]
	l.t.Cleanup(func() {
		_ = listener.Close()
		if c := client.Load(); c != nil {
			_ = (*c).Close()
		}
	})
	go func() {
		defer close(done)
		c, err := listener.Accept()
		if err != nil {
			return
		}
		client.Store(&c)
		zeros := make([]byte, 1<<16)
		for err == nil {
			_, err = c.Write(zeros)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}
