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

// calm reports whether nothing is critical.
func calm(r Report) bool {
	for _, f := range r.Findings {
		if f.Severity == "critical" {
			return false
		}
	}
	return true
}

// Every OSD is restarted in turn under load, and is away for a while: less than the
// time after which I/O counts as stalled, as no other OSD has what it holds.
func TestRollingRestart(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer34)
	l.nodewatch()
	l.load(append(l.mapImages(1, msgr1), l.mapImage(1, msgr2)))
	well := func(r Report) bool {
		return calm(r) && r.clear("krbd-retry-storm", "libceph-crc", "libceph-session-loop", "ceph-unreachable")
	}
	for n := range osds {
		err := l.Cluster.RestartOSD(n, func() { l.holds(3*time.Second, "an OSD is down", well) })
		if err != nil {
			l.environment("%v", err)
		}
		l.holds(7*time.Second, "an OSD was restarted", well)
		if l.kernelCount(fmt.Sprintf("osd%d down", n)) == 0 {
			t.Errorf("the kernel has not noticed that osd%d was down", n)
		}
	}
	l.sample("restarted")
}

// One connection fills a slave, as a migration does, on a bond that carries krbd's
// traffic too: a full NIC and a standing risk, and no storm that builds up.
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

// In active-backup the hash policy, which is layer2 unless it is set, means nothing.
func TestActiveBackup(t *testing.T) {
	l := scenario(t)
	l.bond("active-backup", ethswitch.Layer2)
	l.nodewatch()
	l.load(l.mapImages(2, msgr2))
	l.sample("active-backup")
	l.holds(15*time.Second, "nothing is wrong", func(r Report) bool {
		return calm(r) && r.clear("layer2-bond-krbd", "bond-hash-layer2", "bond-lacp", "bond-degraded", "bond-imbalance")
	})
}

// A layer2 bond that carries no storage is advice at most.
func TestLayer2WithoutStorage(t *testing.T) {
	l := scenario(t)
	l.bond("802.3ad", ethswitch.Layer2)
	l.nodewatch()
	r := l.until(20*time.Second, "the advice", func(r Report) bool { return r.raised("bond-hash-layer2", "info") })
	l.sample("layer2")
	if !r.quiet() || !r.clear("layer2-bond-krbd") {
		t.Errorf("want advice only: %s", r)
	}
}

// source serves zeros without end, one client, on the storage network.
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
