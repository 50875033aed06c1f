package node

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
)

// SawHost is a reading of the host itself.
type SawHost struct{ Reading[host.State] }

// Apply implements Observation.
func (o SawHost) Apply(s Snapshot) Snapshot {
	if o.Err == nil {
		s.Before = s.Host
		s.hung = s.hung.add(o.At.Unix()/10, newlyHung(s.Host.Value, o.Value))
	}
	s.Host = o.after(s.Host)
	return s.recordReading(SourceHost, o.At, o.Every, s.Host.Err)
}

// newlyHung returns how many tasks the kernel has found hung between two readings, by
// its own counter, which continues after it has stopped logging them.
func newlyHung(before, after host.State) uint64 {
	if before.Hung == nil || after.Hung == nil || before.BootID != after.BootID || *after.Hung < *before.Hung {
		return 0
	}
	return *after.Hung - *before.Hung
}

// HungWithin returns how many tasks the kernel has found hung in the last d before
// now, by its own counter: with a resolution of ten seconds, up to ten minutes. 0 if
// it has no such counter.
func (s Snapshot) HungWithin(d time.Duration) uint64 {
	return s.hung.sum(s.Now.Unix()/10, int64(d/(10*time.Second)))
}

// SawCluster is the cluster's state as read by the nodewatch-ceph child.
type SawCluster struct{ Reading[ceph.Cluster] }

// Apply implements Observation.
func (o SawCluster) Apply(s Snapshot) Snapshot {
	s.Cluster = o.after(s.Cluster)
	return s.recordReading(SourceCeph, o.At, o.Every, s.Cluster.Err)
}
