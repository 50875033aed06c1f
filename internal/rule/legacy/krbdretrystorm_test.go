package legacy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodewatch/nodewatch/internal/node"
	"github.com/nodewatch/nodewatch/pkg/bond"
	"github.com/nodewatch/nodewatch/pkg/ceph"
	"github.com/nodewatch/nodewatch/pkg/kmsg"
	"github.com/nodewatch/nodewatch/pkg/report"
)

const stormID = "krbd-retry-storm"

// What is a storm and what is not, at and beside each threshold.
func TestRetryStorm(t *testing.T) {
	closes := func(n int) func(*rig) {
		return func(r *rig) {
			for range n {
				r.log(kmsg.ClosedOpen, "osd3", 1).run(3)
			}
		}
	}
	for name, c := range map[string]struct {
		live func(*rig) // after 10 quiet seconds, with all disks stalled since 3
		want bool
	}{
		"2 CRC faults of one OSD in 10 s": {func(r *rig) { r.log(kmsg.CRC, "osd3", 1).run(9).log(kmsg.CRC, "osd3", 1).run(1) }, true},
		"2 CRC faults 10 s apart":         {func(r *rig) { r.log(kmsg.CRC, "osd3", 1).run(10).log(kmsg.CRC, "osd3", 1).run(1) }, false},
		"1 CRC fault":                     {func(r *rig) { r.log(kmsg.CRC, "osd3", 1).run(1) }, false},
		"2 CRC faults of different parts": {func(r *rig) {
			r.add(kmsg.Count{Class: kmsg.CRC, Peer: "osd3", Detail: "front", N: 1}).log(kmsg.CRC, "osd3", 1).run(1)
		}, true},
		"1 CRC fault each of two OSDs":    {func(r *rig) { r.log(kmsg.CRC, "osd3", 1).log(kmsg.CRC, "osd4", 1).run(1) }, false},
		"CRC faults of a metadata server": {func(r *rig) { r.log(kmsg.CRC, "mds0", 9).run(1) }, false},
		"5 sessions closed in 60 s":       {closes(5), true},
		"4 sessions closed in 60 s":       {closes(4), false},
		"5 closed, the first 60 s before": {func(r *rig) { r.log(kmsg.ClosedOpen, "osd3", 1).run(60).log(kmsg.ClosedOpen, "osd3", 4).run(1) }, false},
		"5 closed in other states":        {func(r *rig) { r.log(kmsg.Closed, "osd3", 5).run(1) }, false},
		"closed, and the OSD is down":     {func(r *rig) { r.log(kmsg.OSDDown, "osd3", 1); closes(5)(r) }, false},
		"closed, and another OSD is down": {func(r *rig) { r.log(kmsg.OSDDown, "osd4", 1); closes(5)(r) }, true},
		"closed, and the OSD was down before": {func(r *rig) {
			r.flow().log(kmsg.ClosedOpen, "osd3", 4).log(kmsg.OSDDown, "osd3", 1).run(13).stall().run(4)
			closes(5)(r)
		}, true},
		"closed, and the OSD was down long ago": {func(r *rig) { r.log(kmsg.OSDDown, "osd3", 1).run(70); closes(5)(r) }, true},
		"closed, and the cluster is full":       {func(r *rig) { r.log(kmsg.Full, "", 1); closes(5)(r) }, false},
		"closed, and the map says full": {func(r *rig) {
			r.cluster = &ceph.Cluster{OSDMap: ceph.OSDMap{Flags: "noout,full"}}
			closes(5)(r)
		}, false},
		"closed, and a pool is full": {func(r *rig) {
			r.cluster = &ceph.Cluster{Health: ceph.Health{Checks: []ceph.Check{{Code: "POOL_FULL"}}}}
			closes(5)(r)
		}, false},
		"CRC faults in a full cluster":  {func(r *rig) { r.log(kmsg.Full, "", 1).log(kmsg.CRC, "osd3", 2).run(1) }, true},
		"the sparse-read loop":          {func(r *rig) { r.log(kmsg.SparseRead, "", 2).run(1) }, true},
		"CRC faults that are long over": {func(r *rig) { r.flow().log(kmsg.CRC, "osd3", 9).run(9).stall().run(15) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 4).run(7).stall().run(4)
			c.live(r)
			if _, raised := r.find(stormID, ""); raised != c.want {
				t.Errorf("raised: %v, want %v", raised, c.want)
			}
			if c.want {
				r.want(stormID, "", report.Critical, report.MajorOutage)
			}
		})
	}
}

// Lines from before the start are no storm, however many.
func TestRetryStormNotFromHistory(t *testing.T) {
	r := newRig(t, 2)
	at := r.start.Add(-2 * time.Second)
	r.history = []kmsg.Count{{Class: kmsg.CRC, Peer: "osd1", N: 50, First: at, Last: at, Text: "old"}}
	r.stall().run(6).wantNone(stormID, "")
}

