package metrics

import (
	"fmt"
	"time"

	"github.com/nodewatch/nodewatch/internal/judge"
	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/internal/nodetest"
	"github.com/nodewatch/nodewatch/internal/rule/all"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/host"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/rbd"
	"github.com/nodewatch/nodewatch/pkg/report"
)

// start is when the tests' node is first observed.
var start = nodetest.HypervisorStart

// small returns a node in the storm with few enough metrics to read.
func small() nodetest.Hypervisor {
	return nodetest.Hypervisor{Disks: 2, Guests: 2, OSDs: 2, Bonds: 1, Policy: bond.Layer2, Storm: true}
}

// storm returns a View of the node, with readings that only metrics show: packets,
// driver counters, lost lines, deliveries and an OSD that is down.
func storm(h nodetest.Hypervisor) judge.View {
	n := h.Play()
	counters := h.Counters(60)
	for i := 1; i < len(counters); i++ { // the slaves
		counters[i].RxPackets, counters[i].TxPackets, counters[i].RxDropped = 48_000_000, 1_200_000, 3
	}
	n.See(node.SawCounters{Reading: nodetest.Reading(n.At, time.Second, counters)})
	n.See(node.SawQEMU{Reading: nodetest.Failed[rbd.Guests](n.At, node.Denied, "permission denied", "")})
	n.See(node.SawDrops{Reading: nodetest.Reading(n.At, 10*time.Second,
		[]bond.Drops{{Name: "eth0", Index: 11, Driver: "ixgbe", Counts: map[string]uint64{"rx_no_buffer_count": 10_000_123,
			"rx_flow_control_xoff": 7}}})})
	n.See(node.SawKernel{Reading: nodetest.Reading(n.At, 250*time.Millisecond,
		kmsg.Batch{Records: 5, Foreign: 4, Malformed: 1, Seq: 91_000})})
	hung := n.Snapshot.Host.Value
	hung.Hung = new(uint64(3))
	n.See(node.SawHost{Reading: nodetest.Reading[host.State](n.At, 5*time.Second, hung)})
	n.See(node.SawDeliveries{Reading: nodetest.Reading(n.At, 5*time.Second, []node.Delivery{
		{Name: "hub", Backend: "native", State: node.DeliveryOK, Last: n.At, Done: 120, Failed: map[string]uint64{"transient": 3},
			Waiting: 2, Unsaved: 1},
		{Name: "oncall", Backend: "alertmanager", State: node.DeliveryOpen, Failed: map[string]uint64{"misconfigured": 1}, Dropped: 4,
			PersistErr: "no space"},
	})})
	n.See(node.SawCluster{Reading: nodetest.Reading(n.At, time.Minute, ceph.Cluster{
		FSID: n.Snapshot.Cluster.Value.FSID, Health: ceph.Health{Status: "HEALTH_WARN", SlowOps: []string{"osd.1"}},
		OSDMap: ceph.OSDMap{OSDs: []ceph.OSD{{ID: 0, Up: true, In: true}, {ID: 1, Up: true, In: true}, {ID: 2, In: true}}},
		Scrubs: &ceph.Scrubs{Scrubbing: 3, Deep: 1},
	})})
	return judge.View{Snapshot: n.Snapshot, Report: verdict(n.At, h.Guests), Rules: all.Default()}
}

// verdict returns a report with as many findings of one rule as there are guests.
func verdict(at time.Time, guests int) report.Report {
	r := report.Report{Node: "node2", At: at, Version: "1.2.3", Status: report.MajorOutage, Components: []report.Component{
		{Name: "storage", Status: report.MajorOutage, Since: at.Add(-30 * time.Second)},
		{Name: "network", Status: report.DegradedPerformance, Since: at.Add(-45 * time.Second)},
		{Name: "guests", Status: report.PartialOutage, Since: at.Add(-20 * time.Second)},
		{Name: "cluster", Status: report.Operational, Since: start},
		{Name: "host", Status: report.Operational, Since: start},
		{Name: "nodewatch", Status: report.Unknown, Since: start},
	}, Findings: []report.Finding{
		{Rule: "layer2-bond-krbd", Subject: "bond0", Severity: report.Critical, Impact: report.MajorOutage, State: report.Seen,
			Guests: &report.Guests{Hit: guests, Total: guests}},
		{Rule: "kmsg-lost", Severity: report.Warning, Impact: report.Operational, State: report.Blind,
			Accepted: &report.Accepted{By: "alice"}},
	}, Transitions: []report.Transition{{N: 6, At: at}, {N: 7, At: at}}}
	for i := range guests {
		r.Findings = append(r.Findings, report.Finding{Rule: "vm-paused", Subject: fmt.Sprintf("vm%d", 100+i), Severity: report.Warning,
			State: report.Seen, Guests: &report.Guests{Hit: 1, Total: guests}})
	}
	return r
}
