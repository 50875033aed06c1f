package legacy

import (
	"strings"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
)

// settle is how long after an OSD went down sessions with it are still closed for
// that: a node may have many clients, and each hears of it in its own time.
const settle = 10 * time.Second

// downOSDs are the OSDs that went down, or left the map, within d, and when they
// last did.
func downOSDs(in Input, d time.Duration) map[string]time.Time {
	var down map[string]time.Time
	for _, s := range in.Kernel.Of(kmsg.OSDDown) {
		if in.Now.Sub(s.Last) > d {
			continue
		}
		if down == nil {
			down = map[string]time.Time{}
		}
		down[s.Peer] = later(down[s.Peer], s.Last)
	}
	return down
}

// clusterFull reports whether the kernel said within d, or the cluster says now,
// that the cluster, a pool or an OSD is full: writes then wait by design.
func clusterFull(in Input, d time.Duration) bool {
	for _, s := range in.Kernel.Of(kmsg.Full) {
		if in.Now.Sub(s.Last) <= d {
			return true
		}
	}
	if in.Blind(node.SourceCeph) != nil {
		return false
	}
	for flag := range strings.SplitSeq(in.Cluster.Value.OSDMap.Flags, ",") {
		if flag == "full" {
			return true
		}
	}
	for _, c := range in.Cluster.Value.Health.Checks {
		if c.Code == "OSD_FULL" || c.Code == "POOL_FULL" {
			return true
		}
	}
	return false
}

// lastLine is when a line of any of the classes was last logged about an OSD, live.
// Lines of the sparse-read loop do not always name theirs.
func lastLine(in Input, classes ...kmsg.Class) time.Time {
	var last time.Time
	for _, class := range classes {
		for _, s := range in.Kernel.Of(class) {
			if s.Total > 0 && (class == kmsg.SparseRead || strings.HasPrefix(s.Peer, "osd")) {
				last = later(last, s.Last)
			}
		}
	}
	return last
}

// knownOSDs are all OSDs that the cluster or the kernel has named, and their
// hosts, as far as they are known.
func knownOSDs(in Input) (osds, hosts map[string]bool) {
	osds, hosts = map[string]bool{}, map[string]bool{}
	for _, o := range in.Cluster.Value.OSDMap.OSDs {
		if o.In {
			osds[peerName(o.ID)] = true
			for _, a := range o.Addrs {
				hosts[hostPart(a)] = true
			}
		}
	}
	for _, class := range []kmsg.Class{kmsg.CRC, kmsg.ClosedOpen, kmsg.Closed, kmsg.SocketError, kmsg.ConnectError, kmsg.OSDUp, kmsg.OSDWeight} {
		for _, s := range in.Kernel.Of(class) {
			if strings.HasPrefix(s.Peer, "osd") {
				osds[s.Peer] = true
				hosts[hostPart(s.Addr)] = true
			}
		}
	}
	for _, w := range in.Waits {
		if w.Request.OSD >= 0 {
			osds[peerName(w.Request.OSD)] = true
		}
	}
	delete(hosts, "")
	return osds, hosts
}
