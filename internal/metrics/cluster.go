package metrics

import "github.com/nodewatch/nodewatch/pkg/ceph"

func clusterFamilies() []family {
	return []family{
		{name: "nodewatch_cluster_health", kind: gauge, labels: []string{"status"},
			help: "1 for the health that the cluster reports, and 0 for the others; no sample if it has never been queried.",
			read: func(p *picture, emit emit) {
				if !p.Cluster.At.IsZero() {
					stateset([]string{"HEALTH_OK", "HEALTH_WARN", "HEALTH_ERR"}, p.Cluster.Value.Health.Status, emit)
				}
			}},
		{name: "nodewatch_cluster_osds", kind: gauge,
			help: "Number of OSDs in the cluster.",
			read: ofCluster(func(c ceph.Cluster) float64 { return float64(len(c.OSDMap.OSDs)) })},
		{name: "nodewatch_cluster_osds_up", kind: gauge,
			help: "Number of OSDs that are up.",
			read: ofCluster(func(c ceph.Cluster) (n float64) {
				for _, o := range c.OSDMap.OSDs {
					n += truth(o.Up)
				}
				return n
			})},
		{name: "nodewatch_cluster_osds_in", kind: gauge,
			help: "Number of OSDs that are in.",
			read: ofCluster(func(c ceph.Cluster) (n float64) {
				for _, o := range c.OSDMap.OSDs {
					n += truth(o.In)
				}
				return n
			})},
		{name: "nodewatch_cluster_slow_daemons", kind: gauge,
			help: "Number of daemons of the cluster that have slow operations.",
			read: ofCluster(func(c ceph.Cluster) float64 { return float64(len(c.Health.SlowOps)) })},
		{name: "nodewatch_cluster_blocklist_entries", kind: gauge,
			help: "Number of entries of the cluster's blocklist that apply to this host.",
			read: ofCluster(func(c ceph.Cluster) float64 { return float64(len(c.Blocklist)) })},
		{name: "nodewatch_cluster_scrubs", kind: gauge, labels: []string{"depth"},
			help: "Number of placement groups that are being scrubbed; no sample if no manager responded.",
			read: func(p *picture, emit emit) {
				if s := p.Cluster.Value.Scrubs; s != nil {
					emit(float64(max(0, s.Scrubbing-s.Deep)), "shallow")
					emit(float64(s.Deep), "deep")
				}
			}},
	}
}

// ofCluster reads a metric from the cluster's responses, if it has ever responded.
func ofCluster(read func(ceph.Cluster) float64) func(*picture, emit) {
	return func(p *picture, emit emit) {
		if !p.Cluster.At.IsZero() {
			emit(read(p.Cluster.Value))
		}
	}
}
