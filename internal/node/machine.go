package node

import (
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
)

// SawHost is a reading of the host itself.
type SawHost struct{ Reading[host.State] }

// Apply implements Observation.
func (o SawHost) Apply(s Snapshot) Snapshot {
	if o.Err == nil {
		s.Before = s.Host
	}
	s.Host = o.after(s.Host)
	return s.heard(SourceHost, o.At, o.Every, s.Host.Err)
}

// SawCluster is what the cluster said, by the nodewatch-ceph child.
type SawCluster struct{ Reading[ceph.Cluster] }

// Apply implements Observation.
func (o SawCluster) Apply(s Snapshot) Snapshot {
	s.Cluster = o.after(s.Cluster)
	return s.heard(SourceCeph, o.At, o.Every, s.Cluster.Err)
}