// Faults without stalled I/O are no storm: stalled is 3 s without a completion, or
// one request that is sent again and again.
func TestRetryStormNeedsStalledIO(t *testing.T) {
	r := newRig(t, 4).run(10).crcLoop(3, 10)
	r.wantNone(stormID, "")
	r.stall(2).crcLoop(3, 2).wantNone(stormID, "")
	r.crcLoop(3, 1).want(stormID, "", report.Critical, report.MajorOutage)

	for name, c := range map[string]struct {
		attempts int
		ops      string
		paused   bool
		want     bool
	}{
		"sent again 3 times": {4, "read", false, true},
		"sent again twice":   {3, "read", false, false},
		"a watch":            {90, "watch-reconnect", false, false},
		"paused":             {90, "write", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 4).run(10).wait(1, 1, 1, c.ops).crcLoop(3, 2)
			r.wait(1, 1, c.attempts, c.ops)
			r.pending[0].Requests[0].Paused = c.paused
			r.crcLoop(3, 1)
			if _, raised := r.find(stormID, ""); raised != c.want {
				t.Errorf("raised: %v, want %v", raised, c.want)
			}
		})
	}
}

// Rolling restarts of OSDs: each closes its session once, goes down and comes
// back, and I/O waits for it a little.
func TestRetryStormNotRollingRestarts(t *testing.T) {
	r := newRig(t, 4).run(10)
	for i := range 20 {
		osd := fmt.Sprintf("osd%d", i)
		r.stall().log(kmsg.ClosedOpen, osd, 2).run(1).log(kmsg.OSDDown, osd, 2).run(4)
		r.wantNone(stormID, "")
		r.flow().run(2).log(kmsg.OSDUp, osd, 2).run(3)
		r.wantNone("libceph-session-loop", "")
		r.want("layer2-bond-krbd", "bond0", report.Warning, report.Operational)
	}
}

// Once raised, a storm lasts until what it stalled completes: neither the end of
// the faults nor a changed hash policy ends it. It is clear within a minute of
// the end, and another stall afterwards does not keep it.
func TestRetryStormLatches(t *testing.T) {
	r := newRig(t, 4).run(10).stall(0, 1).crcLoop(3, 5)
	r.want(stormID, "", report.Critical, report.MajorOutage)
	r.links.Bonds[0].HashPolicy = bond.Layer34
	f := r.run(150).log(kmsg.ClosedOpen, "mon0", 2).run(150).want(stormID, "", report.Critical, report.MajorOutage)
	if !strings.Contains(f.Summary, "the last session was lost at 03:00:14, but still 2 of 4 krbd disks of 2 VMs stalled for up to 5 min") {
		t.Errorf("summary: %s", f.Summary)
	}
	if want := r.start.Add(10*time.Second + 900*time.Millisecond); !f.Since.Equal(want) {
		t.Errorf("since %s, want %s", f.Since, want)
	}
	f = r.log(kmsg.CRC, "osd1", 1).run(3).want(stormID, "", report.Critical, report.MajorOutage) // a straggler is no loop
	if !strings.Contains(f.Summary, "the last session was lost at 03:05:15, but still") {
		t.Errorf("summary: %s", f.Summary)
	}
	r.flow(0).run(60).want(stormID, "", report.Critical, report.MajorOutage)
	r.flow(1).stall(2).run(29).want(stormID, "", report.Critical, report.MajorOutage)
	r.run(31).wantNone(stormID, "")
}

// Losing sight of the disks is not the end of the storm, and lost sight of the log
// does not end what still stands.
func TestRetryStormStaysWhileBlind(t *testing.T) {
	r := newRig(t, 4).run(10).stall().crcLoop(3, 5)
	r.blind(node.Stalled, node.SourceIO).run(120)
	if f := r.want(stormID, "", report.Critical, report.MajorOutage); f.State != report.Blind {
		t.Errorf("state %q, want blind", f.State)
	}
	r.blind("", node.SourceIO).blind(node.Denied, node.SourceKmsg).run(60)
	if f := r.want(stormID, "", report.Critical, report.MajorOutage); f.State != report.Seen {
		t.Errorf("state %q, want seen", f.State)
	}
	r.blind("", node.SourceKmsg).flow().run(90).wantNone(stormID, "")
}

// A restart in mid-storm raises it again, from the lines that come after it.
func TestRetryStormAfterRestart(t *testing.T) {
	r := newRig(t, 4).run(10).stall().crcLoop(3, 60)
	r.begin()
	r.crcLoop(3, 5).want(stormID, "", report.Critical, report.MajorOutage)
	f := r.crcLoop(3, 5).want("layer2-bond-krbd", "bond0", report.Critical, report.MajorOutage)
	if f.State != report.Seen {
		t.Errorf("state %q", f.State)
	}
}

// No bond is needed, and no policy.
func TestRetryStormWithoutBond(t *testing.T) {
	r := newRig(t, 2)
	r.links = bond.Links{NICs: []bond.NIC{{Name: "eth0", Index: 2, Speed: 10000, Up: true}}, Addresses: []bond.Address{{IP: "192.0.2.12", Index: 2}}}
	f := r.run(10).stall().carry(0, 9.8, 1).crcLoop(3, 5).want(stormID, "", report.Critical, report.MajorOutage)
	if cmds := commands(f); !strings.Contains(cmds, "tc qdisc add dev eth0 root tbf rate 2000mbit") || strings.Contains(cmds, "bond") {
		t.Errorf("commands:\n%s", cmds)
	}
	r.wantNone("layer2-bond-krbd", "bond0")
}

// commands are all commands of a finding's advice, one a line.
func commands(f report.Finding) string {
	var list []string
	for _, a := range f.Advice {
		list = append(list, a.Command)
	}
	return strings.Join(list, "\n")
}
