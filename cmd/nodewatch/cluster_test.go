package main

import (
	"syscall"
	"testing"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/test/cephlab"
)

// Two daemons with nodewatch-ceph as built, and a real cluster. One sees the
// cluster, loses it when the monitor freezes, and sees it again; the child of the
// other freezes at once, and is late.
func TestDaemonWithCluster(t *testing.T) {
	t.Parallel() // the test mostly waits
	built := buildCephChild(t)
	c := cephlab.Start(t)
	keyring := c.User("client.nodewatch", cephlab.LeastCaps(t, "../../docs/ceph.md")...)
	ask := built()

	// The monitor is frozen, so that the child lives until it is found; the next
	// query is due well after this one is late.
	c.Signal(cephlab.Monitor, syscall.SIGSTOP)
	late := startWatching(t, c, ask, keyring, 20)
	frozen := late.freezeChild()
	c.Signal(cephlab.Monitor, syscall.SIGCONT)

	d := startWatching(t, c, ask, keyring, 10)
	d.until("the cluster is seen", node.SourceCeph, "ok")
	d.says(`nodewatch_cluster_health{status="HEALTH_OK"} 1`, "nodewatch_cluster_osds 1", "nodewatch_cluster_osds_up 1",
		"nodewatch_cluster_osds_in 1",
		"nodewatch_cluster_slow_daemons 0", "nodewatch_cluster_blocklist_entries 0", `nodewatch_cluster_scrubs{depth="deep"} 0`)

	c.Ceph("osd", "set", "noout")
	c.Ceph("osd", "out", "0")
	c.Signal(cephlab.Monitor, syscall.SIGSTOP)
	one, other := late.now(), d.now()
	late.until("the child is late", node.SourceCeph, "stalled")
	late.gone(frozen)
	late.wentOn(one)
	d.until("the child gives up", node.SourceCeph, "failed")
	d.wentOn(other)
	d.says("nodewatch_cluster_osds_up 1") // the last known state is kept
	c.Signal(cephlab.Monitor, syscall.SIGCONT)

	for _, w := range []*watching{d, late} {
		w.until("the cluster is seen again", node.SourceCeph, "ok")
		w.says(`nodewatch_cluster_health{status="HEALTH_WARN"} 1`, "nodewatch_cluster_osds_up 1", "nodewatch_cluster_osds_in 0")
		w.hadOneChild()
	}
}
