package legacy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

const unreachableID = "ceph-unreachable"

// refuse has connections to so many OSDs fail, each second, for so long.
func refuse(r *rig, osds, seconds int) *rig {
	for range seconds {
		for i := range osds {
			r.add(kmsg.Count{Class: kmsg.Closed, Peer: fmt.Sprintf("osd%d", i), Detail: "V2_BANNER_PREFIX", N: 1})
		}
		r.run(1)
	}
	return r
}

// osdMap is a cluster of which so many OSDs are up and down.
func osdMap(up, down int) *ceph.Cluster {
	c := &ceph.Cluster{FSID: rigFSID, Health: ceph.Health{Status: "HEALTH_WARN"}}
	for i := range up + down {
		c.OSDMap.OSDs = append(c.OSDMap.OSDs, ceph.OSD{ID: i, Up: i >= down, In: true, Addrs: []string{fmt.Sprintf("192.0.2.%d:6800", 30+i%4)}})
	}
	return c
}

func TestCephUnreachable(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*rig)
		want bool
	}{
		"all OSDs refuse":                   {func(r *rig) { refuse(r.stall(), 6, 16) }, true},
		"too soon":                          {func(r *rig) { refuse(r.stall(), 6, 14) }, false},
		"connections fail, but I/O goes on": {func(r *rig) { refuse(r.stall(0, 1), 6, 30) }, false},
		"I/O stands, but nothing refuses":   {func(r *rig) { r.stall().run(30) }, false},
		"1 OSD of an unknown number":        {func(r *rig) { refuse(r.stall(), 1, 30) }, false},
		"half of 12 OSDs":                   {func(r *rig) { r.cluster = osdMap(12, 0); refuse(r.stall(), 6, 30) }, true},
		"fewer than half":                   {func(r *rig) { r.cluster = osdMap(13, 0); refuse(r.stall(), 6, 30) }, false},
		"the only OSD":                      {func(r *rig) { r.cluster = osdMap(1, 0); refuse(r.stall(), 1, 30) }, true},
		"connect() fails": {func(r *rig) {
			for range 20 {
				r.stall().log(kmsg.ConnectError, "osd1", 1).log(kmsg.ConnectError, "osd2", 1).run(1)
			}
		}, true},
		"a disk completes a request now and then": {func(r *rig) {
			r.stall()
			for i := range 40 {
				r.disks[0].iops = 0
				if i%8 == 0 {
					r.disks[0].iops = 1
				}
				refuse(r, 6, 1)
			}
		}, false},
		"all OSDs are down by the map": {func(r *rig) {
			r.log(kmsg.OSDDown, "osd1", 1).log(kmsg.OSDDown, "osd2", 1).stall().run(20)
		}, true},
		"they came back up": {func(r *rig) {
			r.log(kmsg.OSDDown, "osd1", 1).log(kmsg.OSDDown, "osd2", 1).run(1).log(kmsg.OSDUp, "osd1", 1).log(kmsg.OSDUp, "osd2", 1).stall().run(20)
		}, false},
		"they came back up, and nobody said so": {func(r *rig) {
			r.log(kmsg.OSDDown, "osd1", 1).log(kmsg.OSDDown, "osd2", 1).run(12).log(kmsg.ClosedOpen, "osd1", 1).log(kmsg.CRC, "osd2", 1).stall().run(20)
		}, false},
		"their sessions close as they go down": {func(r *rig) {
			r.log(kmsg.OSDDown, "osd1", 1).log(kmsg.OSDDown, "osd2", 1).run(5).log(kmsg.ClosedOpen, "osd1", 1).log(kmsg.ClosedOpen, "osd2", 1).stall().run(20)
		}, true},
		"no krbd": {func(r *rig) { r.mapped, r.disks = nil, nil; r.log(kmsg.MonLost, "mon0", 1).run(60) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 4).run(10)
			c.do(r)
			if c.want {
				r.want(unreachableID, "", report.Critical, report.MajorOutage)
			} else {
				r.wantNone(unreachableID, "")
			}
			r.wantNone(stormID, "")
		})
	}
}

// Lost monitors alone stop nothing; a restarted one is back in seconds.
func TestCephUnreachableMons(t *testing.T) {
	r := newRig(t, 2).run(10).log(kmsg.MonLost, "mon0", 1).run(20)
	r.wantNone(unreachableID, "")
	f := r.run(7).want(unreachableID, "", report.Warning, report.Operational)
	if !strings.Contains(f.Summary, "no monitor session is established since 03:00:10; krbd I/O goes on with the OSDs' open sessions") {
		t.Errorf("summary: %s", f.Summary)
	}
	r.stall().run(17).want(unreachableID, "", report.Critical, report.MajorOutage)
	r.flow().log(kmsg.MonFound, "mon2", 1).run(25).wantNone(unreachableID, "")

	r = newRig(t, 2).run(10).log(kmsg.MonLost, "mon0", 1).run(3).log(kmsg.MonFound, "mon1", 1).run(60)
	r.wantNone(unreachableID, "")
}

