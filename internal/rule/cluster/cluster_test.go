package cluster

import (
	"testing"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/ruletest"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/rbd"
)

func TestClusterHealth(t *testing.T) {
	full := ceph.Check{Code: "OSD_FULL", Severity: "HEALTH_ERR", Summary: "1 full osd(s)"}
	muted := full
	muted.Muted = true
	for what, c := range map[string]struct {
		health ceph.Health
		flags  string
		want   string
	}{
		"well": {ceph.Health{Status: "HEALTH_OK"}, "", ""},
		"warns": {ceph.Health{Status: "HEALTH_WARN", Checks: []ceph.Check{{Code: "PG_NOT_DEEP_SCRUBBED",
			Severity: "HEALTH_WARN", Summary: "9 pgs not deep-scrubbed in time"}}}, "", ""},
		"muted": {ceph.Health{Status: "HEALTH_OK", Checks: []ceph.Check{muted}}, "", ""},
		"full": {ceph.Health{Status: "HEALTH_ERR", Checks: []ceph.Check{full}}, "",
			"warning/partial_outage: The Ceph cluster reports HEALTH_ERR: 1 full osd(s)"},
		"PGs inactive": {ceph.Health{Status: "HEALTH_WARN", Checks: []ceph.Check{{Code: "PG_AVAILABILITY", Severity: "HEALTH_WARN",
			Summary: "Reduced data availability: 300 pgs inactive"}}}, "",
			"warning/partial_outage: The Ceph cluster reports HEALTH_WARN: Reduced data availability: 300 pgs inactive"},
		"another error": {ceph.Health{Status: "HEALTH_ERR", Checks: []ceph.Check{{Code: "PG_DAMAGED", Severity: "HEALTH_ERR",
			Summary: "Possible data damage: 1 pg inconsistent"}}}, "",
			"warning/degraded_performance: The Ceph cluster reports HEALTH_ERR: Possible data damage: 1 pg inconsistent"},
		"without checks": {ceph.Health{Status: "HEALTH_ERR"}, "", "warning/degraded_performance: The Ceph cluster reports HEALTH_ERR"},
		"paused": {ceph.Health{Status: "HEALTH_WARN"}, "sortbitwise,pauserd,pausewr",
			"warning/partial_outage: The Ceph cluster reports HEALTH_WARN: I/O is paused by the flag pauserd and pausewr"},
		"slow for others": {ceph.Health{Status: "HEALTH_WARN", SlowOps: []string{"osd.7", "mon.a"}}, "",
			"info/operational: The cluster reports slow requests on osd7; no request of this node is waiting for them"},
		"slow for this one": {ceph.Health{Status: "HEALTH_WARN", SlowOps: []string{"osd.1"}}, "",
			"warning/degraded_performance: Slow requests on osd1; requests of this node are waiting for them"},
	} {
		t.Run(what, func(t *testing.T) {
			sc := nodetest.New(nodetest.Over()).MapDisks(1, "192.0.2.2")
			pending := []rbd.Pending{{FSID: "f", ClientID: 4151, Total: 1,
				Requests: []rbd.Request{{TID: 27, OSD: 1, Object: "rbd_data.1016.00", Attempts: 1, Ops: "read"}}}}
			for range 4 {
				sc.See(node.SawPending{Reading: node.Reading[[]rbd.Pending]{Value: pending, At: sc.At}})
				sc.Pass(1)
			}
			sc.See(node.SawCluster{Reading: node.Reading[ceph.Cluster]{Value: ceph.Cluster{Health: c.health,
				OSDMap: ceph.OSDMap{Flags: c.flags}}, At: sc.At}})
			if got := ruletest.OnlyOne(t, ruletest.Check(sc.Pass(1), clusterHealth())); ruletest.Said(got) != c.want {
				t.Errorf("got  %q\nwant %q", ruletest.Said(got), c.want)
			}
		})
	}
}