// The kernel tries ever more seldom: the outage stays while nothing completes.
func TestCephUnreachableLatches(t *testing.T) {
	r := refuse(newRig(t, 4).run(10).stall(), 6, 20)
	r.run(600).want(unreachableID, "", report.Critical, report.MajorOutage)
	r.flow(2).run(25).wantNone(unreachableID, "")

	r = newRig(t, 4).run(10)
	r.cluster = osdMap(12, 0)
	refuse(r.stall(), 12, 20)
	refuse(r, 2, 200).want(unreachableID, "", report.Critical, report.MajorOutage)
}

func TestCephUnreachableStaysWhileBlind(t *testing.T) {
	r := refuse(newRig(t, 4).run(10).stall(), 6, 20).blind(node.Stalled, node.SourceIO).run(60)
	if f := r.want(unreachableID, "", report.Critical, report.MajorOutage); f.State != report.Blind {
		t.Errorf("state %q", f.State)
	}
}

// Whose fault it is, where that can be told.
func TestCephUnreachableBlame(t *testing.T) {
	for name, c := range map[string]struct {
		set     func(*rig)
		summary string // its end; empty: no blame
		for_    string
		against string
	}{
		"the cluster says so": {func(r *rig) { r.cluster = osdMap(2, 10) }, "the cluster itself says that 10 OSDs are down: not this host's fault", "says that 10 OSDs are down", "bond0 has 2 of 2 slaves with link"},
		"by its health alone": {func(r *rig) {
			r.cluster = &ceph.Cluster{Health: ceph.Health{Checks: []ceph.Check{{Code: "OSD_DOWN", Count: 9}}}}
		}, "9 OSDs are down: not this host's fault", "9 OSDs are down", ""},
		"the cluster is well":   {func(r *rig) { r.cluster = osdMap(12, 0) }, "says that 12 OSDs are up: look at the path from here to the OSDs", "the cluster answers this host", ""},
		"the cluster is silent": {func(r *rig) { r.blind(node.Stalled, node.SourceCeph); r.cluster = osdMap(12, 0) }, "", "does not answer nodewatch on this host either", ""},
		"may not be asked":      {func(*rig) {}, "", "", "nodewatch may not ask the cluster"},
		"a third is down":       {func(r *rig) { r.cluster = osdMap(8, 4) }, "says that 8 OSDs are up: look at the path from here to the OSDs", "the cluster answers this host", ""},
		"links not known":       {func(r *rig) { r.links.Addresses[0].IP = "192.0.2.99" }, "", "", "nodewatch may not ask the cluster"},
		"the links are down": {func(r *rig) {
			r.cluster = osdMap(12, 0)
			for i := range r.links.Bonds[0].Slaves {
				r.links.Bonds[0].Slaves[i].Carrier = false
			}
		}, "this host is cut off: none of the links that carry krbd's traffic is up", "bond0 has 0 of 2 slaves with link", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 4).run(10)
			c.set(r)
			refuse(r.stall(), 12, 90)
			f := r.want(unreachableID, "", report.Critical, report.MajorOutage)
			if !strings.HasSuffix(f.Summary, c.summary) || c.summary == "" && strings.Contains(f.Summary, "fault") {
				t.Errorf("summary: %s\nwant at its end: %s", f.Summary, c.summary)
			}
			if c.for_ != "" && !containsFact(f.Evidence, c.for_) || c.against != "" && !containsFact(f.Against, c.against) {
				t.Errorf("evidence: %+v\nagainst: %+v", f.Evidence, f.Against)
			}
		})
	}
	t.Run("what it said is older", func(t *testing.T) {
		r := newRig(t, 1)
		r.cluster = osdMap(2, 10)
		in := Input{Snapshot: r.run(5).view.Snapshot}
		f := report.Finding{Since: in.Cluster.At.Add(time.Second)}
		if says := blame(in, &f); says != "" || !containsFact(f.Against, "the cluster has not been asked since") {
			t.Errorf("%q, against: %+v", says, f.Against)
		}
	})
	t.Run("the map lags", func(t *testing.T) {
		r := newRig(t, 4).run(10)
		r.cluster = osdMap(12, 0)
		f := refuse(r.stall(), 12, 30).want(unreachableID, "", report.Critical, report.MajorOutage)
		if strings.Contains(f.Summary, "cluster answers") {
			t.Errorf("summary: %s", f.Summary)
		}
	})
}

// A lost record may have been the one that says that a session is back.
func TestCephUnreachableLostRecords(t *testing.T) {
	r := newRig(t, 2).run(10).log(kmsg.MonLost, "mon0", 1).run(10)
	r.take(node.SawKernel{Reading: node.Reading[kmsg.Batch]{At: r.now, Value: kmsg.Batch{Lost: 7}, Every: time.Second}})
	if f := r.run(30).want(unreachableID, "", report.Warning, report.Operational); !containsFact(f.Against, "kernel log records were lost since") {
		t.Errorf("against: %+v", f.Against)
	}
}
